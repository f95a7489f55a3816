package cache

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

func TestALoadThatAChangeOvertookIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.manual = true
		c := started(t, small(), w)
		early := get(t.Context(), c, user("ann"), Demand{})
		w.letRead(0)
		synctest.Wait()
		pass(time.Millisecond)
		tell(c, w, w.commit(user("ann"), 0))
		late := get(t.Context(), c, user("ann"), Demand{}) // must not share the load that lacks the change
		if n := w.loadCount(); n != 2 {
			t.Fatalf("%d loads, want one for each", n)
		}
		w.finishLoad(0, nil)
		if s := c.Stats(); s.FillsRefused != 1 || s.Fills != 0 {
			t.Fatalf("stats %+v: want the overtaken load refused", s)
		}
		if len(early) != 0 {
			t.Fatalf("the early reader took %+v, which lacks the change", <-early)
		}
		w.finishLoad(0, nil)
		for i, r := range []<-chan result{early, late} {
			if got := <-r; got.err != nil || w.contained(got.read.Snapshot) != 1 || got.read.Memo == nil {
				t.Fatalf("reader %d got %+v, want the change", i, got)
			}
		}
		if n := w.loadCount(); n != 2 {
			t.Fatalf("%d loads in all, want 2: the early reader joins the later load", n)
		}
	})
}

func TestAKeyThatNeverRestsIsAnsweredInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.manual = true
		c := started(t, small(), w)
		reader := get(t.Context(), c, user("ann"), Demand{})
		for range maxRaces + 1 {
			w.letRead(0)
			synctest.Wait()
			pass(time.Millisecond)
			tell(c, w, w.commit(user("ann"), 0))
			w.finishLoad(0, nil)
		}
		r := <-reader
		if r.err != nil || r.read.Memo != nil || r.read.TrueAt != r.read.Snapshot.AsOf || r.read.Degraded {
			t.Fatalf("got %+v, want the last read, uncached, true at its own stamp", r)
		}
		if got, want := w.contained(r.read.Snapshot), maxRaces; got != want {
			t.Fatalf("the answer contains %d changes, want %d", got, want)
		}
		if s := c.Stats(); s.Uncached != 1 || s.Rereads != maxRaces || s.Fills != 0 {
			t.Fatalf("stats %+v", s)
		}
	})
}

func TestARightRowWithALowStampIsAnsweredUncached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.behind = 200 * time.Millisecond
		c := started(t, small(), w)
		tell(c, w, w.commit(user("ann"), 0))
		c.Apply(nil, w.now().Add(time.Millisecond)) // vouches for entries, not for a row stamped below its floor
		began := time.Now()
		for range 3 {
			r := mustGet(t, c, user("ann"), Demand{})
			if w.contained(r.Snapshot) != 1 || r.Memo != nil || r.Hit || r.TrueAt != r.Snapshot.AsOf {
				t.Fatalf("read %+v, want the row, uncached, true at its own stamp", r)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Fatalf("waited %v for a row that is right already", took)
		}
		if s := c.Stats(); s.Uncached != 3 || s.Fills != 0 || s.Entries != 0 {
			t.Fatalf("stats %+v, want 3 uncached", s)
		}
		pass(200 * time.Millisecond)
		mustGet(t, c, user("ann"), Demand{})
		if _, ok := c.Hit(user("ann"), &Demand{}); !ok {
			t.Fatal("no hit once the slow clock has passed the floor")
		}
	})
}

