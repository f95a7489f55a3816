package ops

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// readiness answers whether the replica should get traffic.
type readiness struct {
	cfg     *Config
	deps    *Deps
	started time.Time
	once    atomic.Bool // it was ready before
}

func newReadiness(cfg *Config, deps *Deps) *readiness {
	return &readiness{cfg: cfg, deps: deps, started: time.Now()}
}

// result is what one check said.
type result struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Gates bool   `json:"gates"` // its failing keeps the replica from being ready now
	Error string `json:"error,omitempty"`
	// Detail says more, also of what is well.
	Detail string `json:"detail,omitempty"`
}

// state is the whole answer.
type state struct {
	Ready    bool     `json:"ready"`
	Draining bool     `json:"draining"`
	Checks   []result `json:"checks"`
}

// look runs all checks at once, each within its time.
func (r *readiness) look(ctx context.Context) state {
	out := state{Ready: true, Draining: r.deps.Draining != nil && r.deps.Draining(), Checks: make([]result, len(r.deps.Checks))}
	var wait sync.WaitGroup
	for i := range r.deps.Checks {
		wait.Go(func() { out.Checks[i] = r.run(ctx, &r.deps.Checks[i]) })
	}
	wait.Wait()
	for _, c := range out.Checks {
		out.Ready = out.Ready && (c.OK || !c.Gates)
	}
	out.Ready = out.Ready && !out.Draining
	if out.Ready {
		r.once.Store(true)
	}
	return out
}

func (r *readiness) run(ctx context.Context, c *Check) (out result) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.CheckTimeout)
	defer cancel()
	out = result{Name: c.Name, OK: true, Gates: r.gates(c.Gate)}
	defer func() {
		if fault := recover(); fault != nil { // a broken check must not make the replica look dead
			out.OK, out.Error = false, fmt.Sprintf("the check panicked: %v", fault)
		}
	}()
	if c.Detail != nil {
		out.Detail = c.Detail()
	}
	if err := c.Run(ctx); err != nil {
		out.OK, out.Error = false, err.Error()
	}
	return out
}

func (r *readiness) gates(g Gate) bool {
	switch g {
	case Always:
		return true
	case FirstOnly:
		return !r.once.Load() && time.Since(r.started) < r.cfg.FeedPatience
	default:
		return false
	}
}

// serve answers 200 or 503; with ?verbose it says what every check found.
func (r *readiness) serve(w http.ResponseWriter, request *http.Request) {
	found := r.look(request.Context())
	status, text := http.StatusOK, "ready\n"
	if !found.Ready {
		status, text = http.StatusServiceUnavailable, "not ready\n"
	}
	if !request.URL.Query().Has("verbose") {
		plain(w, status, text)
		return
	}
	body, err := json.MarshalIndent(found, "", "  ")
	if err != nil { // it is made of strings and truth values
		plain(w, http.StatusInternalServerError, "not ready\n")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that is gone needs no answer
}
