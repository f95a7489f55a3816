package server

import (
	"eligibility/internal/access"
	"eligibility/internal/problem"

	"github.com/valyala/fasthttp"
)

// Web pages of other origins may make the calls that client keys are for. No answer depends on cookies, so that any origin may read what
// a key that names none may ask for.

// sharing is with which origin an answer is shared.
type sharing uint8

const (
	shareNone sharing = iota
	shareAny
	shareOne // the asking one
)

// preflightAge is for how long a browser may remember a preflight, in seconds. Browsers cut it to what they like; Chromium to this.
const preflightAge = "7200"

// share decides about the origin before the key is known: faults of the key itself must be readable too.
func (st *state) share(ctx *fasthttp.RequestCtx) {
	if len(ctx.Request.Header.Peek(fasthttp.HeaderOrigin)) > 0 && st.open(access.Client) {
		st.sharing = shareAny
	}
}

// admit holds the origin of a web page against those of the key.
func (st *state) admit(ctx *fasthttp.RequestCtx) *problem.Problem {
	if st.sharing == shareNone || len(st.caller.entry.Origins) == 0 {
		return nil
	}
	if !st.caller.entry.AllowsOrigin(ctx.Request.Header.Peek(fasthttp.HeaderOrigin)) {
		st.sharing = shareNone
		return problem.New("forbidden_origin", "the key is for the web pages of other origins")
	}
	st.sharing = shareOne
	return nil
}

// appendSharing sets the header of an answer that the asking page may read.
func (st *state) appendSharing(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	if st.open(access.Client) {
		h.SetCanonical([]byte(fasthttp.HeaderVary), []byte("Api-Key, Authorization, Origin"))
	}
	switch st.sharing {
	case shareNone:
		return
	case shareAny:
		h.Set(fasthttp.HeaderAccessControlAllowOrigin, "*")
	case shareOne:
		h.SetBytesV(fasthttp.HeaderAccessControlAllowOrigin, ctx.Request.Header.Peek(fasthttp.HeaderOrigin))
	}
	h.Set(fasthttp.HeaderAccessControlExposeHeaders, "ETag, Retry-After, X-Request-Id, "+headerValidUntil)
}

// sharingLines is the same as lines of a header that is written by hand.
func (st *state) sharingLines(ctx *fasthttp.RequestCtx) string {
	switch st.sharing {
	case shareAny:
		return fasthttp.HeaderAccessControlAllowOrigin + ": *\r\n"
	case shareOne: // one of the key's own, which were checked when they were given
		return fasthttp.HeaderAccessControlAllowOrigin + ": " + string(ctx.Request.Header.Peek(fasthttp.HeaderOrigin)) +
			"\r\n" + fasthttp.HeaderVary + ": Origin\r\n"
	}
	return ""
}

// preflight answers what a browser asks before it makes a call for a page of another origin. It carries no key, so that it is answered
// for all.
func (s *Server) preflight(ctx *fasthttp.RequestCtx, methods string) {
	h := &ctx.Response.Header
	h.Set(fasthttp.HeaderAccessControlAllowMethods, methods)
	h.Set(fasthttp.HeaderAccessControlAllowHeaders, "Api-Key, Authorization, Content-Type, If-None-Match, Last-Event-ID, X-Request-Id, "+
		"SDK-Platform, SDK-Version, Sent-At, SDK-Request-Processor")
	h.Set(fasthttp.HeaderAccessControlMaxAge, preflightAge)
	ctx.SetStatusCode(fasthttp.StatusNoContent)
}

// isPreflight reports whether a browser asks for a page.
func isPreflight(ctx *fasthttp.RequestCtx) bool {
	h := &ctx.Request.Header
	return ctx.IsOptions() && len(h.Peek(fasthttp.HeaderOrigin)) > 0 && len(h.Peek(fasthttp.HeaderAccessControlRequestMethod)) > 0
}
