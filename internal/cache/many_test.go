package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

func users(n int) []profile.Key {
	keys := make([]profile.Key, n)
	for i := range keys {
		keys[i] = user(fmt.Sprint(i))
	}
	return keys
}

// getMany reads in the background, inside a bubble.
func getMany(ctx context.Context, c *Cache, keys []profile.Key, d Demand) (dst []Read, done <-chan error) {
	dst = make([]Read, len(keys))
	out := make(chan error, 1)
	go func() { out <- c.GetMany(ctx, keys, &d, dst) }()
	synctest.Wait()
	return dst, out
}

func TestGetManyUsesHitsAndKeepsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		cfg := small()
		cfg.BatchMax = 4
		c := started(t, cfg, w)
		keys := users(11)
		mustGet(t, c, keys[3], Demand{})
		mustGet(t, c, keys[7], Demand{})
		before := w.loadCount()
		dst := make([]Read, len(keys))
		if err := c.GetMany(t.Context(), keys, &Demand{}, dst); err != nil {
			t.Fatal(err)
		}
		for i, r := range dst {
			if hit := i == 3 || i == 7; r.Snapshot == nil || r.Snapshot.Key != keys[i] || r.Hit != hit || r.Memo != nil != hit || r.TrueAt.IsZero() {
				t.Fatalf("user %d: %+v, want a read of %v, hit %v", i, r, keys[i], hit)
			}
		}
		var sizes []int
		for _, batch := range w.loads[before:] {
			sizes = append(sizes, len(batch))
		}
		if !slices.Equal(sizes, []int{4, 4, 1}) {
			t.Fatalf("loads %v, want batches of 4, 4 and 1", w.loads[before:])
		}
		if s := c.Stats(); s.Entries != 2 || s.Fills != 2 {
			t.Fatalf("stats %+v: want only the two entries of before", s)
		}
	})
}

func TestGetManyHasABudgetOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.manual = true
		cfg := small()
		cfg.MaxLoads, cfg.BulkLoads = 1, 2
		c := started(t, cfg, w)
		var bulk []<-chan error
		for range 4 {
			_, done := getMany(t.Context(), c, users(3), Demand{})
			bulk = append(bulk, done)
		}
		if n := w.loadCount(); n != 2 {
			t.Fatalf("%d bulk loads at once, want 2", n)
		}
		single := get(t.Context(), c, user("ann"), Demand{})
		if n := w.loadCount(); n != 3 {
			t.Fatal("a single read waits for bulk reads")
		}
		w.finishLoad(2, nil)
		if r := <-single; r.err != nil {
			t.Fatal(r.err)
		}
		for range 4 {
			w.finishLoad(0, nil)
		}
		for _, done := range bulk {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestGetManyReadsAgainWhatAChangeOvertook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.manual = true
		c := started(t, small(), w)
		keys := users(5)
		dst, done := getMany(t.Context(), c, keys, Demand{})
		w.letRead(0)
		synctest.Wait()
		pass(time.Millisecond)
		tell(c, w, w.commit(keys[2], 0))
		w.finishLoad(0, nil)
		w.finishLoad(0, nil)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if len(w.loads) != 2 || len(w.loads[1]) != 1 || w.contained(dst[2].Snapshot) != 1 {
			t.Fatalf("loads %v, user 2 with %d changes; want him alone read again, with the change", w.loads, w.contained(dst[2].Snapshot))
		}
	})
}

func TestGetManyErrors(t *testing.T) {
	cases := []struct {
		name   string
		world  func(*world)
		demand func(now hlc.Timestamp) Demand
		cancel bool
		want   error
		wait   time.Duration
	}{
		{
			name: "store down, never stale", world: func(w *world) { w.fail = errBroken },
			demand: func(hlc.Timestamp) Demand { return Demand{MaxStale: time.Hour} }, want: profile.ErrUnavailable,
		},
		{name: "store hangs", world: func(w *world) { w.manual = true }, want: profile.ErrUnavailable, wait: time.Second},
		{name: "caller leaves", world: func(w *world) { w.manual = true }, cancel: true, want: context.Canceled},
		{
			name:   "stamp in the future",
			demand: func(now hlc.Timestamp) Demand { return Demand{MinAsOf: now.Add(time.Second)} }, want: ErrAsOfInFuture,
		},
		{
			name: "stamp not reached", world: func(w *world) { w.behind = time.Second },
			demand: func(now hlc.Timestamp) Demand { return Demand{MinAsOf: now} }, want: ErrAsOfNotReached,
		},
		{
			name: "stamp reached", world: func(w *world) { w.behind = 100 * time.Millisecond },
			demand: func(now hlc.Timestamp) Demand { return Demand{MinAsOf: now} }, wait: 101 * time.Millisecond,
		},
		{
			name: "schema behind", demand: func(hlc.Timestamp) Demand { return Demand{ReadsSchema: 9} },
			want: ErrSchemaBehind, wait: 600 * time.Millisecond,
		},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				c := started(t, small(), w)
				synctest.Wait()
				mustGet(t, c, user("0"), Demand{})
				pass(1500 * time.Millisecond)
				if tc.world != nil {
					w.set(tc.world)
				}
				var d Demand
				if tc.demand != nil {
					d = tc.demand(w.now())
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				began := time.Now()
				_, done := getMany(ctx, c, users(3), d)
				if tc.cancel {
					cancel()
				}
				if err := <-done; !errors.Is(err, tc.want) || err == nil != (tc.want == nil) {
					t.Fatalf("got %v, want %v", err, tc.want)
				}
				if took := time.Since(began); took != tc.wait {
					t.Fatalf("took %v, want %v", took, tc.wait)
				}
				if down := errors.Is(tc.want, profile.ErrUnavailable) && tc.world != nil; c.State().StoreDown != down {
					t.Fatalf("store counts as down: %v, want %v", !down, down)
				}
			})
		})
	}
}

func TestGetManyOfNothing(t *testing.T) {
	c := started(t, small(), newWorld())
	if err := c.GetMany(t.Context(), nil, &Demand{}, nil); err != nil {
		t.Fatal(err)
	}
}

func TestGetManyAnswersARightRowWithALowStamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.behind = 200 * time.Millisecond
		c := started(t, small(), w)
		change := w.commit(user("1"), 0)
		c.RaiseOwn([]events.Change{change})
		dst := make([]Read, 2)
		if err := c.GetMany(t.Context(), users(2), &Demand{}, dst); err != nil || w.contained(dst[1].Snapshot) != 1 {
			t.Fatalf("got %+v, %v; want the row", dst[1], err)
		}
		if dst[1].TrueAt != dst[1].Snapshot.AsOf {
			t.Fatalf("the row claims %v, beyond its stamp %v", dst[1].TrueAt, dst[1].Snapshot.AsOf)
		}
	})
}
