package server

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/problem"

	"github.com/valyala/fasthttp"
)

// limits chooses how much of a request is read, as soon as its header is known.
func (s *Server) limits(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	path, _, _ := bytes.Cut(h.RequestURI(), []byte("?"))
	if call := findCall(path); !find(path).bulk() && (call == nil || !call.list) {
		return fasthttp.RequestConfig{MaxRequestBodySize: s.cfg.DecisionBodyBytes}
	}
	// Only who is known may fill so much memory, and hold a connection open for longer.
	if e, ok := s.deps.Keys.Lookup(h.Peek(headerKey)); !ok || e.Kind != access.Server {
		return fasthttp.RequestConfig{MaxRequestBodySize: s.cfg.DecisionBodyBytes}
	}
	return fasthttp.RequestConfig{MaxRequestBodySize: s.cfg.BulkBodyBytes, ReadTimeout: s.cfg.BulkReadTimeout}
}

// expect answers Expect: 100-continue: a body that would be refused for its length is not asked for.
func (s *Server) expect(ctx *fasthttp.RequestCtx) int {
	ready(ctx, time.Now())
	if ctx.Request.Header.ContentLength() > s.limits(&ctx.Request.Header).MaxRequestBodySize {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusContinue
}

// refuse answers what fasthttp could not read as a request. The connection is closed after it: where the next request
// would begin is not known.
func (s *Server) refuse(ctx *fasthttp.RequestCtx, err error) {
	st := &state{requestID: s.ids.append(nil)}
	var small *fasthttp.ErrSmallBuffer
	var timeout net.Error
	p := problem.New("bad_request", "the request is not valid HTTP/1.1")
	switch {
	case errors.As(err, &small):
		p = problem.New("header_too_large", "the request line and header may take %d bytes", s.cfg.HeaderBytes)
		linger(ctx.Conn())
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		p = problem.New("body_too_large", "a body here may take %d bytes", s.limits(&ctx.Request.Header).MaxRequestBodySize)
		linger(ctx.Conn())
	case errors.As(err, &timeout) && timeout.Timeout():
		p = problem.New("request_timeout", "the request must arrive within %v", s.cfg.ReadTimeout)
	}
	ctx.Response.Reset()
	s.fault(ctx, st, p)
	s.head(ctx, st)
	ctx.SetConnectionClose()
	s.stats.observe(RouteNone, ctx.Response.StatusCode(), 0)
	ready(ctx, time.Now())
}

// Bounds of linger.
const (
	lingerIdle  = 100 * time.Millisecond
	lingerTotal = 2 * time.Second
)

// linger reads on what a client is still sending of a header or body that was refused. Closing at once would reset the connection,
// and the client would lose the answer that tells it why.
func linger(c net.Conn) {
	buffer := make([]byte, 16<<10)
	for end := time.Now().Add(lingerTotal); time.Now().Before(end); {
		if c.SetReadDeadline(time.Now().Add(lingerIdle)) != nil {
			return
		}
		if _, err := c.Read(buffer); err != nil {
			return
		}
	}
}
