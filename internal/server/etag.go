package server

import (
	"bytes"
	"time"

	"eligibility/internal/rules"

	"github.com/cespare/xxhash/v2"
	"github.com/valyala/fasthttp"
)

// An app that asks again and again is told with few bytes that nothing changed. The tag of an answer is a digest of its placements as
// they are written: two answers with one tag show the same. On the own call it is weak, since the answer also states its age; an SDK's
// answer is nothing but the placements, and its tag is strong.

// headerValidUntil says until when passing time cannot change the answer; absent for ever. The own answer has it in its body, but a 304
// has none.
const headerValidUntil = "Eligibility-Valid-Until"

// headerETag is ETag as fasthttp spells it.
const headerETag = "Etag"

// revalidate lets only the asking browser keep an answer, and not use it without asking whether it still holds: a change of the user can
// end it before its time.
const revalidate = "private, no-cache"

// tag is what an answer is known by and how long it holds.
type tag struct {
	text  weakTag
	until int64 // wall nanoseconds
	set   bool
}

// weakTag is W/"<16 hexadecimal digits>"; without its first two bytes it is strong.
type weakTag [tagBytes]byte

const (
	weakMark = "W/"
	tagBytes = len(weakMark) + 18
)

func newTag(placements []byte) (t weakTag) {
	copy(t[:], weakMark)
	at := len(weakMark)
	t[at], t[tagBytes-1] = '"', '"'
	sum := xxhash.Sum64(placements)
	for shift := 60; shift >= 0; shift -= 4 {
		at++
		t[at] = hexDigits[sum>>shift&15]
	}
	return t
}

// until is the end of the answer as it is written, empty for never. It is good until the next request.
func (st *state) until() []byte {
	if len(st.text) == 0 && st.tag.until != rules.Forever {
		st.text = time.Unix(0, st.tag.until).UTC().AppendFormat(st.text, time.RFC3339Nano)
	}
	return st.text
}

// has reports whether the asker has the answer with the tag already, weak or strong. A list of tags is looked through as it stands: a
// tag is in quotes, which no tag holds.
func (st *state) has(t *weakTag) bool {
	return len(st.known) > 0 && bytes.Contains(st.known, t[len(weakMark):])
}

// sendTag sets the header by which the asker may ask again.
func (st *state) sendTag(ctx *fasthttp.RequestCtx, weak bool) {
	if !st.tag.set {
		return
	}
	st.cacheControl = revalidate
	h := &ctx.Response.Header
	if weak {
		h.SetCanonical([]byte(headerETag), st.tag.text[:])
	} else {
		h.SetCanonical([]byte(headerETag), st.tag.text[len(weakMark):])
	}
	if until := st.until(); len(until) > 0 {
		h.SetCanonical([]byte(headerValidUntil), until)
	}
	if st.unchanged {
		ctx.SetStatusCode(fasthttp.StatusNotModified)
	}
}
