package events

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"eligibility/internal/hlc"
)

// The follower is attached at second 100 and its clock shows 100 throughout, unless a case says otherwise. Partition 0 of 1.
func TestFollowerJudgesBatches(t *testing.T) {
	first := Batch{Epoch: 5, Seq: 7, Base: at(50), High: at(90), Resolved: at(95)}
	far := hlc.Timestamp{Wall: math.MaxInt64}
	row := profileAt("u1", at(98))
	with := func(b Batch, change func(*Batch)) Batch {
		change(&b)
		return b
	}
	next := with(first, func(b *Batch) { b.Seq, b.High, b.Resolved, b.Changes = 8, at(98), at(99), []Change{row} })
	cases := []struct {
		name      string
		batches   []Batch
		gap       hlc.Timestamp // greatest gap after the start, zero for none
		watermark hlc.Timestamp
		floor     hlc.Timestamp // of row
		count     func(FollowerStats) uint64
		want      uint64
	}{
		{name: "first batch of an epoch that began before the start", batches: []Batch{first}, watermark: at(95), floor: at(100)},
		{
			name:    "first batch of an epoch that begins after the start",
			batches: []Batch{with(first, func(b *Batch) { b.Seq, b.Base, b.High, b.Resolved = 1, at(101), at(101), at(102) })},
			gap:     at(101), watermark: at(102), floor: at(101),
		},
		{
			name:      "first batch is an epoch's first, nothing to miss before it",
			batches:   []Batch{with(first, func(b *Batch) { b.Seq, b.High, b.Resolved = 1, at(103), at(103) })},
			watermark: at(103), floor: at(100),
		},
		{
			name:    "first batch had predecessors stamped above our start",
			batches: []Batch{with(first, func(b *Batch) { b.High, b.Resolved = at(103), at(103) })},
			gap:     at(103), watermark: at(103), floor: at(103),
		},
		{name: "next in order", batches: []Batch{first, next}, watermark: at(99), floor: at(100)},
		{
			name: "duplicate a thousand times", batches: append([]Batch{first}, slices.Repeat([]Batch{next}, 1001)...),
			watermark: at(99), floor: at(100), count: func(s FollowerStats) uint64 { return s.Repeats }, want: 1000,
		},
		{
			name: "gap in the sequence", batches: []Batch{first, with(next, func(b *Batch) { b.Seq, b.High, b.Resolved = 9, at(104), at(105) })},
			gap: at(104), watermark: at(105), floor: at(104), count: func(s FollowerStats) uint64 { return s.Gaps }, want: 1,
		},
		{
			name: "a late batch after a gap raises floors only",
			batches: []Batch{
				first, with(next, func(b *Batch) { b.Seq, b.High, b.Resolved = 9, at(99), at(99) }),
				with(next, func(b *Batch) { b.Resolved, b.Changes = at(106), []Change{profileAt("u1", at(105))} }),
			},
			gap: at(99), watermark: at(99), floor: at(105), count: func(s FollowerStats) uint64 { return s.Repeats }, want: 1,
		},
		{
			name: "sequence reset to 1 in the same epoch, with a later commit",
			batches: []Batch{
				first, with(next, func(b *Batch) { b.Seq, b.High, b.Resolved = 1, at(104), at(106) }),
				with(next, func(b *Batch) { b.Seq, b.High, b.Resolved = 2, at(104), at(107) }),
			},
			gap: at(104), watermark: at(107), floor: at(104), count: func(s FollowerStats) uint64 { return s.Gaps }, want: 1,
		},
		{
			name:      "sequence reset to 1 in the same epoch, told apart from a repeat by nothing: the watermark waits",
			batches:   []Batch{first, next, with(next, func(b *Batch) { b.Seq, b.Resolved = 1, at(106) })},
			watermark: at(99), floor: at(100), count: func(s FollowerStats) uint64 { return s.Repeats }, want: 1,
		},
		{
			name: "lower epoch is ignored, its changes are not",
			batches: []Batch{first, with(next, func(b *Batch) {
				b.Epoch, b.Seq, b.Resolved, b.Changes = 4, 100, at(106), []Change{profileAt("u1", at(105))}
			})},
			watermark: at(95), floor: at(105), count: func(s FollowerStats) uint64 { return s.LowerEpochs }, want: 1,
		},
		{
			name:      "higher epoch from a cursor we have passed",
			batches:   []Batch{first, with(next, func(b *Batch) { b.Epoch, b.Seq, b.Base = 6, 1, at(94) })},
			watermark: at(99), floor: at(100), count: func(s FollowerStats) uint64 { return s.HigherEpochs }, want: 1,
		},
		{
			name:    "higher epoch from a cursor above our watermark, but below the start",
			batches: []Batch{first, with(next, func(b *Batch) { b.Epoch, b.Seq, b.Base = 6, 1, at(97) })},
			gap:     at(97), watermark: at(99), floor: at(100), count: func(s FollowerStats) uint64 { return s.Gaps }, want: 0,
		},
		{
			name: "higher epoch from a cursor above all we know, however far the epoch jumped",
			batches: []Batch{first, with(next, func(b *Batch) {
				b.Epoch, b.Seq, b.Base, b.High, b.Resolved = math.MaxUint64, 1, at(104), at(104), at(105)
			})},
			gap: at(104), watermark: at(105), floor: at(104),
		},
		{
			name:    "higher epoch whose first batches are missing",
			batches: []Batch{first, with(next, func(b *Batch) { b.Epoch, b.Seq, b.Base, b.High, b.Resolved = 6, 3, at(94), at(104), at(105) })},
			gap:     at(104), watermark: at(105), floor: at(104),
		},
		{
			name: "resolved going backwards", batches: []Batch{first, with(next, func(b *Batch) { b.Resolved = at(94) })},
			watermark: at(95), floor: at(100), count: func(s FollowerStats) uint64 { return s.Backwards }, want: 1,
		},
		{
			name:      "resolved lower in a new epoch is no fault",
			batches:   []Batch{first, with(next, func(b *Batch) { b.Epoch, b.Seq, b.Base, b.Resolved = 6, 1, at(90), at(91) })},
			watermark: at(95), floor: at(100), count: func(s FollowerStats) uint64 { return s.Backwards }, want: 0,
		},
		{
			name:    "change far ahead of the clock",
			batches: []Batch{first, with(next, func(b *Batch) { b.Changes = []Change{profileAt("u1", far), row} })},
			gap:     at(100), watermark: at(95), floor: at(100), count: func(s FollowerStats) uint64 { return s.Implausible }, want: 1,
		},
		{
			name:      "change ten seconds ahead of the clock is believed",
			batches:   []Batch{first, with(next, func(b *Batch) { b.Changes = []Change{profileAt("u1", at(110))} })},
			watermark: at(99), floor: at(110),
		},
		{
			name:    "change a nanosecond further is not",
			batches: []Batch{first, with(next, func(b *Batch) { b.Changes = []Change{profileAt("u1", at(110).Add(1))} })},
			gap:     at(100), watermark: at(95), floor: at(100),
		},
		{
			name: "resolved far ahead of the clock", batches: []Batch{first, with(next, func(b *Batch) { b.Resolved = far })},
			gap: at(100), watermark: at(95), floor: at(100), count: func(s FollowerStats) uint64 { return s.Implausible }, want: 1,
		},
		{
			name: "high far ahead of the clock", batches: []Batch{first, with(next, func(b *Batch) { b.High = far })},
			gap: at(100), watermark: at(95), floor: at(100),
		},
		{
			name: "base far ahead of the clock", batches: []Batch{first, with(next, func(b *Batch) { b.Epoch, b.Base = 6, far })},
			gap: at(100), watermark: at(95), floor: at(100),
		},
		{
			name: "the next believable batch ends the doubt",
			batches: []Batch{
				first, with(next, func(b *Batch) { b.Resolved = far }),
				with(next, func(b *Batch) { b.Seq, b.High, b.Resolved = 9, at(104), at(105) }),
			},
			gap: at(104), watermark: at(105), floor: at(104), count: func(s FollowerStats) uint64 { return s.Gaps }, want: 2,
		},
		{
			name: "partition that does not exist", batches: []Batch{first, with(next, func(b *Batch) { b.Partition = 1 })},
			gap: at(100), watermark: at(95), floor: at(100), count: func(s FollowerStats) uint64 { return s.Undecodable }, want: 1,
		},
		{
			name:      "unknown table and project",
			batches:   []Batch{first, with(next, func(b *Batch) { b.Changes = []Change{{Table: 99, Project: "", Key: "x", At: at(99)}} })},
			watermark: at(99), floor: at(100),
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			now := at(100)
			f, sink := followerAt(t, 1, &now)
			for i := range c.batches {
				f.Batch(&c.batches[i])
			}
			want := hlc.Max(at(100), c.gap)
			gaps := slices.Contains(sink.calls, "gap")
			if sink.global != want || gaps != !c.gap.IsZero() {
				t.Errorf("global floor %v, a gap reported: %t; want %v, %t", sink.global, gaps, want, !c.gap.IsZero())
			}
			if sink.watermark != c.watermark || f.Watermark() != c.watermark {
				t.Errorf("watermark %v, shown %v; want %v", sink.watermark, f.Watermark(), c.watermark)
			}
			if got := sink.of(row); got != c.floor {
				t.Errorf("floor of the row %v; want %v", got, c.floor)
			}
			if c.count != nil && c.count(f.Stats()) != c.want {
				t.Errorf("counter %d, want %d: %+v", c.count(f.Stats()), c.want, f.Stats())
			}
			if sink.fault != "" {
				t.Error(sink.fault)
			}
		})
	}
}

