package sim

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"eligibility/internal/cache"
	"eligibility/internal/hlc"
)

// noticed is within what a feed without progress must be told to be lagging, whatever the bound is.
const noticed = 3 * time.Second

// calm is a history in which nothing fails, at a point where every replica is live.
func calm(t *testing.T, o *Options, test func(h *history)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &history{
			options: o, rng: rand.New(rand.NewPCG(1, 0)), logger: slog.New(slog.DiscardHandler),
			plan: plan{replicas: 2, users: 3, slots: apartSlots, queue: 8, manner: faithful},
		}
		h.users = users(h.plan.users)
		if err := h.begin(); err != nil {
			t.Fatal(err)
		}
		defer h.end()
		h.gates.throwOpen()
		h.flow(2 * time.Second)
		for _, r := range h.replicas {
			if s := r.cache.State(); s.Phase != cache.Live {
				t.Fatalf("%s is %v to begin with: %+v", r.name, s.Phase, s)
			}
		}
		test(h)
		if len(h.wrong) > 0 {
			t.Error(h.wrong[0])
		}
	})
}

// flow lets the bus carry what there is for a while.
func (h *history) flow(d time.Duration) {
	for end := h.w.elapsed() + d; h.w.elapsed() < end; {
		h.pass(50 * time.Millisecond)
		h.drain()
	}
}

// until lets time pass until every replica is in the phase, and returns how long that took.
func (h *history) until(t *testing.T, phase cache.Phase, step func(time.Duration)) time.Duration {
	t.Helper()
	began := h.w.elapsed()
	for _, r := range h.replicas {
		for r.cache.State().Phase != phase {
			if step(50 * time.Millisecond); h.w.elapsed()-began > time.Minute {
				t.Fatalf("%s never is %v: %+v", r.name, phase, r.cache.State())
			}
		}
	}
	return h.w.elapsed() - began
}

// The real relay, follower and cache: a watermark that stands still is noticed within 3 s, however far or near the bound is, by silence as well as by a feed
// that goes on to speak without getting anywhere. When the fault ends all is as before: live within 3 s, and read from memory.
func TestAFeedWithoutProgressIsNoticedAndFoundAgain(t *testing.T) {
	for _, fault := range []struct {
		name        string
		bring, mend func(h *history)
		step        func(h *history, d time.Duration)
	}{
		{"the bus is silent", func(*history) {}, func(*history) {}, func(h *history, d time.Duration) { h.pass(d) }},
		{
			"the feed resolves nothing more",
			func(h *history) { h.w.with(func() { h.w.stuck = h.w.now() }) },
			func(h *history) { h.w.with(func() { h.w.stuck = hlc.Timestamp{} }) },
			(*history).flow,
		},
	} {
		for _, bound := range []time.Duration{time.Second, 5 * time.Second, 15 * time.Second} {
			t.Run(fault.name+", bound "+bound.String(), func(t *testing.T) {
				o := options(t)
				o.bound = bound
				calm(t, o, func(h *history) {
					step := func(d time.Duration) { fault.step(h, d) }
					fault.bring(h)
					took := h.until(t, cache.Lagging, step)
					state := h.replicas[0].cache.State()
					if took > noticed {
						t.Errorf("noticed after %v, want %v at most", took, noticed)
					}
					if bound > noticed && state.Lag > bound {
						t.Errorf("a lag of %v lies beyond the bound %v: it was not the standing still that was noticed", state.Lag, bound)
					}
					gone := h.until(t, cache.Detached, step)
					fault.mend(h)
					back := h.until(t, cache.Live, h.flow)
					if back > 3*time.Second {
						t.Errorf("live again after %v, want 3 s at most", back)
					}
					h.fromMemory(t)
					t.Logf("lagging after %v, detached %v later, live %v after the end", took, gone, back)
				})
			})
		}
	}
}

// fromMemory fails unless every replica reads every user right, and from memory the second time.
func (h *history) fromMemory(t *testing.T) {
	t.Helper()
	for _, r := range h.replicas {
		for _, key := range h.users {
			for second := range 2 {
				q := h.question(r, key, cache.Demand{})
				read, err := r.cache.Get(context.Background(), key, &q.demand)
				if err != nil || read.Degraded || second == 1 && !read.Hit {
					t.Fatalf("%s reads %s: %v, degraded %v, from memory %v", r.name, key.User, err, read.Degraded, read.Hit)
				}
				h.check(&q, &read, nil)
			}
		}
	}
}

// A feed that comes and goes, or says a word every three seconds, is told once to be lost and once to be found.
func TestAFeedThatComesAndGoesDoesNotFlicker(t *testing.T) {
	o := options(t)
	o.bound = 5 * time.Second
	calm(t, o, func(h *history) {
		before := h.replicas[0].cache.Stats().Phases
		for range 8 {
			h.pass(3 * time.Second)
			h.drain()
		}
		h.until(t, cache.Live, h.flow)
		after := h.replicas[0].cache.Stats().Phases
		if after[cache.Lagging]-before[cache.Lagging] != 1 || after[cache.Live]-before[cache.Live] != 1 {
			t.Errorf("phases came to %v, were at %v: want one loss and one return", after, before)
		}
		h.fromMemory(t)
	})
}
