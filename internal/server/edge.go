package server

import (
	"bytes"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"eligibility/internal/problem"

	"github.com/valyala/fasthttp"
)

const contentJSON = "application/json"

// handle is the one way in. It gives every request an id, keeps a panic from ending the process, and counts.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	st := s.acquire()
	st.requestID = s.identify(ctx, st.requestID[:0])
	defer s.finish(ctx, st)
	if p := s.dispatch(ctx, st); p != nil {
		s.fault(ctx, st, p)
	}
}

// finish runs when the handler returns or panics.
func (s *Server) finish(ctx *fasthttp.RequestCtx, st *state) {
	if cause := recover(); cause != nil {
		s.stats.panics.Add(1)
		s.logger.Error("request panicked", "route", st.route.String(), "request_id", string(st.requestID), "panic", cause,
			"stack", string(debug.Stack()))
		ctx.Response.ResetBody()
		s.fault(ctx, st, problem.New(problem.Internal, ""))
		route := st.route
		s.head(ctx, st)
		s.conclude(ctx, st, route)
		return // the state may be half written: the pool does not get it back
	}
	s.head(ctx, st)
	s.conclude(ctx, st, st.route)
	s.release(st)
}

// conclude counts an answer, and has its connection know that it is ready.
func (s *Server) conclude(ctx *fasthttp.RequestCtx, st *state, route Route) {
	now := time.Now()
	s.stats.observe(route, ctx.Response.StatusCode(), now.Sub(st.came))
	ready(ctx, now)
}

// ready says when an answer was.
func ready(ctx *fasthttp.RequestCtx, at time.Time) {
	if c, ok := ctx.Conn().(*unhurriedConn); ok {
		c.answered(at)
	}
}

// head sets what every answer carries.
func (s *Server) head(ctx *fasthttp.RequestCtx, st *state) {
	h := &ctx.Response.Header
	h.SetCanonical([]byte(headerRequestID), st.requestID) // our names are written as they go out
	h.SetCanonical([]byte("X-Content-Type-Options"), []byte("nosniff"))
	if st.cacheControl == "" {
		st.cacheControl = "no-store"
	}
	h.SetCanonical([]byte(fasthttp.HeaderCacheControl), []byte(st.cacheControl))
	st.appendSharing(ctx)
	if s.draining.Load() {
		ctx.SetConnectionClose()
	}
}

// dispatch finds the route, checks who asks, and lets the route answer.
func (s *Server) dispatch(ctx *fasthttp.RequestCtx, st *state) *problem.Problem {
	if !strictLines(ctx.Request.Header.RawHeaders()) {
		ctx.SetConnectionClose()
		return problem.New("bad_request", "header lines end with CR LF and are not folded")
	}
	path, query, p := split(ctx.Request.Header.RequestURI())
	if p != nil {
		ctx.SetConnectionClose()
		return p
	}
	methods := ""
	if st.call = findCall(path); st.call != nil {
		st.route, methods = st.call.route, st.call.methods
	} else if st.route = find(path); st.route != RouteNone {
		methods = st.route.allow()
	} else {
		return problem.New("not_found", "there is nothing at this address")
	}
	st.share(ctx)
	if !st.takes(ctx.Method()) {
		if st.sharing != shareNone && isPreflight(ctx) {
			s.preflight(ctx, methods)
			return nil
		}
		ctx.Response.Header.Set("Allow", methods)
		return problem.New("method_not_allowed", "use %s", methods)
	}
	if st.route == RouteStream {
		return s.openStream(ctx, st, query)
	}
	lines := st.route == RoutePrecheck && isLines(&ctx.Request.Header)
	if len(query) > 0 && st.call == nil && !lines {
		return problem.New("invalid_parameter", "this call takes no query parameters")
	}
	if p := s.authenticate(ctx, st); p != nil {
		return p
	}
	if ctx.IsPost() || ctx.IsPut() {
		if p := checkHead(&ctx.Request.Header, lines); p != nil {
			return p
		}
	}
	if st.call != nil {
		return s.sdk(ctx, st, path, query)
	}
	switch st.route {
	case RouteEligibility:
		return s.eligibility(ctx, st)
	case RouteEngagement:
		return s.engagement(ctx, st)
	case RoutePrecheck:
		if lines {
			return s.precheckLines(ctx, st, query)
		}
		return s.precheck(ctx, st)
	case RouteConfirm, RouteRelease:
		return s.settle(ctx, st)
	case RouteEvents:
		return s.putEvents(ctx, st)
	case RouteUsersBulk:
		return s.putUsers(ctx, st)
	case RouteUser:
		return s.user(ctx, st, path)
	case RouteStreamTokens:
		return s.streamToken(ctx, st)
	}
	return problem.New(problem.Internal, "")
}

// strictLines reports whether every header line ends with CR LF and none continues the one before. fasthttp is lenient
// about both; a proxy in front may read such a header otherwise than it does.
func strictLines(raw []byte) bool {
	for {
		i := bytes.IndexByte(raw, '\n')
		if i < 0 {
			return true
		}
		if i == 0 || raw[i-1] != '\r' || i+1 < len(raw) && (raw[i+1] == ' ' || raw[i+1] == '\t') {
			return false
		}
		raw = raw[i+1:]
	}
}

// checkHead refuses bodies that are not plain JSON, or lines of it, before anything looks at them.
func checkHead(h *fasthttp.RequestHeader, lines bool) *problem.Problem {
	if encoding := h.ContentEncoding(); len(encoding) > 0 && !bytes.EqualFold(encoding, []byte("identity")) {
		return problem.New("unsupported_encoding", "send the body uncompressed")
	}
	if !lines && !isMedia(h, contentJSON) {
		return problem.New("unsupported_media_type", "send Content-Type: application/json")
	}
	return nil
}

// isMedia reports whether the body is said to be of the type, whatever its parameters.
func isMedia(h *fasthttp.RequestHeader, want string) bool {
	media, _, _ := bytes.Cut(h.ContentType(), []byte(";"))
	return bytes.EqualFold(bytes.TrimSpace(media), []byte(want))
}

// fault answers with a problem.
func (s *Server) fault(ctx *fasthttp.RequestCtx, st *state, p *problem.Problem) {
	h := &ctx.Response.Header
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	if forSDK(ctx) {
		s.sdkFault(ctx, st, p)
		return
	}
	path, _, _ := bytes.Cut(ctx.Request.Header.RequestURI(), []byte("?"))
	if len(path) > maxInstance {
		path = path[:maxInstance]
	}
	status := p.Status()
	switch {
	case status != http.StatusUnauthorized:
	case p.Code == "missing_credential" || p.Code == "invalid_credential":
		h.Set("WWW-Authenticate", `ApiKey realm="eligibility"`)
	default:
		h.Set("WWW-Authenticate", `Bearer realm="eligibility"`)
	}
	ctx.SetStatusCode(status)
	ctx.SetContentType(problem.ContentType)
	ctx.SetBody(p.Body(string(bytes.ToValidUTF8(path, nil)), string(st.requestID)))
}

// maxInstance is how much of the path an error repeats.
const maxInstance = 64
