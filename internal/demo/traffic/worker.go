package traffic

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"eligibility/internal/demo/shop"
)

// worker plays its share of the cast, one request after the other. Everything it holds is its own.
type worker struct {
	sim      *Simulation
	rng      *rand.Rand
	interval time.Duration // between two actions
	cast     []*watched
	crowd    *rand.Zipf
	agenda   agenda
}

const (
	askShare = 0.97                   // of the actions: somebody of the crowd only asks; the rest is somebody of the cast doing something
	pause    = 500 * time.Millisecond // after a failure
	passed   = "time passed"          // why something changed without anybody doing anything
)

func (w *worker) run(ctx context.Context) {
	for _, member := range w.cast { // first of all, learn how everybody stands
		if w.sleep(ctx, w.interval) != nil {
			return
		}
		w.review(ctx, member, "")
	}
	next := time.Now()
	for {
		next = next.Add(w.interval)
		if now := time.Now(); next.Before(now.Add(-time.Second)) {
			next = now // what could not be done in time is not made up for
		}
		if !w.punctual(ctx, next) || w.sleep(ctx, time.Until(next)) != nil {
			return
		}
		if w.crowd == nil || w.rng.Float64() >= askShare {
			w.act(ctx, w.cast[w.rng.IntN(len(w.cast))])
			continue
		}
		q := question{UserID: shop.UserID(int(w.crowd.Uint64())), Placements: []int32{shop.HomeBanner, shop.ProductCard}}
		if _, err := w.sim.client.ask(ctx, &q); err != nil {
			w.sorry(ctx, err)
		}
	}
}

// punctual reviews, until the instant until, every shopper whose time has come, at that time. It is false when ctx has ended.
func (w *worker) punctual(ctx context.Context, until time.Time) bool {
	for {
		due := w.agenda.next()
		if due == nil || due.due.After(until) {
			return ctx.Err() == nil
		}
		if w.sleep(ctx, time.Until(due.due)) != nil {
			return false
		}
		w.review(ctx, due, passed)
	}
}

// review asks for everything that m is shown and tells what changed, because of why.
func (w *worker) review(ctx context.Context, m *watched, why string) { w.reviewAt(ctx, m, why, "") }

// reviewAt is review with an answer that sees the write of asOf.
func (w *worker) reviewAt(ctx context.Context, m *watched, why, asOf string) {
	q := question{UserID: m.UserID, MinAsOf: asOf, Context: &circumstance{Platform: m.Platform, AppVersion: m.AppVersion, CartTotal: &m.cart}}
	now := time.Now()
	a, err := w.sim.client.ask(ctx, &q)
	if err != nil {
		m.due = now.Add(patience)
		w.agenda.settle(m)
		w.sorry(ctx, err)
		return
	}
	w.sim.version.Store(a.RulesVersion)
	gained, lost := m.compare(a, now)
	w.agenda.settle(m)
	for _, s := range gained {
		w.tell(m, s, true, w.because(m, s, why))
	}
	if len(lost) == 0 {
		return
	}
	reasons := w.reasons(ctx, q)
	for _, s := range lost {
		reason := reasons[s]
		if reason == "" {
			reason = w.because(m, s, why)
		}
		w.tell(m, s, false, reason)
	}
}

// because tells more about a change that passing time has made: how long ago the shopper did what the promotion's rule looks at first.
func (w *worker) because(m *watched, s shown, why string) string {
	if why != passed {
		return why
	}
	for _, event := range w.sim.cfg.Known[s.promotion].Reads {
		if at, ok := m.Last[event]; ok {
			return fmt.Sprintf("%s after %s, %s", time.Since(at).Round(time.Second), event, passed)
		}
	}
	return why
}

// reasons asks why promotions are not shown; it is asked rarely, so the map may be empty.
func (w *worker) reasons(ctx context.Context, q question) map[shown]string {
	if !w.sim.explains.take(time.Now()) {
		return nil
	}
	q.Explain = true
	a, err := w.sim.client.ask(ctx, &q)
	if err != nil {
		w.sorry(ctx, err)
		return nil
	}
	reasons := make(map[shown]string, len(a.Rejected))
	for _, r := range a.Rejected {
		reason := r.Reason
		if r.Detail != "" {
			reason += ": " + r.Detail
		}
		reasons[shown{r.Placement, r.Promotion}] = reason
	}
	return reasons
}

func (w *worker) tell(m *watched, s shown, gained bool, why string) {
	w.sim.changes.Add(1)
	name := w.sim.cfg.Known[s.promotion].Name
	if name == "" {
		name = s.promotion
	}
	w.sim.cfg.Notice(Notice{At: time.Now(), User: m.Name, Still: m.Still, Gained: gained, Promotion: name, Placement: s.placement, Why: why})
}

// sorry notes a failure and does not hurry with the next request.
func (w *worker) sorry(ctx context.Context, err error) {
	w.sim.failed(ctx, err)
	_ = w.sleep(ctx, pause) // an ended context is seen by the caller's loop
}

// sleep waits for d, or returns the context's error.
func (w *worker) sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
