package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"

	"eligibility/internal/access"

	"github.com/valyala/fasthttp"
)

// Server is the decision plane. Make one with New, Start it once, Stop it once.
type Server struct {
	cfg     Config
	deps    Deps
	logger  *slog.Logger
	limiter *access.Limiter
	zones   zones
	emails  *emails
	ids     requestIDs
	http    *fasthttp.Server
	stats   Stats
	states  sync.Pool     // of *state
	lines   chan struct{} // a place in it is the right to have lines answered

	listener net.Listener // set by Start

	draining atomic.Bool
	base     context.Context // of everything that requests wait for; ends when Stop gives up on them
	cancel   context.CancelFunc
	serving  sync.WaitGroup
	streams  sync.WaitGroup // taken over from the server, which knows nothing of them any more
}

// New makes a plane that does not listen yet.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Users == nil || deps.Rulesets == nil || deps.Keys == nil || deps.Tokens == nil || deps.Writer == nil || deps.Profiles == nil ||
		deps.Hints == nil || deps.Streams == nil || deps.Tickets == nil || deps.Clock == nil || deps.Logger == nil {
		return nil, errors.New("server: every dependency is required")
	}
	s := &Server{
		cfg: cfg, deps: deps, logger: deps.Logger, limiter: access.NewLimiter(cfg.ClientRate), ids: newRequestIDs(), emails: newEmails(),
		lines: make(chan struct{}, maxLinesAtOnce),
	}
	s.base, s.cancel = context.WithCancel(context.Background())
	s.states.New = func() any { return &state{} }
	s.http = &fasthttp.Server{
		Handler: s.handle, ErrorHandler: s.refuse, HeaderReceived: s.limits, ExpectHandler: s.expect, Logger: quiet{deps.Logger},
		IdleTimeout:    cfg.IdleTimeout, // the others are the connections' own
		ReadBufferSize: cfg.HeaderBytes, MaxRequestBodySize: cfg.DecisionBodyBytes, Concurrency: cfg.Concurrency,
		NoDefaultServerHeader: true, DisablePreParseMultipartForm: true, SecureErrorLogMessage: true, CloseOnShutdown: true,
		KeepHijackedConns: true, // streams close theirs
		LazyRequestTime:   true, // a state knows when its request came
	}
	return s, nil
}

// Stats returns the live counters.
func (s *Server) Stats() *Stats { return &s.stats }

// Connections is the number of open connections.
func (s *Server) Connections() int { return int(s.http.GetOpenConnectionsCount()) }

// Start serves on ln, which it then owns, until Stop.
func (s *Server) Start(ln net.Listener) {
	s.listener = ln
	s.serving.Go(func() {
		if err := s.http.Serve(unhurried{ln, s.cfg.ReadTimeout, s.cfg.WriteTimeout}); err != nil && !errors.Is(err, net.ErrClosed) && !s.draining.Load() {
			s.logger.Error("decision plane stopped accepting", "error", err)
		}
	})
}

// Drain goes on serving but asks every client to open its next connection elsewhere.
func (s *Server) Drain() { s.draining.Store(true) }

// Stop closes the listener, lets requests that were begun end, and waits for that until ctx ends. Requests that are still waiting then
// are cancelled.
func (s *Server) Stop(ctx context.Context) error {
	s.Drain()
	err := s.http.ShutdownWithContext(ctx)
	s.cancel()
	if s.listener != nil {
		// A shutdown that comes before Serve has noted its listener does not close it, and Serve would go on for ever.
		if closeErr := s.listener.Close(); closeErr != nil && !errors.Is(closeErr, net.ErrClosed) {
			err = errors.Join(err, closeErr)
		}
	}
	s.serving.Wait()
	s.streams.Wait() // cancelled above
	if err != nil {
		return fmt.Errorf("stop decision plane: %w", err)
	}
	return nil
}

// quiet keeps what a stranger can provoke, broken requests and lost connections, out of the log of a healthy server.
type quiet struct{ logger *slog.Logger }

func (q quiet) Printf(format string, args ...any) {
	q.logger.Debug("connection fault", "detail", fmt.Sprintf(format, args...))
}
