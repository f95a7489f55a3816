package ops

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"sync/atomic"
	"time"
)

// Server is the ops plane. Make it with New.
type Server struct {
	cfg   Config
	deps  Deps
	http  *http.Server
	ready *readiness
	pprof atomic.Bool // profiles are served
	done  chan struct{}
}

// New makes the ops plane. The error says what of the configuration, the checks or the collectors is at fault.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := validate(&cfg, &deps); err != nil {
		return nil, err
	}
	metrics, err := metricsHandler(&cfg, &deps)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, deps: deps, ready: newReadiness(&cfg, &deps)}
	s.pprof.Store(cfg.Pprof)
	s.http = &http.Server{
		Handler: s.routes(metrics), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 3 * time.Minute, // a profile is recorded while its answer is awaited
		IdleTimeout:  2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(deps.Logger.Handler(), slog.LevelDebug), // what clients do wrong on the wire
	}
	return s, nil
}

func (s *Server) routes(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "alive\n") })
	mux.HandleFunc("GET /readyz", s.ready.serve)
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /version", serveVersion)
	for path, handler := range map[string]http.HandlerFunc{
		"/debug/pprof/": pprof.Index, "/debug/pprof/cmdline": pprof.Cmdline, "/debug/pprof/profile": pprof.Profile,
		"/debug/pprof/symbol": pprof.Symbol, "/debug/pprof/trace": pprof.Trace,
	} {
		mux.HandleFunc("GET "+path, s.profiling(handler))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	})
}

// profiling hides profiles from listeners that others can reach: they tell much, and cost much.
func (s *Server) profiling(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.pprof.Load() {
			http.NotFound(w, r)
			return
		}
		next(w, r)
	}
}

// Handler is the whole surface.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Start serves on ln in the background until Stop. On a loopback listener profiles are served too.
func (s *Server) Start(ln net.Listener) {
	if loopback(ln.Addr()) {
		s.pprof.Store(true)
	}
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.deps.Logger.Error("ops plane ended", "error", err)
		}
	}()
}

// Stop closes the listener, lets running requests end until ctx does, and waits. It may be called more than once and without Start.
func (s *Server) Stop(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("stop ops plane: %w", errors.Join(err, s.http.Close()))
	}
	if s.done != nil {
		<-s.done
	}
	return err
}

func loopback(addr net.Addr) bool {
	parsed, err := netip.ParseAddrPort(addr.String())
	return err == nil && parsed.Addr().IsLoopback()
}

// plain answers with a line of text. A client that is gone needs no answer.
func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}
