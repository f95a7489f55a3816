package cache

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/profile"
)

func TestTheLimitAdapts(t *testing.T) {
	began := time.Now()
	l := newLimit(16, 500*time.Millisecond)
	at := func(d time.Duration) time.Time { return began.Add(d) }
	if !l.allows(15) || l.allows(16) {
		t.Fatal("a store that nothing is known of gets all loads")
	}
	for range 16 { // together
		l.ended(at(time.Second), at(2*time.Second), true)
	}
	if got := int(l.now); got != 11 {
		t.Fatalf("after one round of failures %d loads, want 11", got)
	}
	for i := range time.Duration(20) {
		l.ended(at((3+i)*time.Second), at((4+i)*time.Second), false) // slow
	}
	if got := int(l.now); got != 1 || !l.allows(0) || l.allows(1) {
		t.Fatalf("after 20 rounds that were slow %d loads, want 1", got)
	}
	for range 200 {
		l.ended(at(time.Minute), at(time.Minute+time.Millisecond), false)
	}
	if got := int(l.now); got != 16 {
		t.Fatalf("after 200 good loads %d, want 16 again", got)
	}
}

// crowd is a store that counts how many loads it has at once.
type crowd struct {
	*world
	takes         time.Duration
	running, most atomic.Int64
}

func (s *crowd) Load(ctx context.Context, keys []profile.Key, dst []*profile.Snapshot) error {
	n := s.running.Add(1)
	defer s.running.Add(-1)
	for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
		continue
	}
	if !pause(ctx, s.takes) {
		return ctx.Err()
	}
	return s.world.Load(ctx, keys, dst)
}

// A gap makes every cached user invalid at once. The store sees no more loads than it is allowed, the readers who cannot be served in time
// are told so, and nobody waits for longer than he may.
func TestAGapDoesNotStampedeTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const keys = 3000
		cfg := small()
		cfg.CacheBytes, cfg.QueueMax, cfg.BatchMax = 64<<20, 2048, 8
		src := &crowd{world: newWorld(), takes: time.Millisecond}
		c := started(t, cfg, src)
		all := users(keys)
		read := func(takes time.Duration) (answered, refused int64) {
			src.takes = takes
			var good, overloaded atomic.Int64
			var group sync.WaitGroup
			for _, key := range all {
				group.Go(func() {
					began := time.Now()
					_, err := c.Get(context.Background(), key, &Demand{})
					switch {
					case err == nil:
						good.Add(1)
					case errors.Is(err, ErrOverloaded):
						overloaded.Add(1)
					default:
						t.Errorf("%v after %v", err, time.Since(began))
					}
					if took := time.Since(began); took > cfg.QueueWait+cfg.LoadTimeout {
						t.Errorf("waited %v", took)
					}
				})
			}
			group.Wait()
			return good.Load(), overloaded.Load()
		}
		for range 4 { // until all are in
			read(time.Millisecond)
		}
		c.Gap(src.now())
		c.Apply([]events.Change{}, src.now())
		pass(time.Millisecond)
		answered, refused := read(20 * time.Millisecond)
		if answered+refused != keys || answered < 1000 || refused == 0 {
			t.Errorf("%d answered and %d refused of %d, want most answered within a second and the rest refused", answered, refused, keys)
		}
		if most := src.most.Load(); most > int64(cfg.MaxLoads) {
			t.Errorf("%d loads at once, %d are allowed", most, cfg.MaxLoads)
		}
		src.takes = 0
		if s := c.Stats(); s.LoadLimit != cfg.MaxLoads || s.Waiting != 0 {
			t.Errorf("limit %d, waiting %d", s.LoadLimit, s.Waiting)
		}
	})
}

func TestFewerLoadsWhileTheStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := small()
		cfg.MaxLoads, cfg.BatchMax = 8, 1
		src := &crowd{world: newWorld(), takes: time.Hour}
		c := started(t, cfg, src)
		var group sync.WaitGroup
		for round := range 6 {
			for _, key := range users(16) {
				group.Go(func() {
					if _, err := c.Get(context.Background(), key, &Demand{}); err == nil {
						t.Errorf("round %d: answered by a store that hangs", round)
					}
				})
			}
			pass(1500 * time.Millisecond)
		}
		group.Wait()
		if got := c.Stats().LoadLimit; got > 2 {
			t.Errorf("%d loads at once after nine seconds without an answer, want 2 at most", got)
		}
		src.takes = time.Millisecond
		for range 40 {
			mustGet(t, c, user("ann"), Demand{NoStore: true})
			pass(time.Second + time.Millisecond)
		}
		if got := c.Stats().LoadLimit; got != cfg.MaxLoads {
			t.Errorf("%d loads at once after the store came back, want %d", got, cfg.MaxLoads)
		}
	})
}
