package events

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"eligibility/internal/hlc"
)

// Whatever is put and taken in whatever order: nothing is lost or overtaken, a resolved stamp never goes out before what was put ahead of
// it, the greatest one goes out in the end, and nothing grows beyond its bound.
func TestLaneKeepsOrderAndResolvesOnlyWhatWasTaken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var count relayCounters
		l := newLane(0, 1, at(1))
		b := Batch{Changes: make([]Change, 0, MaxBatchChanges)}
		clock, put, taken := at(1), 0, 0
		var resolved, told hlc.Timestamp
		putBefore := map[hlc.Timestamp]int{} // resolved stamp → changes put before it
		take := func(t *rapid.T) {
			seq := l.seq
			some, _ := l.take(&b, &count)
			if !some {
				if taken != put {
					t.Fatalf("nothing to take with %d changes waiting", put-taken)
				}
				return
			}
			if b.Seq != seq+1 || len(b.Changes) > MaxBatchChanges {
				t.Fatalf("batch %d after %d with %d changes", b.Seq, seq, len(b.Changes))
			}
			for _, c := range b.Changes {
				if c.At.Wall != int64(taken) {
					t.Fatalf("change %d came as number %d", c.At.Wall, taken)
				}
				taken++
			}
			if !b.Resolved.IsZero() {
				if putBefore[b.Resolved] > taken || b.Resolved.Before(told) {
					t.Fatalf("resolved %v with %d of %d changes out, after %v", b.Resolved, taken, putBefore[b.Resolved], told)
				}
				told = b.Resolved
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				for range min(rapid.IntRange(1, 700).Draw(t, "changes"), laneChanges-(put-taken)) {
					if err := l.put(context.Background(), profileAt("u", hlc.Timestamp{Wall: int64(put)}), clock); err != nil {
						t.Fatal(err)
					}
					put++
				}
			},
			"resolve": func(t *rapid.T) {
				for range rapid.SampledFrom([]int{1, 2, 2 * laneMarks}).Draw(t, "stamps") {
					clock = clock.Add(time.Second)
					putBefore[clock], resolved = put, clock
					l.resolve(clock)
				}
			},
			"take": take,
			"": func(t *rapid.T) {
				if l.depth() != put-taken || len(l.marks) > laneMarks {
					t.Fatalf("%d waiting and %d marks, want %d and at most %d", l.depth(), len(l.marks), put-taken, laneMarks)
				}
			},
		})
		for taken < put || told != resolved {
			take(t)
			if some := l.depth() > 0 || len(l.marks) > 0; !some && told != resolved {
				t.Fatalf("all is out, and resolved is %v, not %v", told, resolved)
			}
		}
	})
}

func TestALaneThatIsAlwaysBehindResolvesAllTheSame(t *testing.T) {
	var count relayCounters
	l := newLane(0, 1, at(1))
	b := Batch{Changes: make([]Change, 0, MaxBatchChanges)}
	fill := func() {
		for l.depth() < laneChanges {
			if err := l.put(t.Context(), profileAt("u", at(1)), at(1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	var told hlc.Timestamp
	const rounds = 40
	for round := range int64(rounds) {
		fill()
		for range 2 * laneMarks { // a feed that resolves much faster than the bus takes
			l.resolve(at(round + 2))
		}
		if some, _ := l.take(&b, &count); !some {
			t.Fatal("nothing to take")
		}
		told = hlc.Max(told, b.Resolved)
	}
	if behind := at(rounds + 1).Sub(told); behind > 2*laneChanges/MaxBatchChanges*time.Second {
		t.Errorf("the lane resolved up to %v before the last one", behind)
	}
}

func TestAFullLaneBlocksUntilThereIsRoomOrTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var count relayCounters
		l := newLane(0, 1, at(1))
		for range laneChanges {
			if err := l.put(t.Context(), profileAt("u", at(1)), at(1)); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.put(ctx, profileAt("u", at(1)), at(1)); err == nil {
			t.Fatal("a full lane took a change")
		}
		done := make(chan error, 1)
		go func() { done <- l.put(t.Context(), profileAt("u", at(1)), at(1)) }()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("put returned %v while the lane was full", err)
		default:
		}
		l.take(&Batch{}, &count)
		if err := <-done; err != nil {
			t.Fatalf("put = %v after there was room", err)
		}
	})
}
