package cache

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

// pass lets time go by inside a synctest bubble, where it costs none.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func mustGet(t *testing.T, c *Cache, key profile.Key, d Demand) Read {
	t.Helper()
	r, err := c.Get(t.Context(), key, &d)
	if err != nil {
		t.Fatalf("Get(%v, %+v): %v", key, d, err)
	}
	return r
}

// tell delivers a change as the feed would.
func tell(c *Cache, w *world, change events.Change) {
	c.Apply([]events.Change{change}, hlc.Timestamp{})
	w.told(change)
}

func TestAChangeRefusesWhatWasReadBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		c := started(t, small(), w)
		ann := user("ann")
		if r := mustGet(t, c, ann, Demand{}); r.Hit || r.Snapshot.Found || r.Snapshot.Key != ann {
			t.Fatalf("first read %+v: want a load of an unknown user", r)
		}
		pass(time.Millisecond)
		if r := mustGet(t, c, ann, Demand{}); !r.Hit {
			t.Fatal("second read: want a hit")
		}
		change := w.commit(ann, 0)
		if r, ok := c.Hit(ann, &Demand{}); !ok || r.Snapshot.Found {
			t.Fatal("a change that nobody told of yet: want the hit")
		}
		pass(time.Millisecond)
		tell(c, w, change)
		if r, ok := c.Hit(ann, &Demand{}); ok {
			t.Fatalf("hit %+v after the change was delivered", r)
		}
		if r := mustGet(t, c, ann, Demand{}); r.Hit || !r.Snapshot.Found {
			t.Fatalf("read %+v: want a load that sees the change", r)
		}
		if r := mustGet(t, c, ann, Demand{}); !r.Hit || !r.Snapshot.Found || r.Memo == nil {
			t.Fatalf("read %+v: want a hit that sees the change", r)
		}
		s := c.Stats()
		if s.Hits != 3 || s.Misses.Absent != 1 || s.Misses.Floor != 1 || s.FalseInvalidations != 0 || s.Loads != 2 || s.Fills != 2 {
			t.Fatalf("stats %+v", s)
		}
	})
}

func TestRaiseOwnRefusesAtOnceAndVouchesForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		c := started(t, small(), w)
		mustGet(t, c, user("ann"), Demand{})
		pass(time.Millisecond)
		change := w.commit(user("ann"), 0)
		c.RaiseOwn([]events.Change{change})
		if _, ok := c.Hit(user("ann"), &Demand{}); ok {
			t.Fatal("hit after the replica's own write")
		}
		if got := c.State().Watermark; !got.IsZero() {
			t.Fatalf("watermark %v after an own write, want none", got)
		}
	})
}

func TestAGapRefusesEverythingReadBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		c := started(t, small(), w)
		mustGet(t, c, user("ann"), Demand{})
		mustGet(t, c, user("bob"), Demand{})
		pass(time.Millisecond)
		c.Gap(w.now())
		for _, key := range []profile.Key{user("ann"), user("bob")} {
			if r := mustGet(t, c, key, Demand{}); r.Hit {
				t.Fatalf("%v is a hit after a gap", key)
			}
			if r := mustGet(t, c, key, Demand{}); !r.Hit {
				t.Fatalf("%v read at the gap is no hit", key)
			}
		}
		if s := c.Stats(); s.Misses.GlobalFloor != 2 || s.Gaps != 1 {
			t.Fatalf("stats %+v", s)
		}
	})
}

func TestTheWatermarkKeepsAnEntryTrueWithoutReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		c := started(t, small(), w)
		read := mustGet(t, c, user("ann"), Demand{}).TrueAt
		for range 20 {
			pass(900 * time.Millisecond)
			resolved := w.now()
			c.Apply(nil, hlc.Timestamp{Wall: resolved.Wall, Logical: 9})
			r, ok := c.Hit(user("ann"), &Demand{})
			if !ok || r.TrueAt != resolved || r.Snapshot.AsOf != read {
				t.Fatalf("read %+v, hit %v: want the entry of %v, true at %v", r, ok, read, resolved)
			}
			c.Apply(nil, read) // an older promise takes nothing back
		}
		if n := w.loadCount(); n != 1 {
			t.Fatalf("%d loads, want 1", n)
		}
	})
}

func TestWithoutAFeedAReadIsGoodForTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		c := started(t, small(), w)
		mustGet(t, c, user("ann"), Demand{})
		pass(time.Second)
		if _, ok := c.Hit(user("ann"), &Demand{}); !ok {
			t.Fatal("no hit at the bound")
		}
		pass(time.Nanosecond)
		if _, ok := c.Hit(user("ann"), &Demand{}); ok {
			t.Fatal("a hit past the bound")
		}
		if r := mustGet(t, c, user("ann"), Demand{}); r.Hit || r.TrueAt != w.now() {
			t.Fatalf("read %+v, want a fresh one", r)
		}
	})
}

func TestTheBoundCountsFromWhenTheReaderCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		c := started(t, small(), w)
		mustGet(t, c, user("ann"), Demand{})
		read := time.Now()
		pass(2 * time.Second)
		for after, want := range map[time.Duration]bool{0: true, time.Second: true, time.Second + 1: false, 2 * time.Second: false} {
			if _, ok := c.HitAt(user("ann"), &Demand{}, read.Add(after)); ok != want {
				t.Errorf("who came %v after the read: hit %v, want %v", after, ok, want)
			}
		}
	})
}

func TestNoEntryOutlivesItsAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		c := started(t, small(), w)
		ages := make(map[time.Duration]bool)
		for i := range 50 {
			e := newEntry(&profile.Snapshot{Key: user("x")}, c.cfg.life(), 0)
			if e.maxAge < 8*time.Minute || e.maxAge > 12*time.Minute {
				t.Fatalf("entry %d lives %v, want 10 min ± 20 %%", i, e.maxAge)
			}
			ages[e.maxAge] = true
		}
		if len(ages) < 40 {
			t.Fatalf("only %d different ages among 50 entries", len(ages))
		}
		mustGet(t, c, user("ann"), Demand{})
		for range 13 * 60 {
			pass(time.Second)
			c.Apply(nil, w.now())
		}
		mustGet(t, c, user("ann"), Demand{})
		if s := c.Stats(); s.Misses.Expired != 1 {
			t.Fatalf("misses %+v after 13 min under a healthy feed, want one by age", s.Misses)
		}
	})
}

func TestFreshness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		c := started(t, small(), w)
		synctest.Wait()
		expect := func(when string, healthy bool, lag time.Duration) {
			t.Helper()
			if f := c.State(); f.Healthy != healthy || f.Lag != lag {
				t.Fatalf("%s: %+v, want healthy %v and a lag of %v", when, f, healthy, lag)
			}
		}
		expect("before the first watermark", false, 0)
		c.Apply(nil, w.now())
		expect("at the watermark", true, 0)
		pass(time.Second)
		expect("within the bound", true, time.Second)
		pass(time.Millisecond)
		expect("behind the bound", false, 1001*time.Millisecond)
		at := w.now()
		c.Apply(nil, at)
		for range 3 {
			pass(time.Second)
			c.Apply(nil, at)
		}
		if f := c.State(); f.Healthy || f.SinceProgress != 3*time.Second {
			t.Fatalf("the same watermark again and again: %+v, want 3 s without progress", f)
		}
		if f := c.State(); f.Watermark != at || f.GlobalFloor.Wall != 0 || f.StoreDown {
			t.Fatalf("state %+v", f)
		}
	})
}