func TestFollowerReportsAGapBeforeTheChangesBehindIt(t *testing.T) {
	now := at(100)
	f, sink := followerAt(t, 1, &now)
	f.Batch(&Batch{Epoch: 1, Seq: 1, Base: at(90), High: at(90)})
	f.Batch(&Batch{Epoch: 1, Seq: 3, Base: at(90), High: at(101), Resolved: at(101), Changes: []Change{profileAt("u1", at(101))}})
	if want := []string{"gap", "apply 1"}; !slices.Equal(sink.calls, want) {
		t.Errorf("calls of the sink: %v, want %v", sink.calls, want)
	}
}

func TestWatermarkIsThatOfTheSlowestPartition(t *testing.T) {
	now := at(100)
	f, sink := followerAt(t, 3, &now)
	send := func(partition uint16, seq uint64, resolved hlc.Timestamp) {
		f.Batch(&Batch{Partition: partition, Epoch: 1, Seq: seq, Base: at(90), High: at(90), Resolved: resolved})
	}
	send(0, 1, at(101))
	send(1, 1, at(102))
	send(1, 2, at(103))
	if !sink.watermark.IsZero() {
		t.Fatalf("watermark %v before every partition has resolved", sink.watermark)
	}
	send(2, 1, at(99))
	if sink.watermark != at(99) {
		t.Fatalf("watermark %v, want %v", sink.watermark, at(99))
	}
	send(2, 2, at(105))
	if sink.watermark != at(101) {
		t.Fatalf("watermark %v, want %v", sink.watermark, at(101))
	}
}

