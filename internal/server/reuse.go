package server

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"

	"eligibility/internal/cache"
	"eligibility/internal/engine"
	"eligibility/internal/rules"
)

// MemoBytes is what the answers kept beside one cached snapshot may take: the cache's allowance must be set to it.
const MemoBytes = cache.MemoSlots * maxReusableBytes

const (
	maxReusableBytes = 512
	// minHorizon keeps out answers that end before they are likely to be asked for again.
	minHorizon = 100 * time.Millisecond
)

// reusable is an answer that was computed from one snapshot and everything that its reuse depends on besides the snapshot
// (law L5). It is immutable. Few answers in a row are for one user, so that what is written again has mostly left the processor's caches:
// the answer lies together in three pieces, and messages are reached by one step each.
type reusable struct {
	rs          *rules.Ruleset
	from, until int64 // wall nanoseconds: holds for a now in [from, until)
	// text is the class, and then for each placement: how many messages it shows, how long its id is, and the id as it is written.
	text       string
	fragments  []string // the messages of all placements, as they are written
	classBytes uint16
	form       form
	tag        weakTag // of the placements as they are written
}

// form is in whose words an answer is written.
type form uint8

const (
	formOwn form = iota
	formSDK
)

// appendClass appends what tells requests of one ruleset apart, time and user left out: the placements in their order, the
// limit and what the rules ask of the context.
func appendClass(dst []byte, rs *rules.Ruleset, req *engine.Request) []byte {
	dst = binary.AppendUvarint(dst, uint64(req.Limit))
	if req.Placements == nil {
		dst = append(dst, 0)
	} else {
		dst = binary.AppendUvarint(dst, uint64(len(req.Placements))+1)
	}
	for _, id := range req.Placements {
		dst = binary.AppendVarint(dst, int64(id))
	}
	return rs.AppendRequestClass(dst, req.Context)
}

// appendClass appends the class of a request whose answer is written in the form. No limit is written as the byte that leads those of SDKs.
func (f form) appendClass(dst []byte, rs *rules.Ruleset, req *engine.Request) []byte {
	const sdk = 0xff
	if f == formSDK {
		dst = append(dst, sdk)
	}
	return appendClass(dst, rs, req)
}

// class is that of the requests which the answer is for.
func (r *reusable) class() string { return r.text[:r.classBytes] }

// recall finds a kept answer that holds for the class at now.
func recall(memo *cache.Memo, rs *rules.Ruleset, class []byte, now int64) (*reusable, bool) {
	for i := range cache.MemoSlots {
		r, ok := memo.Load(i).(*reusable)
		if ok && r.rs == rs && now >= r.from && now < r.until && r.class() == string(class) {
			return r, true
		}
	}
	return nil, false
}

// remember keeps a decision made at now if there is a place for it: an empty one or one whose answer is over. What still
// holds is not pushed out, so that requests that never come twice cost one comparison each and no memory.
func remember(memo *cache.Memo, rs *rules.Ruleset, class []byte, now int64, d *engine.Decision, f form, t weakTag) {
	if d.ValidUntil-now < int64(minHorizon) {
		return
	}
	for i := range cache.MemoSlots {
		old, ok := memo.Load(i).(*reusable)
		if ok && old.rs == rs && now < old.until {
			continue
		}
		if r := newReusable(rs, class, now, d, f, t); r != nil {
			memo.Store(i, r)
		}
		return
	}
}

// newReusable copies what belongs to the request. It returns nil when the answer is larger than the allowance.
func newReusable(rs *rules.Ruleset, class []byte, now int64, d *engine.Decision, f form, t weakTag) *reusable {
	const (
		base         = 112 // the structure and what the allocator rounds up
		perPlacement = 16  // of the text
		perMessage   = 16
		most         = math.MaxUint8 // messages of a placement
	)
	messages := 0
	for i := range d.Placements {
		messages += len(d.Placements[i].Messages)
	}
	if base+len(class)+perPlacement*len(d.Placements)+perMessage*messages > maxReusableBytes || messages > most {
		return nil
	}
	r := &reusable{
		rs: rs, from: now, until: d.ValidUntil, fragments: make([]string, 0, messages), classBytes: uint16(len(class)), form: f, tag: t,
	}
	text := append(make([]byte, 0, 2*maxReusableBytes), class...)
	for i := range d.Placements {
		p := &d.Placements[i]
		at := len(text)
		text = strconv.AppendInt(append(text, byte(len(p.Messages)), 0), int64(p.ID), 10)
		text[at+1] = byte(len(text) - at - 2)
		for _, message := range p.Messages {
			r.fragments = append(r.fragments, f.fragment(message, p.ID))
		}
	}
	r.text = string(text)
	return r
}

// append appends the placements of the answer.
func (r *reusable) append(dst []byte) []byte {
	fragments := r.fragments
	for i, text := 0, r.text[r.classBytes:]; len(text) > 0; i++ {
		shown, id := int(text[0]), text[2:2+text[1]]
		text = text[2+len(id):]
		dst = append(appendPlacementOpening(dst, r.form, i), id...)
		dst = append(dst, r.form.list()...)
		for j, fragment := range fragments[:shown] {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, fragment...)
		}
		fragments = fragments[shown:]
		dst = append(dst, `]}`...)
	}
	return dst
}
