package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"eligibility/internal/profile"
)

// result is what a Get in the background came back with.
type result struct {
	read Read
	err  error
}

// get reads in the background, inside a bubble.
func get(ctx context.Context, c *Cache, key profile.Key, d Demand) <-chan result {
	out := make(chan result, 1)
	go func() {
		r, err := c.Get(ctx, key, &d)
		out <- result{r, err}
	}()
	synctest.Wait()
	return out
}

// finish lets running load i read and come back.
func (w *world) finishLoad(i int, err error) {
	w.letRead(i)
	synctest.Wait()
	w.takeRunning(i).finish <- err
	synctest.Wait()
}

func TestAThousandReadersOfAColdKeyShareOneLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.manual = true
		c := started(t, small(), w)
		var group sync.WaitGroup
		var mu sync.Mutex
		got := make(map[*profile.Snapshot]int)
		for range 1000 {
			group.Go(func() {
				r, err := c.Get(t.Context(), user("ann"), &Demand{})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				got[r.Snapshot]++
			})
		}
		synctest.Wait()
		w.finishLoad(0, nil)
		group.Wait()
		if len(w.loads) != 1 || len(got) != 1 {
			t.Fatalf("%d loads gave %d snapshots, want 1 and 1", len(w.loads), len(got))
		}
		if s := c.Stats(); s.Coalesced != 999 || s.Batches != 1 || s.Loads != 1 {
			t.Fatalf("stats %+v, want 999 coalesced", s)
		}
	})
}

func TestKeysThatWaitAreReadTogether(t *testing.T) {
	cases := []struct {
		name   string
		window time.Duration
		max    int
		keys   int
		want   []int // sizes of the loads
	}{
		{name: "what waits behind a busy loader", max: 64, keys: 10, want: []int{1, 9}},
		{name: "at most so many", max: 4, keys: 10, want: []int{1, 4, 4, 1}},
		{name: "within the window", window: 5 * time.Millisecond, max: 64, keys: 10, want: []int{10}},
		{name: "a full batch does not wait for the window", window: time.Hour, max: 5, keys: 5, want: []int{5}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.manual = true
				cfg := small()
				cfg.MaxLoads, cfg.BatchMax, cfg.BatchWindow = 1, tc.max, tc.window
				c := started(t, cfg, w)
				var results []<-chan result
				for i := range tc.keys {
					results = append(results, get(t.Context(), c, user(fmt.Sprint(i)), Demand{}))
				}
				if tc.window < time.Second {
					pass(tc.window)
				}
				for range tc.want {
					w.finishLoad(0, nil)
				}
				var sizes []int
				for _, keys := range w.loads {
					sizes = append(sizes, len(keys))
				}
				if fmt.Sprint(sizes) != fmt.Sprint(tc.want) {
					t.Fatalf("loads of %v keys, want %v", sizes, tc.want)
				}
				for i, r := range results {
					if got := <-r; got.err != nil || got.read.Snapshot.Key != user(fmt.Sprint(i)) {
						t.Fatalf("reader %d got %+v", i, got)
					}
				}
			})
		})
	}
}

func TestAFullQueueRefusesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.manual = true
		cfg := small()
		cfg.MaxLoads, cfg.QueueMax = 1, 2
		c := started(t, cfg, w)
		var waiting []<-chan result
		for _, id := range []string{"loading", "queued1", "queued2"} {
			waiting = append(waiting, get(t.Context(), c, user(id), Demand{}))
		}
		if _, err := c.Get(t.Context(), user("more"), &Demand{}); !errors.Is(err, ErrOverloaded) {
			t.Fatalf("the fourth key: %v, want ErrOverloaded", err)
		}
		waiting = append(waiting, get(t.Context(), c, user("queued1"), Demand{})) // shares what waits already
		if s := c.Stats(); s.Rejected != 1 || s.Waiting != 2 {
			t.Fatalf("stats %+v", s)
		}
		w.finishLoad(0, nil)
		w.finishLoad(0, nil)
		for i, r := range waiting {
			if got := <-r; got.err != nil {
				t.Fatalf("reader %d: %v", i, got.err)
			}
		}
	})
}

func TestAReaderWhoLeavesDoesNotEndTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.manual = true
		c := started(t, small(), w)
		ctx, cancel := context.WithCancel(t.Context())
		leaver := get(ctx, c, user("ann"), Demand{})
		stayer := get(t.Context(), c, user("ann"), Demand{})
		cancel()
		if r := <-leaver; !errors.Is(r.err, context.Canceled) {
			t.Fatalf("the leaver got %v, want context.Canceled", r.err)
		}
		w.finishLoad(0, nil)
		if r := <-stayer; r.err != nil {
			t.Fatalf("the stayer got %v", r.err)
		}
		if c.State().StoreDown {
			t.Fatal("a reader who left made the store count as down")
		}
	})
}

func TestALoadHasItsOwnDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.manual = true
		c := started(t, small(), w)
		began := time.Now()
		r := <-get(t.Context(), c, user("ann"), Demand{})
		if took := time.Since(began); !errors.Is(r.err, profile.ErrUnavailable) || took != c.cfg.LoadTimeout {
			t.Fatalf("a hanging store: %v after %v, want ErrUnavailable after %v", r.err, took, c.cfg.LoadTimeout)
		}
	})
}

// deaf is a source that ignores the end of its ctx.
type deaf struct {
	*world
	free chan struct{}
}

func (d deaf) Load(ctx context.Context, keys []profile.Key, dst []*profile.Snapshot) error {
	<-d.free
	return d.world.Load(ctx, keys, dst)
}

func TestAReaderWaitsNoLongerThanWaitMax(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deaf{world: newWorld(), free: make(chan struct{})}
		c := started(t, small(), d)
		began := time.Now()
		_, err := c.Get(t.Context(), user("ann"), &Demand{})
		if took := time.Since(began); !errors.Is(err, profile.ErrUnavailable) || took != c.cfg.WaitMax {
			t.Fatalf("%v after %v, want ErrUnavailable after %v", err, took, c.cfg.WaitMax)
		}
		close(d.free)
	})
}

// liar answers for another user than was asked.
type liar struct{ *world }

func (l liar) Load(ctx context.Context, keys []profile.Key, dst []*profile.Snapshot) error {
	return l.world.Load(ctx, make([]profile.Key, len(keys)), dst)
}

func TestASourceThatAnswersForAnotherIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := started(t, small(), liar{newWorld()})
		if r, err := c.Get(t.Context(), user("ann"), &Demand{}); !errors.Is(err, errContract) {
			t.Fatalf("read %+v, %v; want a broken contract", r, err)
		}
		if err := c.GetMany(t.Context(), []profile.Key{user("ann")}, &Demand{}, make([]Read, 1)); !errors.Is(err, errContract) {
			t.Fatalf("bulk read: %v; want a broken contract", err)
		}
	})
}

func TestAUserTooLargeIsAnsweredAndNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := small()
		cfg.MaxEntryBytes = cfg.MemoBytes
		c := started(t, cfg, newWorld())
		mustGet(t, c, user("ann"), Demand{})
		if r := mustGet(t, c, user("ann"), Demand{}); r.Hit {
			t.Fatal("an entry above the limit was kept")
		}
		if s := c.Stats(); s.Oversize != 2 || s.Fills != 0 {
			t.Fatalf("stats %+v", s)
		}
	})
}

// slow is a store whose loads take their time, and which counts how many run at once.
type slow struct {
	*world
	mu             sync.Mutex
	running, worst int
}

func (s *slow) count(by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running += by
	s.worst = max(s.worst, s.running)
}

func (s *slow) Load(ctx context.Context, keys []profile.Key, dst []*profile.Snapshot) error {
	s.count(1)
	defer s.count(-1)
	pause(ctx, 2*time.Millisecond)
	return s.world.Load(ctx, keys, dst)
}

// After a gap all users are read anew, at the moment of the greatest load.
func TestAGapUnderLoadKeepsTheStoresBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{world: newWorld()}
		cfg := small()
		cfg.MaxLoads, cfg.BulkLoads, cfg.BatchMax = 4, 2, 64
		c := started(t, cfg, s)
		crowd := users(1000)
		read := func() time.Duration {
			began := time.Now()
			var group sync.WaitGroup
			for range 3 {
				for _, key := range crowd {
					group.Go(func() {
						if _, err := c.Get(t.Context(), key, &Demand{}); err != nil {
							t.Errorf("%v: %v", key, err)
						}
					})
				}
				group.Go(func() {
					if err := c.GetMany(t.Context(), crowd[:100], &Demand{}, make([]Read, 100)); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			return time.Since(began)
		}
		read()
		pass(time.Millisecond)
		c.Gap(s.now())
		before := c.Stats()
		took := read()
		after := c.Stats()
		if s.worst > cfg.MaxLoads+cfg.BulkLoads {
			t.Errorf("%d loads at once, want at most %d", s.worst, cfg.MaxLoads+cfg.BulkLoads)
		}
		if n := after.Fills - before.Fills; n != uint64(len(crowd)) {
			t.Errorf("%d fills after the gap, want each of %d users once", n, len(crowd))
		}
		if took > 100*time.Millisecond {
			t.Errorf("the crowd was served after %v", took)
		}
	})
}