func TestHintsRaiseFloorsAndNothingElse(t *testing.T) {
	now := at(100)
	f, sink := followerAt(t, 1, &now)
	f.Hint(&Hint{Changes: []Change{profileAt("u1", at(105))}})
	if sink.of(profileAt("u1", at(0))) != at(105) || sink.global != at(100) || !sink.watermark.IsZero() {
		t.Errorf("after a hint: %+v", sink)
	}
	f.Hint(&Hint{Changes: []Change{profileAt("u2", at(500))}})
	if sink.global != at(100) || sink.of(profileAt("u2", at(0))) != at(100) || !slices.Contains(sink.calls, "gap") {
		t.Errorf("after a hint from the future: %+v; want a gap at the present", sink)
	}
	if got := f.Stats(); got.Hints != 2 || got.Gaps != 1 || got.Implausible != 1 {
		t.Errorf("stats %+v", got)
	}
}

func TestLostIsAGapAtThePresent(t *testing.T) {
	now := at(100)
	f, sink := followerAt(t, 1, &now)
	now = at(130)
	f.Lost(LossRecreated)
	f.Lost(LossUndecodable)
	if sink.global != at(130) || f.Stats().Gaps != 2 || f.Stats().Undecodable != 1 || f.Stats().Interruptions != 1 {
		t.Errorf("global floor %v, stats %+v", sink.global, f.Stats())
	}
}

