package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// Server is the control plane. Make it with New, then either mount Handler or Start it on a listener of its own.
type Server struct {
	cfg    Config
	deps   Deps
	mux    *http.ServeMux
	routes map[string]*route // by mux pattern
	http   *http.Server
	keysMu sync.Mutex // one change of keys at a time: a key is read, changed and written back
	stats  counters
	done   chan struct{}
}

type counters struct {
	requests, clientErrors, serverErrors, panics atomic.Uint64
}

// Stats is what was answered since the start.
type Stats struct {
	Requests     uint64
	ClientErrors uint64 // 4xx
	ServerErrors uint64 // 5xx
	Panics       uint64
}

// New makes the control plane. The error says what of the configuration or the dependencies is at fault.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := errors.Join(cfg.Validate(), deps.validate()); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, deps: deps, mux: http.NewServeMux(), routes: make(map[string]*route)}
	s.register()
	s.http = &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: cfg.ReadHeaderTimeout, ReadTimeout: cfg.ReadTimeout, WriteTimeout: cfg.WriteTimeout,
		IdleTimeout: cfg.IdleTimeout, MaxHeaderBytes: cfg.HeaderBytes,
		ErrorLog: slog.NewLogLogger(deps.Logger.Handler(), slog.LevelDebug), // what clients do wrong on the wire
	}
	return s, nil
}

// Handler is the whole surface with everything around it.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// Start serves on ln in the background until Stop.
func (s *Server) Start(ln net.Listener) {
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.deps.Logger.Error("control plane ended", "error", err)
		}
	}()
}

// Stop closes the listener, lets running requests end until ctx does, and waits. It may be called more than once and without Start.
func (s *Server) Stop(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		if closeErr := s.http.Close(); closeErr != nil {
			err = errors.Join(err, closeErr)
		}
		err = fmt.Errorf("stop control plane: %w", err)
		s.wait()
		return err
	}
	s.wait()
	return nil
}

func (s *Server) wait() {
	if s.done != nil {
		<-s.done
	}
}

// Stats reads the counters.
func (s *Server) Stats() Stats {
	return Stats{
		Requests: s.stats.requests.Load(), ClientErrors: s.stats.clientErrors.Load(), ServerErrors: s.stats.serverErrors.Load(),
		Panics: s.stats.panics.Load(),
	}
}
