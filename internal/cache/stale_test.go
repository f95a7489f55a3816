package cache

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

var errBroken = errors.New("connection reset")

// The answers of a replica whose store is down and whose feed is silent, by the demand and by what it knows of the user.
func TestStoreDownPolicy(t *testing.T) {
	const s = time.Second
	cases := []struct {
		name     string
		unknown  bool          // the user was never read
		changed  bool          // a change was delivered half a second after the read
		gap      bool          // or a gap
		vouched  time.Duration // the feed vouched for so long after the read
		since    time.Duration // time since the read
		demand   Demand
		minAsOf  bool // demand a stamp just after the read
		degraded bool
		hit      bool // an answer that is not degraded
	}{
		{name: "within the bound nobody notices", since: s, hit: true},
		{name: "fail closed", since: 2 * s},
		{name: "serve stale", since: 2 * s, demand: Demand{MaxStale: 60 * s}, degraded: true},
		{name: "serve stale up to N s", since: 60 * s, demand: Demand{MaxStale: 60 * s}, degraded: true},
		{name: "and no longer", since: 60*s + 1, demand: Demand{MaxStale: 60 * s}},
		{
			name: "longer when the feed vouched for the entry", vouched: 500 * time.Millisecond, since: 60*s + 500*time.Millisecond,
			demand: Demand{MaxStale: 60 * s}, degraded: true,
		},
		{name: "a changed user counts from his read", changed: true, vouched: s, since: 60 * s, demand: Demand{MaxStale: 60 * s}, degraded: true},
		{name: "whatever the feed vouched since", changed: true, vouched: s, since: 60*s + 1, demand: Demand{MaxStale: 60 * s}},
		{
			name: "a changed user is degraded within the bound too", changed: true, since: 600 * time.Millisecond, demand: Demand{MaxStale: 60 * s},
			degraded: true,
		},
		{name: "a changed user fails closed within the bound", changed: true, since: 600 * time.Millisecond},
		{name: "after a gap", gap: true, since: 2 * s, demand: Demand{MaxStale: 60 * s}, degraded: true},
		{name: "never with a demanded stamp", since: 2 * s, demand: Demand{MaxStale: 60 * s}, minAsOf: true},
		{name: "never with slots missing", since: 2 * s, demand: Demand{MaxStale: 60 * s, ReadsSchema: 2}},
		{name: "never past the life of an entry", since: 13 * time.Minute, demand: Demand{MaxStale: time.Hour}},
		{name: "an unknown user fails", unknown: true, since: 2 * s, demand: Demand{MaxStale: 60 * s}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				c := started(t, small(), w)
				synctest.Wait()
				began := time.Now()
				if !tc.unknown {
					mustGet(t, c, user("ann"), Demand{})
				}
				read := w.now()
				if tc.vouched > 0 {
					pass(tc.vouched)
					c.Apply(nil, w.now())
				}
				if tc.changed || tc.gap {
					pass(500*time.Millisecond - min(tc.vouched, 500*time.Millisecond))
				}
				if tc.changed {
					tell(c, w, w.commit(user("ann"), 0))
				}
				if tc.gap {
					c.Gap(w.now())
				}
				w.set(func(w *world) { w.fail = errBroken })
				pass(tc.since - time.Since(began))
				if tc.minAsOf {
					tc.demand.MinAsOf = read.Next()
				}

				r, err := c.Get(t.Context(), user("ann"), &tc.demand)
				if !tc.degraded && !tc.hit {
					if !errors.Is(err, profile.ErrUnavailable) {
						t.Fatalf("got %+v, %v; want ErrUnavailable", r, err)
					}
					return
				}
				if err != nil || r.Degraded != tc.degraded || r.Hit != true {
					t.Fatalf("got %+v, %v; want a read from memory, degraded %v", r, err, tc.degraded)
				}
				wantTrueAt := read
				if !tc.changed {
					wantTrueAt = read.Add(tc.vouched)
				}
				if r.TrueAt != wantTrueAt || r.Degraded && r.Memo != nil {
					t.Fatalf("got %+v, want it true at %v and no memo", r, wantTrueAt)
				}
				if n := w.upTo(user("ann"), r.TrueAt); w.contained(r.Snapshot) < n {
					t.Fatalf("the answer claims %v and lacks a commit", r.TrueAt)
				}
			})
		})
	}
}

func TestAStoreKnownToBeDownIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		c := started(t, small(), w)
		mustGet(t, c, user("ann"), Demand{})
		pass(2500 * time.Millisecond)
		d := Demand{MaxStale: time.Minute}
		w.set(func(w *world) { w.manual = true }) // hangs
		began := time.Now()
		if r := mustGet(t, c, user("ann"), d); !r.Degraded || time.Since(began) != c.cfg.LoadTimeout {
			t.Fatalf("first read %+v after %v, want a degraded one after the load's deadline", r, time.Since(began))
		}
		w.set(func(w *world) { w.fail = errBroken }) // the beat notices too
		pass(2 * time.Second)
		if !c.State().StoreDown {
			t.Fatal("the store does not count as down")
		}
		loads, began := w.loadCount(), time.Now()
		for range 10 {
			if r := mustGet(t, c, user("ann"), d); !r.Degraded || time.Since(began) != 0 {
				t.Fatalf("read %+v after %v, want a degraded one at once", r, time.Since(began))
			}
		}
		if n := w.loadCount(); n != loads {
			t.Fatalf("%d loads were tried meanwhile", n-loads)
		}
		w.set(func(w *world) { w.fail, w.manual = nil, false })
		pass(time.Second)
		if r := mustGet(t, c, user("ann"), d); r.Degraded || r.Hit {
			t.Fatalf("read %+v a second after the store came back, want a load", r)
		}
		if s := c.Stats(); s.Stale != 11 {
			t.Fatalf("stats %+v", s)
		}
	})
}

func TestOverloadIsAnsweredByThePolicyToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		cfg := small()
		cfg.MaxLoads, cfg.QueueMax = 1, 1
		c := started(t, cfg, w)
		mustGet(t, c, user("ann"), Demand{})
		pass(2 * time.Second)
		w.set(func(w *world) { w.manual = true })
		loading, queued := get(t.Context(), c, user("1"), Demand{}), get(t.Context(), c, user("2"), Demand{})
		if r := mustGet(t, c, user("ann"), Demand{MaxStale: time.Minute}); !r.Degraded {
			t.Fatalf("read %+v, want a degraded one", r)
		}
		if _, err := c.Get(t.Context(), user("ann"), &Demand{}); !errors.Is(err, ErrOverloaded) {
			t.Fatalf("fail closed: %v, want ErrOverloaded", err)
		}
		w.finishLoad(0, nil)
		w.finishLoad(0, nil)
		<-loading
		<-queued
	})
}

func TestTheClockIsKnownBeforeTheFirstRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		clock := &hlc.Estimate{}
		c := newCache(small(), w, clock, newFaithful())
		if _, ok := c.Hit(user("ann"), &Demand{}); ok || c.State().Lag != 0 {
			t.Fatal("a cache that knows nothing answers")
		}
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer c.Stop()
		synctest.Wait()
		if clock.Now() != w.now() {
			t.Fatalf("clock %v, want %v", clock.Now(), w.now())
		}
		pass(time.Minute)
		if clock.Now() != w.now() {
			t.Fatalf("clock %v after a minute, want %v", clock.Now(), w.now())
		}
	})
}