func TestStopEndsEverything(t *testing.T) {
	w := newWorld()
	c, err := New(small(), w, &hlc.Estimate{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustGet(t, c, user("ann"), Demand{})
	c.Stop()
	c.Stop()
	if _, err := c.Get(t.Context(), user("bob"), &Demand{}); !errors.Is(err, ErrStopped) || !errors.Is(err, profile.ErrUnavailable) {
		t.Fatalf("Get after Stop: %v, want ErrStopped", err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}

	unstarted, err := New(small(), w, &hlc.Estimate{})
	if err != nil {
		t.Fatal(err)
	}
	unstarted.Stop() // goleak finds what it leaves
}

func TestStopReleasesWaitingReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.manual = true
		cfg := small()
		cfg.MaxLoads = 1
		c := started(t, cfg, w)
		errs := make(chan error, 2)
		for _, id := range []string{"loading", "queued"} {
			go func() {
				_, err := c.Get(t.Context(), user(id), &Demand{})
				errs <- err
			}()
			synctest.Wait()
		}
		c.Stop()
		for range 2 {
			if err := <-errs; !errors.Is(err, ErrStopped) {
				t.Fatalf("waiting reader got %v, want ErrStopped", err)
			}
		}
	})
}

func TestRistrettoKeepsAccountsAndExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		cfg := small()
		cfg.CacheBytes = 100_000
		c, err := New(cfg, w, &hlc.Estimate{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Stop()
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range 1000 {
			mustGet(t, c, user(string(rune('a'+i%26))+time.Duration(i).String()), Demand{})
		}
		synctest.Wait()
		s := c.Stats()
		if s.Entries == 0 || s.Bytes > cfg.CacheBytes || s.Evictions == 0 {
			t.Fatalf("stats %+v: want entries within %d bytes, and evictions", s, cfg.CacheBytes)
		}
		pass(15 * time.Minute)
		if s := c.Stats(); s.Entries != 0 || s.Bytes != 0 {
			t.Fatalf("%d entries of %d bytes after their life, want none", s.Entries, s.Bytes)
		}
	})
}

func TestHitDoesNotAllocate(t *testing.T) {
	w := newWorld()
	cfg := small()
	cfg.Bound = time.Minute
	c, err := New(cfg, w, &hlc.Estimate{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	key, d := user("ann"), Demand{ReadsSchema: 1, MaxStale: time.Minute}
	hot(t, c, key)
	if n := testing.AllocsPerRun(1000, func() {
		if _, ok := c.Hit(key, &d); !ok {
			t.Fatal("no hit")
		}
	}); n != 0 {
		t.Errorf("a hit allocates %v times, want 0", n)
	}
	batch := []events.Change{{Table: events.TableProfile, Project: "shop", Key: "bob", At: w.now()}}
	if n := testing.AllocsPerRun(1000, func() { c.Apply(batch, w.now()) }); n != 0 {
		t.Errorf("Apply allocates %v times, want 0", n)
	}
}

// hot reads the key until ristretto, which takes entries in its own time, has it.
func hot(t testing.TB, c *Cache, key profile.Key) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		if _, err := c.Get(t.Context(), key, &Demand{}); err != nil {
			t.Fatal(err)
		}
		if _, ok := c.Hit(key, &Demand{}); ok {
			return
		}
	}
	t.Fatalf("%v was read for 10 s and never became a hit", key)
}

func TestMemo(t *testing.T) {
	var m Memo
	if m.Load(0) != nil {
		t.Fatal("a new memo holds something")
	}
	for i := range MemoSlots {
		for next := i; next < MemoSlots; next++ {
			if got := m.Load(next); got != nil {
				t.Fatalf("slot %d holds %v, want nothing yet", next, got)
			}
		}
		m.Store(i, 10*i)
	}
	m.Store(1, 42)
	for i, want := range [MemoSlots]int{0, 42, 20, 30} {
		if got := m.Load(i); got != want {
			t.Errorf("slot %d holds %v, want %d", i, got, want)
		}
	}
}

func TestMemoIsFilledByManyAtOnce(t *testing.T) {
	var m Memo
	var group sync.WaitGroup
	for i := range MemoSlots {
		group.Go(func() { m.Store(i, i) })
		group.Go(func() { m.Load(MemoSlots - 1 - i) })
	}
	group.Wait()
	for i := range MemoSlots {
		if got := m.Load(i); got != i {
			t.Errorf("slot %d holds %v, want %d", i, got, i)
		}
	}
}