func TestFollowerStartCoversThePastAndSurvivesABrokenSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus, sink := newLineup(1), newFloors()
		var now atomic.Int64
		now.Store(100)
		cfg := DefaultFollowerConfig(func() hlc.Timestamp { return at(now.Load()) })
		cfg.Logger = silent()
		f, err := NewFollower(bus, sink, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Start(t.Context()); err != nil {
			t.Fatalf("Start: %v", err)
		}
		if err := f.Start(t.Context()); err != nil {
			t.Fatalf("second Start: %v", err)
		}
		<-bus.attached
		if sink.global != at(100) {
			t.Fatalf("global floor after the start: %v, want the present", sink.global)
		}
		gone := errors.New("the bus is gone")
		bus.fail.Store(&gone)
		bus.breakOff <- gone
		after(time.Minute) // many attempts fail
		bus.fail.Store(nil)
		now.Store(200)
		<-bus.attached
		synctest.Wait()
		if sink.global != at(200) || f.Stats().Gaps != 1 || f.Stats().Interruptions != 1 {
			t.Errorf("after the subscription broke off: global floor %v, stats %+v; want a gap at the present", sink.global, f.Stats())
		}
		f.Stop()
		f.Stop()
		if err := f.Start(t.Context()); err == nil {
			t.Error("Start after Stop succeeded")
		}
	})
}

// early hands a batch over before it says that it is ready.
type early struct{ *lineup }

func (e early) Subscribe(ctx context.Context, ready chan<- struct{}, h Handler) error {
	h.Batch(&Batch{Epoch: 1, Seq: 1, Base: at(90), High: at(90), Resolved: at(95)})
	return e.lineup.Subscribe(ctx, ready, h)
}

func TestABatchBeforeReadyDoesNotComeBeforeTheStart(t *testing.T) {
	sink := newFloors()
	cfg := DefaultFollowerConfig(func() hlc.Timestamp { return at(100) })
	cfg.Logger = silent()
	f, err := NewFollower(early{newLineup(1)}, sink, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer f.Stop()
	if want := []string{"gap", "apply 0"}; !slices.Equal(sink.calls, want) {
		t.Errorf("calls of the sink: %v, want %v", sink.calls, want)
	}
}

func TestFollowerDoesNotStartBlind(t *testing.T) {
	unknown := DefaultFollowerConfig(func() hlc.Timestamp { return hlc.Timestamp{} })
	known := DefaultFollowerConfig(func() hlc.Timestamp { return at(1) })
	unknown.Logger, known.Logger = silent(), silent()
	broken := newLineup(1)
	noStream := errors.New("no such stream")
	broken.fail.Store(&noStream)
	cases := []struct {
		name string
		bus  *lineup
		cfg  FollowerConfig
	}{
		{name: "clock unknown", bus: newLineup(1), cfg: unknown},
		{name: "no subscription", bus: broken, cfg: known},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			sink := newFloors()
			f, err := NewFollower(c.bus, sink, c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := f.Start(ctx); err == nil {
				t.Error("Start succeeded")
			}
			f.Stop()
		})
	}
	if _, err := NewFollower(newLineup(0), newFloors(), known); err == nil {
		t.Error("a follower of no partitions was made")
	}
	if _, err := NewFollower(newLineup(1), newFloors(), FollowerConfig{}); err == nil {
		t.Error("a follower without a configuration was made")
	}
}

func TestFollowingDoesNotAllocate(t *testing.T) {
	now := at(100)
	f, _ := followerAt(t, 1, &now)
	f.sink = Fanout(nil)
	b := Batch{Epoch: 1, Base: at(90), High: at(99), Changes: slices.Repeat([]Change{profileAt("u1", at(99))}, 64)}
	if n := testing.AllocsPerRun(1000, func() {
		b.Seq++
		f.Batch(&b)
	}); n != 0 {
		t.Errorf("%v allocations for a batch without a watermark", n)
	}
}

func BenchmarkFollower(b *testing.B) {
	now := at(100)
	f, _ := followerAt(b, 1, &now)
	f.sink = Fanout(nil)
	batch := Batch{Epoch: 1, Base: at(90), High: at(99), Changes: slices.Repeat([]Change{profileAt("u1", at(99))}, 64)}
	b.ReportAllocs()
	for b.Loop() {
		batch.Seq++
		f.Batch(&batch)
	}
}
