package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"

	"pgregory.net/rapid"
)

// The model runs whole histories against the cache: commits, loads that begin, read and end in any interleaving, changes delivered late,
// twice, out of order or lost, a watermark, clocks that differ, a store that fails. Every answer is held against what the world knows
// (laws L1 and L3).

// history is one run of a program.
type history struct {
	w       *world
	c       *Cache
	rng     *rand.Rand
	keys    []profile.Key
	pending []events.Change // committed and not yet told by the feed
	told    []events.Change
	readers sync.WaitGroup

	mu    sync.Mutex
	wrong []string
	saw   []answer
}

type answer struct {
	key  profile.Key
	read Read
}

func (h *history) fault(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wrong = append(h.wrong, fmt.Sprintf(format, args...))
}

// play runs the program in a bubble of its own and returns what was wrong.
func play(t *testing.T, program []op, slots int, seed uint64, store func() hints) (wrong []string, stats Stats) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.manual = true
		cfg := small()
		cfg.FloorSlots, cfg.Bound, cfg.MaxLoads, cfg.BatchMax = slots, modelBound, 2, 2
		c := newCache(cfg, w, &hlc.Estimate{}, store())
		if err := c.Start(context.Background()); err != nil {
			t.Error(err)
		}
		h := &history{w: w, c: c, rng: rand.New(rand.NewPCG(seed, 1)), keys: users(3)}
		for _, o := range program {
			h.step(o)
			synctest.Wait()
		}
		h.end()
		c.Stop()
		wrong, stats = h.wrong, c.Stats()
	})
	return wrong, stats
}

func (h *history) step(o op) {
	key := h.keys[o.key]
	switch o.code {
	case opCommit:
		h.pending = append(h.pending, h.w.commit(key, o.d))
	case opOwn:
		change := h.w.commit(key, o.d)
		h.pending = append(h.pending, change)
		h.c.RaiseOwn([]events.Change{change})
		h.w.told(change)
	case opDeliver:
		n := min(o.n, len(h.pending))
		h.deliver(h.pending[:n], hlc.Timestamp{})
		h.pending = slices.Clone(h.pending[n:])
	case opResolve:
		h.resolve(o.d)
	case opGap:
		h.gap()
	case opPass:
		time.Sleep(o.d) // the bubble's time
	case opGet:
		h.get(key, o)
	case opMany:
		h.many(o)
	case opRead:
		if n := h.w.runningCount(); n > 0 {
			h.w.letRead(o.n % n)
		}
	case opEnd, opFail:
		h.endLoad(o)
	case opBehind:
		h.w.set(func(w *world) { w.behind = o.d })
	case opDown:
		h.w.set(func(w *world) { w.fail = errBroken })
	case opUp:
		h.w.set(func(w *world) { w.fail = nil })
	case opSchema:
		h.w.set(func(w *world) { w.schema++ })
	}
}

func (h *history) deliver(changes []events.Change, watermark hlc.Timestamp) {
	batch := slices.Clone(changes)
	for range min(3, len(h.told)) {
		batch = append(batch, h.told[h.rng.IntN(len(h.told))])
	}
	h.rng.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
	h.c.Apply(batch, watermark)
	for _, c := range changes {
		h.w.told(c)
	}
	h.told = append(h.told, changes...)
}

// resolve promises that no commit at or before the stamp will follow.
func (h *history) resolve(lag time.Duration) {
	at := h.w.now().Add(-lag)
	h.w.set(func(w *world) { w.resolved = hlc.Max(w.resolved, at) })
	var due, later []events.Change
	for _, c := range h.pending {
		if c.At.After(at) {
			later = append(later, c)
		} else {
			due = append(due, c)
		}
	}
	h.pending = later
	h.deliver(due, at)
}

// gap loses what is pending and tells of it by the highest stamp that there was.
func (h *history) gap() {
	high := h.w.now()
	for _, c := range h.pending {
		high = hlc.Max(high, c.At)
	}
	h.c.Gap(high)
	for _, c := range h.pending {
		h.w.told(c)
	}
	h.pending = nil
}

func (h *history) endLoad(o op) {
	n := h.w.runningCount()
	if n == 0 {
		return
	}
	h.w.letRead(o.n % n)
	synctest.Wait()
	r := h.w.takeRunning(o.n % n)
	var err error
	if o.code == opFail {
		err = errBroken
	}
	select {
	case r.finish <- err:
	default: // its deadline has passed
	}
}

func (h *history) demand(o op) Demand {
	d := Demand{MaxStale: o.maxStale}
	if o.minAsOf >= 0 {
		d.MinAsOf = h.w.now().Add(o.minAsOf - 50*time.Millisecond)
	}
	if o.schema {
		d.ReadsSchema = h.w.newestSchema()
	}
	return d
}

func (h *history) get(key profile.Key, o op) {
	d := h.demand(o)
	need := h.w.delivered(key)
	h.readers.Go(func() {
		r, err := h.c.Get(context.Background(), key, &d)
		h.check(key, d, r, err, need, 0)
	})
}

