package cache

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

// A thousand ask for one cold user with ristretto behind them, which lets an entry be found some time after it was given: whether one comes
// before the load, while it runs, or in the moment after it, the store is read once.
func TestACrowdAtAColdKeyReadsTheStoreOnce(t *testing.T) {
	const crowd = 1000
	rounds := 100
	if testing.Short() {
		rounds = 10
	}
	w := newWorld()
	cfg := small()
	cfg.CacheBytes, cfg.Bound = 64<<20, time.Minute
	c, err := New(cfg, w, &hlc.Estimate{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for round := range rounds {
		key, d := user(fmt.Sprint("cold", round)), &Demand{}
		before := w.loadCount()
		start := make(chan struct{})
		var group sync.WaitGroup
		for range crowd {
			group.Go(func() {
				<-start
				if _, ok := c.Hit(key, d); ok {
					return
				}
				if r, err := c.Get(t.Context(), key, d); err != nil || r.Snapshot.Key != key {
					t.Errorf("read %+v, %v", r, err)
				}
			})
		}
		close(start)
		group.Wait()
		if n := w.loadCount() - before; n != 1 {
			t.Fatalf("round %d: %d reads of the store for %d readers, want 1", round, n, crowd)
		}
	}
	if n := youngCount(c); n > cfg.MaxLoads*cfg.BatchMax {
		t.Fatalf("%d young entries", n)
	}
}

func youngCount(c *Cache) int {
	c.loader.mu.Lock()
	defer c.loader.mu.Unlock()
	return len(c.loader.young)
}

// buffered are hints that take what they are given only when they are told to.
type buffered struct {
	*faithful
	given map[uint64]*entry
	let   chan bool // true: take it, false: refuse it
}

func newBuffered() *buffered {
	return &buffered{faithful: newFaithful(), given: make(map[uint64]*entry), let: make(chan bool)}
}

func (b *buffered) put(hash uint64, e *entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.given[hash] = e
}

func (b *buffered) settle() {
	take := <-b.let
	b.mu.Lock()
	defer b.mu.Unlock()
	if take {
		for hash, e := range b.given {
			b.m[hash] = e
		}
	}
	clear(b.given)
}

// While the hints have not decided, a loaded entry answers whom it may answer by law L1, and nobody else.
func TestAYoungEntryAnswersByLawL1(t *testing.T) {
	cases := []struct {
		name   string
		before func(c *Cache, w *world) Demand // happens between the load and the second reader
		loads  int
	}{
		{"nothing changed", func(*Cache, *world) Demand { return Demand{} }, 1},
		{"the user changed", func(c *Cache, w *world) Demand { tell(c, w, w.commit(user("ann"), 0)); return Demand{} }, 2},
		{"a gap", func(c *Cache, w *world) Demand { c.Gap(w.now()); return Demand{} }, 2},
		{"beyond the bound", func(*Cache, *world) Demand { pass(time.Second); return Demand{} }, 2},
		{"a later stamp is demanded", func(_ *Cache, w *world) Demand { return Demand{MinAsOf: w.now()} }, 2},
		{"a later schema is demanded", func(_ *Cache, w *world) Demand {
			w.set(func(w *world) { w.schema = 2 })
			return Demand{ReadsSchema: 2}
		}, 2},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, h := newWorld(), newBuffered()
				c := newCache(small(), w, &hlc.Estimate{}, h)
				if err := c.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				mustGet(t, c, user("ann"), Demand{})
				synctest.Wait() // the worker waits for the hints
				pass(time.Millisecond)
				d := tc.before(c, w)
				if _, ok := c.Hit(user("ann"), &d); ok {
					t.Fatal("a hit on what the hints have not taken")
				}
				r := mustGet(t, c, user("ann"), d)
				if n := w.loadCount(); n != tc.loads {
					t.Fatalf("%d loads, want %d", n, tc.loads)
				}
				if want := w.delivered(user("ann")); w.contained(r.Snapshot) < want {
					t.Fatalf("read %+v lacks what was told before", r)
				}
				for range tc.loads {
					h.let <- true
				}
				synctest.Wait()
				if n := youngCount(c); n != 0 {
					t.Fatalf("%d entries are young after the hints have decided", n)
				}
				if _, ok := c.Hit(user("ann"), &d); !ok {
					t.Fatal("no hit after the hints took the entry")
				}
				c.Stop()
			})
		})
	}
}

// A reader may have looked before the hints took an entry and come to the loader after it is young no more.
func TestWhoComesLateFindsWhatSettledMeanwhile(t *testing.T) {
	w := newWorld()
	c := started(t, small(), w)
	hash := c.floors.hash(events.TableProfile, "shop", "ann")
	mustGet(t, c, user("ann"), Demand{})
	r, call, _, err := c.loader.join(hash, user("ann"), &Demand{})
	if err != nil || call != nil || r.Snapshot == nil || !r.Hit {
		t.Fatalf("joined %+v with %+v, %v; want the settled entry", call, r, err)
	}
}

// Refused or oversized entries are not young: nobody waits for hints that were given nothing.
func TestWhatIsNotKeptIsNotYoung(t *testing.T) {
	for name, change := range map[string]func(*Config, *Demand){
		"not to be kept": func(_ *Config, d *Demand) { d.NoStore = true },
		"too large":      func(cfg *Config, _ *Demand) { cfg.MaxEntryBytes = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg, d := small(), Demand{}
				change(&cfg, &d)
				w := newWorld()
				c := newCache(cfg, w, &hlc.Estimate{}, newBuffered())
				if err := c.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				for range 3 {
					mustGet(t, c, profile.Key{Project: "shop", User: "ann"}, d)
				}
				synctest.Wait()
				if n, young := w.loadCount(), youngCount(c); n != 3 || young != 0 {
					t.Fatalf("%d loads and %d young entries, want 3 and none", n, young)
				}
				c.Stop()
			})
		})
	}
}
