package admin

import (
	"context"
	"crypto/rand"
	"net/http"
	"path"
	"runtime/debug"
	"strconv"
	"strings"

	"eligibility/internal/problem"
	"eligibility/internal/rules"
)

const (
	headerRequestID = "X-Request-Id"
	maxRequestID    = 128
)

// call is one request on its way through.
type call struct {
	*http.Request
	id      string
	project string // of the path, checked against the credential; "" for calls above projects
	caller  caller
	once    *rules.Once // nil: the caller sent no idempotency key
}

// answer is a success: a status, a JSON body (nil sends none) and an ETag (0 sends none).
type answer struct {
	status     int
	body       any
	generation uint64
}

func ok(body any) (answer, error) { return answer{status: http.StatusOK, body: body}, nil }

// writer notes whether an answer was begun, so that a panic behind it does not append a second one.
type writer struct {
	http.ResponseWriter
	status int
}

func (w *writer) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// serve is the outermost handler.
func (s *Server) serve(out http.ResponseWriter, r *http.Request) {
	w := &writer{ResponseWriter: out}
	c := &call{Request: r, id: requestID(r)}
	harden(w.Header())
	w.Header().Set(headerRequestID, c.id)
	defer func() {
		if fault := recover(); fault != nil {
			s.stats.panics.Add(1)
			s.deps.Logger.Error("control plane panicked", "request_id", c.id, "method", r.Method, "panic", fault, "stack", string(debug.Stack()))
			if w.status == 0 {
				s.refuse(w, c, problem.New(problem.Internal, ""))
			}
		}
		s.count(w.status)
	}()
	s.dispatch(w, c)
}

// dispatch finds the route and hands on. Paths that a router might read in two ways are refused before it sees them.
func (s *Server) dispatch(w *writer, c *call) {
	if c.URL.IsAbs() || c.URL.Path != path.Clean(c.URL.Path) || strings.ContainsAny(c.URL.Path, "\\\x00") {
		s.refuse(w, c, problem.New("not_found", ""))
		return
	}
	handler, pattern := s.mux.Handler(c.Request)
	if s.routes[pattern] == nil {
		s.unrouted(w, c, handler)
		return
	}
	s.mux.ServeHTTP(w, c.Request.WithContext(context.WithValue(c.Context(), callKey{}, c)))
}

// callKey is how the call reaches its route through the router.
type callKey struct{}

// unrouted answers 404 or 405 as the router would, in this plane's form.
func (s *Server) unrouted(w *writer, c *call, fallback http.Handler) {
	probe := &probe{header: make(http.Header)}
	fallback.ServeHTTP(probe, c.Request)
	if probe.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", probe.header.Get("Allow"))
		s.refuse(w, c, problem.New("method_not_allowed", "use %s", probe.header.Get("Allow")))
		return
	}
	s.refuse(w, c, problem.New("not_found", ""))
}

// probe takes in what the router's own fallback answers.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }
func (p *probe) WriteHeader(status int)      { p.status = status }

// harden sets what keeps a browser from making anything else of an answer than data.
func harden(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

// requestID takes over a caller's id when it is harmless to log and echo, and makes one otherwise.
func requestID(r *http.Request) string {
	id := r.Header.Get(headerRequestID)
	if len(id) == 0 || len(id) > maxRequestID {
		return rand.Text()
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.:", rune(c)) {
			return rand.Text()
		}
	}
	return id
}

// refuse answers a problem.
func (s *Server) refuse(w http.ResponseWriter, c *call, p *problem.Problem) {
	h := w.Header()
	h.Set("Content-Type", problem.ContentType)
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	if p.Status() == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `ApiKey realm="eligibility"`)
	}
	w.WriteHeader(p.Status())
	s.write(w, c, p.Body(instance(c.URL.Path), c.id))
}

// instance is the path as it may be repeated to the caller.
func instance(path string) string {
	const most = 256
	if len(path) > most {
		path = path[:most]
	}
	return strings.ToValidUTF8(path, "")
}

func (s *Server) write(w http.ResponseWriter, c *call, body []byte) {
	if _, err := w.Write(body); err != nil { // the caller is gone; nobody has to act
		s.deps.Logger.Debug("control plane answer not sent", "request_id", c.id, "error", err)
	}
}

func (s *Server) count(status int) {
	s.stats.requests.Add(1)
	switch {
	case status >= 500:
		s.stats.serverErrors.Add(1)
	case status >= 400:
		s.stats.clientErrors.Add(1)
	}
}