func (h *history) many(o op) {
	d := h.demand(o)
	need := make([]int, len(h.keys))
	for i, key := range h.keys {
		need[i] = h.w.delivered(key)
	}
	h.readers.Go(func() {
		began := time.Now()
		dst := make([]Read, len(h.keys))
		err := h.c.GetMany(context.Background(), h.keys, &d, dst)
		for i, key := range h.keys {
			if dst[i].Degraded {
				h.fault("a bulk read is degraded")
			}
			h.check(key, d, dst[i], err, need[i], time.Since(began)) // the first batch ages while the last is read
		}
	})
}

// check holds an answer against the world; need is how many commits had been told of when the reader came, kept how long ago it may have
// been taken.
func (h *history) check(key profile.Key, d Demand, r Read, err error, need int, kept time.Duration) {
	now := h.w.now()
	if err != nil {
		switch {
		case errors.Is(err, ErrAsOfNotReached) && !d.MinAsOf.IsZero(), errors.Is(err, profile.ErrUnavailable) && h.w.troubled():
		case errors.Is(err, ErrOverloaded): // the loads before it were held up for longer than a key may wait
		default:
			h.fault("demand %+v ended in %v", d, err)
		}
		return
	}
	h.mu.Lock()
	h.saw = append(h.saw, answer{key, r})
	h.mu.Unlock()
	contains := h.w.contained(r.Snapshot)
	switch {
	case r.Snapshot.Key != key:
		h.fault("%v got the snapshot of %v", key, r.Snapshot.Key)
	case r.Snapshot.SchemaVersion < d.ReadsSchema:
		h.fault("schema %d, demanded %d", r.Snapshot.SchemaVersion, d.ReadsSchema)
	case r.TrueAt.Before(d.MinAsOf):
		h.fault("true at %v, demanded %v", r.TrueAt, d.MinAsOf)
	case now.Sub(r.Snapshot.AsOf) > 12*time.Minute:
		h.fault("read %v ago", now.Sub(r.Snapshot.AsOf))
	}
	if r.Degraded {
		switch {
		case d.MaxStale == 0 || !d.MinAsOf.IsZero():
			h.fault("degraded against the demand %+v", d)
		case now.Sub(r.TrueAt) > d.MaxStale+maxSkew:
			h.fault("degraded and %v old, allowed %v", now.Sub(r.TrueAt), d.MaxStale)
		case !h.w.troubled():
			h.fault("degraded with a store that never failed")
		}
		return
	}
	switch {
	case contains < need:
		h.fault("contains %d commits of %v, %d had been told of when the reader came: %+v", contains, key, need, r)
	case now.Sub(r.TrueAt) > modelBound+maxSkew+kept:
		h.fault("%v old and not degraded", now.Sub(r.TrueAt))
	}
}

// end lets everything come to rest, checks that no claim was broken later, and that every user is read as he is.
func (h *history) end() {
	h.w.set(func(w *world) { w.fail, w.behind = nil, 0 })
	for n := -1; n != 0; n = h.w.runningCount() {
		if n > 0 {
			h.endLoad(op{code: opEnd})
		}
		synctest.Wait()
	}
	h.w.set(func(w *world) { w.manual = false })
	h.readers.Wait()
	for _, a := range h.saw {
		if got, want := h.w.contained(a.read.Snapshot), h.w.upTo(a.key, a.read.TrueAt); got < want {
			h.fault("%v contains %d commits and claims to be true at %v, when there were %d: %+v", a.key, got, a.read.TrueAt, want, a.read)
		}
	}
	time.Sleep(time.Second) // commits may be stamped ahead
	h.resolve(0)
	for _, key := range h.keys {
		for range 3 {
			r, err := h.c.Get(context.Background(), key, &Demand{ReadsSchema: h.w.newestSchema()})
			if all := h.w.upTo(key, h.w.now().Add(time.Hour)); err != nil || h.w.contained(r.Snapshot) != all {
				h.fault("at rest %v reads %+v, %v; want all %d commits", key, r, err, all)
			}
		}
	}
}

// troubled reports whether the store ever failed, or gave a reader reason to give up.
func (w *world) troubled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failures > 0
}

func TestHistories(t *testing.T) {
	stores := []struct {
		name string
		make func(seed uint64) hints
	}{
		{"faithful", func(uint64) hints { return newFaithful() }},
		{"hostile", func(seed uint64) hints { return newHostile(seed) }},
		{"ristretto", func(uint64) hints {
			h, err := newRistretto(1 << 20)
			if err != nil {
				panic(err)
			}
			return h
		}},
	}
	for _, s := range stores {
		t.Run(s.name, func(t *testing.T) {
			var hits, stale, uncached, refused uint64
			rapid.Check(t, func(rt *rapid.T) {
				slots := rapid.SampledFrom([]int{1, 1 << 12}).Draw(rt, "slots")
				seed := rapid.Uint64().Draw(rt, "seed")
				program := rapid.SliceOfN(ops(), 150, 150).Draw(rt, "program")
				wrong, stats := play(t, program, slots, seed, func() hints { return s.make(seed) })
				if len(wrong) > 0 {
					rt.Fatalf("%d faults, the first: %s", len(wrong), wrong[0])
				}
				hits, stale, uncached, refused = hits+stats.Hits, stale+stats.Stale, uncached+stats.Uncached, refused+stats.FillsRefused
			})
			if hits == 0 || stale == 0 || uncached == 0 || refused == 0 {
				t.Fatalf("the histories are too tame: %d hits, %d degraded, %d uncached, %d refused fills", hits, stale, uncached, refused)
			}
		})
	}
}
