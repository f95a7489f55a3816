package server

import (
	"bytes"
	"errors"
	"math"
	"net"
	"net/netip"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/problem"

	"github.com/valyala/fasthttp"
)

const headerKey = "Api-Key"

// authenticate finds out who asks, whether the route is open to him, and whether he asks too often.
func (s *Server) authenticate(ctx *fasthttp.RequestCtx, st *state) *problem.Problem {
	key := ctx.Request.Header.Peek(headerKey)
	if len(key) == 0 {
		return problem.New("missing_credential", "send an API key in the header Api-Key")
	}
	entry, ok := s.deps.Keys.Lookup(key)
	if !ok {
		return problem.New("invalid_credential", "the API key is not known, or was revoked")
	}
	st.caller.entry = entry
	if !st.open(entry.Kind) {
		// An admin key here is in the wrong hands or place. A client key is public: anyone could fill the log with it.
		if entry.Kind == access.Admin {
			s.logger.Warn("admin key used on the decision plane", "project", entry.Project, "credential_id", entry.ID,
				"route", st.route.String())
		}
		return problem.New("forbidden", "a key of this kind may not make this call")
	}
	if entry.Suspended {
		return problem.New("key_suspended", "an administrator has suspended the key")
	}
	if entry.Kind != access.Client {
		return nil
	}
	if p := st.admit(ctx); p != nil {
		return p
	}
	st.caller.address = s.address(ctx)
	if wait, ok := s.limiter.Allow(entry.ID, st.caller.address, st.came); !ok {
		s.stats.limited.Add(1)
		p := problem.New("rate_limited", "too many requests with this key from this address")
		p.RetryAfter = int(math.Ceil(wait.Seconds()))
		return p
	}
	if !entry.RequireJWT || st.call != nil && st.call.bare {
		return nil
	}
	token, ok := bearer(ctx.Request.Header.Peek(fasthttp.HeaderAuthorization))
	if !ok {
		return problem.New("missing_token", "this key demands a user token: Authorization: Bearer <JWT>")
	}
	subject, err := s.deps.Tokens.Verify(entry, token, s.wallAt(st.came))
	if err != nil {
		st.tokenFault = err
		return tokenProblem(err)
	}
	st.caller.subject = subject
	return nil
}

// tokenProblem tells the texts of package access, which hold nothing of the token.
func tokenProblem(err error) *problem.Problem {
	code := "invalid_token"
	if errors.Is(err, access.ErrTokenExpired) {
		code = "expired_token"
	}
	return problem.New(code, err.Error())
}

// bearer takes the token out of an Authorization header.
func bearer(header []byte) ([]byte, bool) {
	const scheme = "bearer "
	if len(header) <= len(scheme) || !bytes.EqualFold(header[:len(scheme)], []byte(scheme)) {
		return nil, false
	}
	token := bytes.TrimLeft(header[len(scheme):], " ")
	return token, len(token) > 0
}

// wall is the database's clock, or ours before anything was heard of it.
func (s *Server) wall() time.Time { return s.wallAt(time.Now()) }

// wallAt is wall at a time.Now from a moment ago.
func (s *Server) wallAt(at time.Time) time.Time {
	if now := s.deps.Clock.At(at); !now.IsZero() {
		return now.Time()
	}
	return at
}

// address is where the request comes from: the peer, or what the outermost trusted proxy says of it.
func (s *Server) address(ctx *fasthttp.RequestCtx) netip.Addr {
	peer := netip.Addr{}
	if tcp, ok := ctx.RemoteAddr().(*net.TCPAddr); ok {
		peer = tcp.AddrPort().Addr().Unmap()
	}
	if len(s.cfg.TrustedProxies) == 0 || !s.trusted(peer) {
		return peer
	}
	// From the right: each proxy appends whom it heard from, and what stands left of the first untrusted address is hearsay.
	rest := bytes.Join(ctx.Request.Header.PeekAll(fasthttp.HeaderXForwardedFor), []byte(","))
	for len(rest) > 0 {
		last := rest
		if i := bytes.LastIndexByte(rest, ','); i >= 0 {
			last, rest = rest[i+1:], rest[:i]
		} else {
			rest = nil
		}
		addr, err := netip.ParseAddr(string(bytes.TrimSpace(last)))
		if err != nil {
			return peer
		}
		if peer = addr.Unmap(); !s.trusted(peer) {
			return peer
		}
	}
	return peer
}

func (s *Server) trusted(addr netip.Addr) bool {
	for _, prefix := range s.cfg.TrustedProxies {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}
