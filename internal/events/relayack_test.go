package events

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"eligibility/internal/hlc"
)

// pushed is a feed that is sent its batches.
type pushed chan FeedBatch

func (p pushed) Follow(ctx context.Context, _ hlc.Timestamp, yield func(FeedBatch) error) error {
	for {
		select {
		case b := <-p:
			if err := yield(b); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// pushedTo starts a relay on a pushed feed, in a bubble.
func pushedTo(t *testing.T, p *pipe) (pushed, *Relay) {
	t.Helper()
	feed := make(pushed)
	cfg := DefaultRelayConfig("a")
	cfg.Logger = silent()
	r, err := NewRelay(feed, newStore(), p, cfg)
	if err == nil {
		err = r.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	synctest.Wait()
	return feed, r
}

func TestABatchIsAcknowledgedWhenTheBusHasAllOfIt(t *testing.T) {
	soon := func(d time.Duration) hlc.Timestamp { return at(1000).Add(d) }
	for _, c := range []struct {
		name  string
		batch FeedBatch
	}{
		{"changes of several partitions", FeedBatch{Changes: []Change{profileAt("u1", soon(1)), profileAt("u2", soon(2)), profileAt("u3", soon(3)), profileAt("u4", soon(4))}}},
		{"a resolved stamp alone", FeedBatch{Resolved: soon(1)}},
		{"both", FeedBatch{Changes: []Change{profileAt("u1", soon(1))}, Resolved: soon(1)}},
		{"one that cannot be carried", FeedBatch{Changes: []Change{{At: soon(1)}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &pipe{partitions: 4, down: true}
				feed, _ := pushedTo(t, p)
				var told atomic.Int64
				c.batch.Acknowledged = func() { told.Add(1) }
				feed <- c.batch
				after(10 * time.Second)
				if told.Load() != 0 {
					t.Fatal("acknowledged while the bus was down")
				}
				p.set(func() { p.down = false })
				after(10 * time.Second)
				if told.Load() != 1 {
					t.Errorf("told %d times, want once", told.Load())
				}
			})
		})
	}
}

func TestABatchThatAsksNothingOfTheBusIsAcknowledgedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed, r := pushedTo(t, &pipe{partitions: 2})
		var told atomic.Int64
		count := func() { told.Add(1) }
		feed <- FeedBatch{Acknowledged: count}
		feed <- FeedBatch{Resolved: at(1), Acknowledged: count} // behind the start: it goes nowhere
		synctest.Wait()
		if told.Load() != 2 || r.Stats().Backwards != 1 {
			t.Errorf("told %d times, %+v; want both at once", told.Load(), r.Stats())
		}
	})
}

func TestBatchesAreAcknowledgedInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		p := &pipe{partitions: 1, hold: hold}
		feed, _ := pushedTo(t, p)
		var order []int // the one sender's goroutine writes it
		for i := range 5 {
			feed <- FeedBatch{Changes: []Change{profileAt("u", at(1000).Add(time.Duration(i)))}, Resolved: at(1000).Add(time.Duration(i)), Acknowledged: func() {
				order = append(order, i)
			}}
		}
		close(hold)
		synctest.Wait()
		if !slices.Equal(order, []int{0, 1, 2, 3, 4}) {
			t.Errorf("acknowledged in the order %v", order)
		}
	})
}

func TestNobodyWaitsWithoutBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed, r := pushedTo(t, &pipe{partitions: 1, down: true})
		for i := range 2 * laneWaiters {
			feed <- FeedBatch{Resolved: at(1000).Add(time.Duration(i)), Acknowledged: func() {}}
		}
		synctest.Wait()
		l := r.term.Load().lanes[0]
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.waiters) > laneWaiters || len(l.marks) > laneMarks {
			t.Errorf("%d waiters and %d marks, want at most %d and %d", len(l.waiters), len(l.marks), laneWaiters, laneMarks)
		}
	})
}

// What a term took and could not publish is never acknowledged: whoever sent it sends it again.
func TestATermThatEndsAcknowledgesNothingMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipe{partitions: 1, down: true}
		feed, r := pushedTo(t, p)
		told := false
		feed <- FeedBatch{Changes: []Change{profileAt("u", at(1000))}, Acknowledged: func() { told = true }}
		r.Stop()
		p.set(func() { p.down = false })
		after(time.Minute)
		if told {
			t.Error("acknowledged, and nothing was published")
		}
	})
}
