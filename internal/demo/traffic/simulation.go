package traffic

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Simulation runs the shoppers. Start it once; Stop waits until every request has ended.
type Simulation struct {
	cfg      Config
	client   *client
	latency  *latency
	explains *allowance
	failures *allowance // of log lines

	errors  atomic.Uint64
	changes atomic.Uint64
	version atomic.Uint64

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// Stats is what the shoppers have seen so far.
type Stats struct {
	Requests     uint64
	Errors       uint64 // requests that were not answered with a success
	Changes      uint64 // gained or lost promotions
	PerSecond    float64
	P50, P99     time.Duration // over the last seconds, as the client sees it
	RulesVersion uint64        // of the latest answer
}

// New makes a simulation that is not running yet.
func New(cfg Config) (*Simulation, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	l := newLatency(time.Now)
	return &Simulation{
		cfg: cfg, latency: l, client: newClient(&cfg, l), explains: newAllowance(200 * time.Millisecond),
		failures: newAllowance(5 * time.Second),
	}, nil
}

// Start sets the shoppers going until ctx ends or Stop is called.
func (s *Simulation) Start(ctx context.Context) {
	ctx, s.cancel = context.WithCancel(ctx)
	for i := range s.cfg.Workers {
		w := s.worker(i)
		s.done.Go(func() { w.run(ctx) })
	}
}

// Stop ends the shoppers' day. It may be called more than once, and before Start.
func (s *Simulation) Stop() {
	if s.cancel != nil {
		s.cancel()
	}
	s.done.Wait()
	s.client.close()
}

// Stats may be called at any time.
func (s *Simulation) Stats() Stats {
	speed := s.latency.read()
	return Stats{
		Requests: speed.total, Errors: s.errors.Load(), Changes: s.changes.Load(), PerSecond: speed.perSec, P50: speed.p50, P99: speed.p99,
		RulesVersion: s.version.Load(),
	}
}

// worker makes worker i with its share of the cast.
func (s *Simulation) worker(i int) *worker {
	rng := rand.New(rand.NewPCG(s.cfg.Seed, uint64(i)+1))
	w := &worker{sim: s, rng: rng, interval: time.Duration(float64(s.cfg.Workers) / s.cfg.Rate * float64(time.Second))}
	for j := i; j < len(s.cfg.Cast); j += s.cfg.Workers {
		member := &watched{Role: s.cfg.Cast[j], index: -1}
		member.Last = maps.Clone(member.Last) // what the caller gave stays the caller's
		if member.Last == nil {
			member.Last = make(map[string]time.Time)
		}
		w.cast = append(w.cast, member)
	}
	if s.cfg.Crowd > 1 {
		w.crowd = rand.NewZipf(rng, 1.1, 8, uint64(s.cfg.Crowd-1))
	}
	return w
}

// failed counts a request that went wrong and now and then says so.
func (s *Simulation) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // the simulation is being stopped
	}
	s.errors.Add(1)
	if !s.failures.take(time.Now()) {
		return
	}
	var r *refusal
	if errors.As(err, &r) {
		s.cfg.Logger.Warn("a shopper's request was refused", "path", r.path, "status", r.status, "code", r.code)
		return
	}
	s.cfg.Logger.Warn("a shopper's request failed", "error", err)
}

// allowance lets one through for each period. Safe for concurrent use.
type allowance struct {
	period time.Duration
	last   atomic.Int64
}

func newAllowance(period time.Duration) *allowance { return &allowance{period: period} }

func (a *allowance) take(now time.Time) bool {
	last, at := a.last.Load(), now.UnixNano()
	return at-last >= int64(a.period) && a.last.CompareAndSwap(last, at)
}
