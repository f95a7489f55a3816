package cache

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/profile"
)

// begins is a store that notes when its loads begin.
type begins struct {
	crowd
	mu sync.Mutex
	at []time.Time // guarded by mu
}

func (s *begins) Load(ctx context.Context, keys []profile.Key, dst []*profile.Snapshot) error {
	s.mu.Lock()
	s.at = append(s.at, time.Now())
	s.mu.Unlock()
	return s.crowd.Load(ctx, keys, dst)
}

// crowdSize is how many hot users a gap makes invalid: 20,000, or ELIGIBILITY_TEST_CROWD.
func crowdSize(t *testing.T) int {
	text := os.Getenv("ELIGIBILITY_TEST_CROWD")
	if text == "" {
		return 20_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 4096 {
		t.Fatalf("ELIGIBILITY_TEST_CROWD: %q: want a number of at least 4096", text)
	}
	return n
}

// Many hot users become invalid at once, and are all asked for at once. The store sees the loads begin one after the other, each user once, and
// never more than are allowed.
func TestHotUsersDoNotStampedeTheStoreAfterAGap(t *testing.T) {
	hot := crowdSize(t)
	synctest.Test(t, func(t *testing.T) {
		cfg := small()
		cfg.CacheBytes, cfg.QueueMax, cfg.BatchMax, cfg.MaxLoads, cfg.GapSpread = 1<<30, hot, 256, 8, 40*time.Millisecond
		src := &begins{crowd: crowd{world: newWorld(), takes: time.Millisecond}}
		c := started(t, cfg, src)
		all := users(hot)
		read := func() {
			var group sync.WaitGroup
			for _, key := range slices.Concat(all, all[:1000]) { // some by two readers
				group.Go(func() {
					if _, err := c.Get(context.Background(), key, &Demand{}); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
		}
		reads := make([]*profile.Snapshot, 1)
		for i := range all { // as if each had been loaded long ago
			if err := src.world.Load(t.Context(), all[i:i+1], reads); err != nil {
				t.Fatal(err)
			}
			c.hints.put(c.floors.hash(events.TableProfile, all[i].Project, all[i].User), newEntry(reads[0], cfg.life(), cfg.MemoBytes))
		}
		if _, hit := c.Hit(all[hot-1], &Demand{}); !hit {
			t.Fatal("not hot")
		}
		pass(time.Millisecond)
		c.Gap(src.now())
		c.Apply([]events.Change{}, src.now())
		before := c.Stats()
		src.at = nil
		gap := time.Now()
		read()
		if n := c.Stats().Fills - before.Fills; n != uint64(hot) {
			t.Errorf("%d fills, want each of %d users once", n, hot)
		}
		if most := src.most.Load(); most > int64(cfg.MaxLoads) {
			t.Errorf("%d loads at once, %d are allowed", most, cfg.MaxLoads)
		}
		first := make(map[time.Duration]bool)
		for _, at := range src.at[:cfg.MaxLoads] {
			first[at.Sub(gap)] = true
		}
		if len(first) < cfg.MaxLoads/2 {
			t.Errorf("the first %d loads began at %d moments: together", cfg.MaxLoads, len(first))
		}
		t.Logf("%d users in %d loads within %v; the first began after %v", hot, len(src.at), time.Since(gap), src.at[0].Sub(gap))
	})
}

// A worker waits once for a gap, and not at all without one.
func TestOnlyAGapIsSpread(t *testing.T) {
	for _, tt := range []struct {
		name string
		gap  bool
		most time.Duration
	}{{"no gap", false, 0}, {"a gap", true, 40 * time.Millisecond}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := small()
				cfg.MaxLoads, cfg.GapSpread = 1, 40*time.Millisecond
				w := newWorld()
				c := started(t, cfg, w)
				if tt.gap {
					c.Gap(w.now())
					pass(time.Millisecond)
				}
				for i := range 20 {
					began := time.Now()
					mustGet(t, c, user(fmt.Sprint(i)), Demand{})
					if took := time.Since(began); took > tt.most {
						t.Errorf("load %d took %v, want at most %v", i, took, tt.most)
					}
					tt.most = 0
				}
			})
		})
	}
}
