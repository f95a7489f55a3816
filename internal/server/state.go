package server

import (
	"crypto/rand"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/cache"
	"eligibility/internal/engine"
	"eligibility/internal/rules"
	"eligibility/internal/server/ask"

	"github.com/valyala/fasthttp"
)

// state is the memory of one request, pooled. Nothing in it outlives the request but its capacity.
type state struct {
	came      time.Time // when the request had been read
	at        time.Time // the one instant by which it is judged: when it came, or when it had last waited for the store
	route     Route
	caller    caller
	requestID []byte

	call       *sdkCall // of the SDK-compatible surface, nil elsewhere
	tokenFault error    // why the user token was refused
	params     []byte   // JSON that explains an error to an SDK

	sharing      sharing
	cacheControl string // of the answer; "" is not to be stored

	asked    ask.Request
	sync     ask.Sync
	demand   cache.Demand
	request  engine.Request
	context  []rules.ContextValue
	class    []byte // of the request, for reuse
	watched  []byte // the question that a push hook watches
	decision engine.Decision
	out      []byte

	known     []byte // If-None-Match as it was sent; a view of the request
	tag       tag
	unchanged bool   // the asker has the answer already
	text      []byte // of the tag's end, once it was written
}

// open reports whether a key of the kind may make the call.
func (st *state) open(kind access.Kind) bool {
	if st.call != nil {
		return st.call.open(kind)
	}
	return st.route.open(kind)
}

// takes reports whether the call knows the method. Methods are case-sensitive.
func (st *state) takes(method []byte) bool {
	if st.call != nil {
		return st.call.takes(method)
	}
	return st.route.takes(method)
}

// send makes st.out the body of the answer without copying it: the answer's buffer takes its place.
func (st *state) send(ctx *fasthttp.RequestCtx) { st.out = ctx.Response.SwapBody(st.out)[:0] }

// caller is who asks.
type caller struct {
	entry   *access.Entry
	address netip.Addr
	subject access.Subject // whom the user token names; zero when the key demands none
}

// project is the only source of a project in this package (law L7).
func (c *caller) project() string { return c.entry.Project }

// maxPooledBytes is the largest answer buffer that goes back into the pool.
const maxPooledBytes = 64 << 10

func (s *Server) acquire() *state {
	st := s.states.Get().(*state)
	st.came = time.Now()
	st.at = st.came
	return st
}

// waited is called when the request has waited for the store.
func (st *state) waited() { st.at = time.Now() }

// release drops what refers to the request or its user: the pool must neither keep a profile in memory nor show one request to the next.
func (s *Server) release(st *state) {
	st.route, st.caller, st.requestID = RouteNone, caller{}, st.requestID[:0]
	st.call, st.tokenFault, st.params, st.sharing, st.cacheControl = nil, nil, nil, shareNone, ""
	st.known, st.tag, st.unchanged, st.text = nil, tag{}, false, st.text[:0]
	st.sync.Reset()
	st.asked.Reset()
	clear(st.context)
	st.context = st.context[:0]
	st.demand = cache.Demand{}
	st.request = engine.Request{}
	if st.out = st.out[:0]; cap(st.out) > maxPooledBytes {
		st.out = nil
	}
	s.states.Put(st)
}

// requestIDs makes ids that are unique over replicas and restarts and cost no system call.
type requestIDs struct {
	prefix string
	next   *atomic.Uint64
}

func newRequestIDs() requestIDs {
	const prefixChars = 10
	return requestIDs{prefix: strings.ToLower(rand.Text()[:prefixChars]) + "-", next: new(atomic.Uint64)}
}

func (r requestIDs) append(dst []byte) []byte {
	dst = append(dst, r.prefix...)
	return strconv.AppendUint(dst, r.next.Add(1), 36)
}

const (
	headerRequestID = "X-Request-Id"
	maxRequestID    = 64
)

// identify takes over the caller's request id when it is one that can be shown and logged as it is, and makes one otherwise.
func (s *Server) identify(ctx *fasthttp.RequestCtx, dst []byte) []byte {
	given := ctx.Request.Header.Peek(headerRequestID)
	if len(given) == 0 || len(given) > maxRequestID {
		return s.ids.append(dst)
	}
	for _, c := range given {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' && c != '.' {
			return s.ids.append(dst)
		}
	}
	return append(dst, given...)
}
