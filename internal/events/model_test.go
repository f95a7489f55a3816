package events

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"eligibility/internal/hlc"
)

// world is a database, some relays and a network that loses, repeats and reorders what they send to one follower. It holds what law L2
// and L3 promise together: once the watermark has passed a commit, no snapshot from before it is valid, whatever became of the message
// about it.
type world struct {
	clock    hlc.Timestamp // the database's
	behind   time.Duration // how far the follower's notion of it lags
	commits  []Change
	relays   []*modelRelay
	cursor   hlc.Timestamp // saved
	flying   [][]Batch     // sent and neither delivered nor lost, by partition
	follower *Follower
	sink     *floors
	attached bool
}

const modelPartitions = 3

// modelRelay sends what a relay would. One that was replaced may go on sending.
type modelRelay struct {
	epoch    uint64
	base     hlc.Timestamp
	high     hlc.Timestamp
	seq      [modelPartitions]uint64
	sent     [modelPartitions]hlc.Timestamp // every commit of the partition up to here was sent
	resolved [modelPartitions]hlc.Timestamp
}

func newWorld(t *rapid.T) *world {
	w := &world{clock: at(1000), flying: make([][]Batch, modelPartitions)}
	w.takeOver(at(1000))
	w.sink = newFloors()
	cfg := DefaultFollowerConfig(func() hlc.Timestamp { return w.clock.Add(-w.behind) })
	cfg.Logger = silent()
	var err error
	if w.follower, err = NewFollower(newLineup(modelPartitions), w.sink, cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) takeOver(base hlc.Timestamp) {
	r := &modelRelay{epoch: uint64(len(w.relays) + 1), base: base, high: base}
	for p := range modelPartitions {
		r.sent[p] = base
	}
	w.relays = append(w.relays, r)
}

func (w *world) leader() *modelRelay { return w.relays[len(w.relays)-1] }

func (w *world) tick(t *rapid.T) {
	w.clock = w.clock.Add(time.Duration(rapid.IntRange(1, 2000).Draw(t, "milliseconds")) * time.Millisecond)
}

// send lets a relay send the commits of a partition that it has not sent, oldest first and not always all of them. When all, it may
// resolve.
func (w *world) send(t *rapid.T, r *modelRelay, p uint16) Batch {
	r.seq[p]++
	b := Batch{Partition: p, Epoch: r.epoch, Seq: r.seq[p], Base: r.base}
	most := rapid.IntRange(0, 4).Draw(t, "changes")
	all := true
	for _, c := range w.commits {
		if Partition(c.Project, c.Key, modelPartitions) != p || !c.At.After(r.sent[p]) {
			continue
		}
		if len(b.Changes) == most {
			all = false
			break
		}
		b.Changes = append(b.Changes, c)
	}
	for _, c := range b.Changes {
		r.sent[p], r.high = c.At, hlc.Max(r.high, c.At)
	}
	b.High = r.high
	if all && rapid.Bool().Draw(t, "resolve") {
		// The database gives every later commit a greater stamp.
		b.Resolved, r.sent[p], r.resolved[p] = w.clock, w.clock, w.clock
	}
	return b
}

func (w *world) actions() map[string]func(*rapid.T) {
	partition := func(t *rapid.T) uint16 { return rapid.Uint16Range(0, modelPartitions-1).Draw(t, "partition") }
	return map[string]func(*rapid.T){
		"commit": func(t *rapid.T) {
			w.tick(t)
			w.commits = append(w.commits, profileAt(fmt.Sprintf("u%d", rapid.IntRange(0, 8).Draw(t, "user")), w.clock))
		},
		"relay sends": func(t *rapid.T) {
			w.tick(t)
			r, p := rapid.SampledFrom(w.relays[max(0, len(w.relays)-2):]).Draw(t, "relay"), partition(t)
			w.flying[p] = append(w.flying[p], w.send(t, r, p))
		},
		"relay cannot carry a change": func(t *rapid.T) {
			p := partition(t)
			r := w.leader()
			for _, c := range w.commits {
				if Partition(c.Project, c.Key, modelPartitions) == p && c.At.After(r.sent[p]) {
					r.sent[p], r.high = c.At, hlc.Max(r.high, c.At)
					r.seq[p]++
					break
				}
			}
		},
		"garbage on the way": func(t *rapid.T) {
			r, p := w.leader(), partition(t)
			b := w.send(t, r, p)
			far := w.clock.Add(time.Duration(rapid.IntRange(11, 1000).Draw(t, "seconds ahead")) * time.Second)
			b.Changes = append(slices.Clone(b.Changes), profileAt("u1", far))
			w.flying[p] = append(w.flying[p], b)
		},
		"cursor is saved": func(t *rapid.T) {
			lowest := w.leader().resolved[0]
			for _, resolved := range w.leader().resolved {
				lowest = hlc.Min(lowest, resolved)
			}
			w.cursor = hlc.Max(w.cursor, lowest)
		},
		"another relay takes over": func(t *rapid.T) {
			if w.cursor.IsZero() || rapid.IntRange(0, 3).Draw(t, "cursor too old") == 0 {
				w.tick(t)
				w.takeOver(w.clock)
				return
			}
			w.takeOver(w.cursor)
		},
		"clock jumps ahead": func(t *rapid.T) {
			jump := time.Duration(rapid.SampledFrom([]int{9, 11, 12, 60}).Draw(t, "seconds")) * time.Second
			w.clock = w.clock.Add(jump)
			if w.attached {
				w.behind += jump
			}
		},
		"follower learns the clock": func(*rapid.T) { w.behind = 0 },
		"deliver": func(t *rapid.T) {
			p := partition(t)
			if !w.attached || len(w.flying[p]) == 0 {
				return
			}
			i := 0
			fault := rapid.SampledFrom([]string{"", "", "", "lose", "repeat", "overtake", "discard"}).Draw(t, "fault")
			if fault == "overtake" {
				i = rapid.IntRange(0, len(w.flying[p])-1).Draw(t, "which")
			}
			b := w.flying[p][i]
			switch fault {
			case "repeat":
			case "discard": // the bus notices by itself
				w.flying[p] = nil
				w.follower.Lost(LossDiscarded)
				return
			default:
				w.flying[p] = slices.Delete(w.flying[p], i, i+1)
			}
			if fault != "lose" {
				w.follower.Batch(&b)
			}
		},
		"follower attaches": func(*rapid.T) {
			if w.attached {
				return
			}
			w.attached = true
			clear(w.flying)
			w.follower.mu.Lock()
			w.follower.attach()
			w.follower.mu.Unlock()
		},
		"": w.check,
	}
}

func (w *world) check(t *rapid.T) {
	if w.sink.fault != "" {
		t.Fatal(w.sink.fault)
	}
	for _, c := range w.commits {
		if !c.At.After(w.sink.watermark) && w.sink.of(c).Before(c.At) {
			t.Fatalf("the watermark %v has passed the commit of %s at %v, whose floor is %v", w.sink.watermark, c.Key, c.At, w.sink.of(c))
		}
	}
}

// settle ends all faults: the leader sends what is left and resolves, and everything it sends arrives.
func (w *world) settle(t *rapid.T) {
	w.actions()["follower attaches"](t)
	w.behind = 0
	w.clock = w.clock.Add(time.Second)
	for range 2 { // the first batch shows what was lost, the second is in order
		for p := range uint16(modelPartitions) {
			r := w.leader()
			for r.resolved[p] != w.clock {
				b := w.send(t, r, p)
				w.follower.Batch(&b)
				w.check(t)
			}
		}
		w.clock = w.clock.Add(time.Second)
	}
	if want := w.clock.Add(-time.Second); w.sink.watermark != want {
		t.Fatalf("all is well again, and the watermark is %v, not %v", w.sink.watermark, want)
	}
}

func TestNoLostChangeIsPassedByTheWatermark(t *testing.T) {
	for range 20 { // a history is cheap, and what is looked for is rare
		rapid.Check(t, func(t *rapid.T) {
			w := newWorld(t)
			t.Repeat(w.actions())
			w.settle(t)
		})
	}
}

// However often and in whatever order deliveries come, the rows' floors end up the same: at the greatest commit time of each.
func TestFloorsDoNotDependOnOrderOrNumberOfDeliveries(outer *testing.T) {
	rapid.Check(outer, func(t *rapid.T) {
		var sent []Batch
		want := map[string]hlc.Timestamp{}
		for seq := range uint64(rapid.IntRange(1, 12).Draw(t, "batches")) {
			b := Batch{Epoch: rapid.Uint64Range(1, 3).Draw(t, "epoch"), Seq: seq + 1, Base: at(90), High: at(99)}
			for range rapid.IntRange(0, 5).Draw(t, "changes") {
				c := profileAt(fmt.Sprintf("u%d", rapid.IntRange(0, 3).Draw(t, "user")), at(int64(rapid.IntRange(80, 105).Draw(t, "second"))))
				b.Changes = append(b.Changes, c)
				row := "1/acme/" + c.Key
				want[row] = hlc.Max(want[row], c.At)
			}
			sent = append(sent, b)
		}
		deliveries := append(slices.Clone(sent), sent[:rapid.IntRange(0, len(sent)).Draw(t, "repeats")]...)
		order := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
		order.Shuffle(len(deliveries), func(i, j int) { deliveries[i], deliveries[j] = deliveries[j], deliveries[i] })
		now := at(100)
		f, sink := followerAt(outer, 1, &now)
		for i := range deliveries {
			f.Batch(&deliveries[i])
		}
		if !maps.Equal(sink.rows, want) {
			t.Fatalf("floors %v, want %v", sink.rows, want)
		}
	})
}
