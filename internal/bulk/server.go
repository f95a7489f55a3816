package bulk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"eligibility/internal/problem"
)

// Server is the plane. Make it with New, Start it once, Stop it once.
type Server struct {
	cfg     Config
	deps    Deps
	http    *http.Server
	streams chan struct{} // a place in it is the right to stream
	lanes   chan piece    // to those who compute
	base    context.Context
	cancel  context.CancelFunc
	serving sync.WaitGroup
	counts  counters
}

type counters struct{ streams, refused, cut, users, eligible atomic.Uint64 }

// Stats is what the plane did.
type Stats struct {
	Open                                   int
	Streams, Refused, Cut, Users, Eligible uint64
}

// New makes a plane that does not listen yet.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Users == nil || deps.Rulesets == nil || deps.Keys == nil || deps.Clock == nil || deps.Logger == nil {
		return nil, errors.New("bulk: users, rulesets, keys, clock and logger are required")
	}
	s := &Server{cfg: cfg, deps: deps, streams: make(chan struct{}, cfg.Streams), lanes: make(chan piece)}
	s.base, s.cancel = context.WithCancel(context.Background())
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/precheck", s.precheck)
	if deps.Audiences != nil {
		s.routeAudiences(mux)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fault(w, r, problem.New("not_found", "there is nothing at this address"))
	})
	s.http = &http.Server{
		Handler: mux, ReadHeaderTimeout: cfg.IdleTimeout, IdleTimeout: cfg.IdleTimeout, MaxHeaderBytes: cfg.HeaderBytes,
		ErrorLog:    slog.NewLogLogger(deps.Logger.Handler(), slog.LevelDebug), // what clients do wrong on the wire
		BaseContext: func(net.Listener) context.Context { return s.base },
	}
	return s, nil
}

// Start serves on ln, which it then owns, until Stop.
func (s *Server) Start(ln net.Listener) {
	for range s.cfg.Lanes {
		s.serving.Go(s.lane)
	}
	s.serving.Go(func() {
		if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.deps.Logger.Error("bulk plane stopped accepting", "error", err)
		}
	})
}

var errStopped = errors.New("the bulk plane has stopped")

// Stop closes the listener and cuts the streams: a campaign may take hours, and its sender goes on with another replica from the line that was answered last.
func (s *Server) Stop(ctx context.Context) error {
	s.cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("stop bulk plane: %w", err), s.http.Close())
	}
	s.serving.Wait()
	return err
}

// Stats reads the counters.
func (s *Server) Stats() Stats {
	return Stats{
		Open: len(s.streams), Streams: s.counts.streams.Load(), Refused: s.counts.refused.Load(), Cut: s.counts.cut.Load(),
		Users: s.counts.users.Load(), Eligible: s.counts.eligible.Load(),
	}
}