func TestMinAsOf(t *testing.T) {
	cases := []struct {
		name   string
		behind time.Duration
		ask    time.Duration // after the database's time
		want   error
		wait   time.Duration
	}{
		{name: "reached by a load at once", ask: 0},
		{name: "the serving node is slower", behind: 100 * time.Millisecond, wait: 101 * time.Millisecond},
		{name: "just ahead of the clock", ask: 300 * time.Millisecond, wait: 301 * time.Millisecond},
		{name: "as far ahead as clocks may differ", ask: 500 * time.Millisecond, wait: 501 * time.Millisecond},
		{name: "further ahead", ask: 500*time.Millisecond + 1, want: ErrAsOfInFuture},
		{name: "an hour ahead", ask: time.Hour, want: ErrAsOfInFuture},
		{name: "not reached in the time allowed", behind: 600 * time.Millisecond, want: ErrAsOfNotReached},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				c := started(t, small(), w)
				synctest.Wait() // the first beat knows the time
				mustGet(t, c, user("ann"), Demand{})
				pass(10 * time.Millisecond)
				w.set(func(w *world) { w.behind = tc.behind })
				ask := w.now().Add(tc.ask)
				began := time.Now()
				r, err := c.Get(t.Context(), user("ann"), &Demand{MinAsOf: ask, MaxStale: time.Minute})
				if !errors.Is(err, tc.want) || err == nil != (tc.want == nil) {
					t.Fatalf("read %+v, %v; want %v", r, err, tc.want)
				}
				if took := time.Since(began); took != tc.wait {
					t.Fatalf("took %v, want %v", took, tc.wait)
				}
				if err == nil && (r.TrueAt.Before(ask) || r.Degraded) {
					t.Fatalf("read %+v is older than the demanded %v", r, ask)
				}
			})
		})
	}
}

func TestMinAsOfIsReachedByTheWatermark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		c := started(t, small(), w)
		synctest.Wait()
		mustGet(t, c, user("ann"), Demand{})
		w.set(func(w *world) { w.behind = 300 * time.Millisecond })
		pass(100 * time.Millisecond)
		ask := w.now()
		reader := get(t.Context(), c, user("ann"), Demand{MinAsOf: ask})
		c.Apply(nil, ask)
		if r := <-reader; r.err != nil || r.read.TrueAt != ask {
			t.Fatalf("got %+v, want the entry, true at %v", r, ask)
		}
	})
}

// A load that began before the reader came may be too old for him only because of that: he must not wait for clocks but read again.
func TestMinAsOfBehindAnEarlierLoadReadsAgainAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.manual = true
		c := started(t, small(), w)
		first := get(t.Context(), c, user("ann"), Demand{})
		w.letRead(0)
		synctest.Wait()
		pass(50 * time.Millisecond)
		ask := w.now()
		second := get(t.Context(), c, user("ann"), Demand{MinAsOf: ask})
		began := time.Now()
		w.finishLoad(0, nil)
		w.finishLoad(0, nil)
		if r := <-first; r.err != nil {
			t.Fatal(r.err)
		}
		if r := <-second; r.err != nil || r.read.TrueAt.Before(ask) || time.Since(began) != 0 {
			t.Fatalf("got %+v after %v, want a read at %v at once", r, time.Since(began), ask)
		}
	})
}

func TestSchema(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		c := started(t, small(), w)
		mustGet(t, c, user("ann"), Demand{ReadsSchema: 1})
		if _, ok := c.Hit(user("ann"), &Demand{ReadsSchema: 2}); ok {
			t.Fatal("hit on a snapshot that lacks slots the ruleset reads")
		}
		_, err := c.Get(t.Context(), user("ann"), &Demand{ReadsSchema: 2, MaxStale: time.Minute})
		if !errors.Is(err, ErrSchemaBehind) || !errors.Is(err, profile.ErrUnavailable) {
			t.Fatalf("a store that does not know the schema: %v, want ErrSchemaBehind", err)
		}
		w.set(func(w *world) { w.schema = 2 })
		if r := mustGet(t, c, user("ann"), Demand{ReadsSchema: 2}); r.Snapshot.SchemaVersion != 2 {
			t.Fatalf("read %+v, want schema 2", r)
		}
		if _, ok := c.Hit(user("ann"), &Demand{ReadsSchema: 1}); !ok {
			t.Fatal("no hit on a newer schema than asked")
		}
		if s := c.Stats(); s.Misses.Schema != 2 {
			t.Fatalf("stats %+v", s)
		}
	})
}

func TestNoStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.manual = true
		c := started(t, small(), w)
		alone := get(t.Context(), c, user("ann"), Demand{NoStore: true})
		w.finishLoad(0, nil)
		<-alone
		if _, ok := c.Hit(user("ann"), &Demand{}); ok {
			t.Fatal("a read that asked not to be kept was kept")
		}
		preview := get(t.Context(), c, user("ann"), Demand{NoStore: true})
		request := get(t.Context(), c, user("ann"), Demand{})
		w.finishLoad(0, nil)
		<-preview
		<-request
		if _, ok := c.Hit(user("ann"), &Demand{}); !ok {
			t.Fatal("a load shared with a reader who wants it kept was not kept")
		}
	})
}

func TestFalseInvalidationsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		cfg := small()
		cfg.FloorSlots = 1 // everything shares
		c := started(t, cfg, w)
		mustGet(t, c, user("ann"), Demand{})
		pass(time.Millisecond)
		tell(c, w, w.commit(user("bob"), 0))
		mustGet(t, c, user("ann"), Demand{})
		pass(time.Millisecond)
		tell(c, w, w.commit(user("ann"), 0))
		mustGet(t, c, user("ann"), Demand{})
		c.Apply([]events.Change{{Table: events.TableRuleset, Project: "shop", At: w.now().Add(time.Second)}}, hlc.Timestamp{})
		mustGet(t, c, user("ann"), Demand{})
		if s := c.Stats(); s.Misses.Floor != 2 || s.FalseInvalidations != 1 || s.Hits != 1 {
			t.Fatalf("stats %+v: want 2 refusals, 1 of them bob's, and none for a ruleset", s)
		}
	})
}

func TestASchemaThatArrivesLateIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		c := started(t, small(), w)
		reader := get(t.Context(), c, user("ann"), Demand{ReadsSchema: 2})
		pass(20 * time.Millisecond)
		w.set(func(w *world) { w.schema = 2 })
		r := <-reader
		if r.err != nil || r.read.Snapshot.SchemaVersion != 2 {
			t.Fatalf("got %+v, want schema 2", r)
		}
		if n := w.loadCount(); n > 6 {
			t.Fatalf("%d loads within 20 ms of waiting, want the pauses to grow", n)
		}
	})
}

// A reader who joins a slow load at its end gets a read that is too old for him; a new one may be quick.
func TestASlowLoadIsTooOldForWhoJoinsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.manual = true
		cfg := small()
		cfg.Bound = 500 * time.Millisecond
		c := started(t, cfg, w)
		early := get(t.Context(), c, user("ann"), Demand{})
		w.letRead(0)
		synctest.Wait()
		pass(501 * time.Millisecond)
		late := get(t.Context(), c, user("ann"), Demand{})
		w.finishLoad(0, nil)
		if r := <-early; !errors.Is(r.err, errLate) || !errors.Is(r.err, profile.ErrUnavailable) {
			t.Fatalf("the reader whose own load was too slow got %+v, want errLate", r)
		}
		w.finishLoad(0, nil)
		if r := <-late; r.err != nil || r.read.TrueAt != w.now() {
			t.Fatalf("the late reader got %+v, want a fresh read", r)
		}
	})
}

// The floor of a shared slot may be high already, so that a further change does not move it. A load that began before that change lacks it
// although the floor is the one that the load saw.
func TestAChangeBelowAHighFloorIsNotMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.manual = true
		cfg := small()
		cfg.FloorSlots = 1
		c := started(t, cfg, w)
		tell(c, w, w.commit(user("bob"), 300*time.Millisecond))
		early := get(t.Context(), c, user("ann"), Demand{})
		w.letRead(0)
		synctest.Wait()
		pass(time.Millisecond)
		tell(c, w, w.commit(user("ann"), 0))
		late := get(t.Context(), c, user("ann"), Demand{})
		w.finishLoad(0, nil)
		if r := <-early; r.err != nil {
			t.Fatal(r.err)
		}
		w.finishLoad(0, nil)
		if r := <-late; r.err != nil || w.contained(r.read.Snapshot) != 1 {
			t.Fatalf("the late reader got %+v, which lacks a change that was delivered before he came", r)
		}
	})
}
