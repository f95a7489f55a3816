package cache

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"eligibility/internal/events"
	"eligibility/internal/hlc"

	"pgregory.net/rapid"
)

func changes(n int) *rapid.Generator[[]events.Change] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) events.Change {
		return events.Change{
			Table:   rapid.SampledFrom([]events.Table{events.TableProfile, events.TableEmail}).Draw(t, "table"),
			Project: rapid.SampledFrom([]string{"a", "ab"}).Draw(t, "project"),
			Key:     rapid.StringMatching(`[a-c]{0,2}`).Draw(t, "key"),
			At:      hlc.Timestamp{Wall: rapid.Int64Range(0, 50).Draw(t, "wall"), Logical: rapid.Uint32Range(0, 2).Draw(t, "logical")},
		}
	}), 0, n)
}

func (f *floors) levels() []int64 {
	out := []int64{f.global.Load()}
	for i := range f.slots {
		out = append(out, f.slots[i].Load())
	}
	return out
}

func TestFloorsDoNotDependOnOrderOrRepetition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sent := changes(30).Draw(t, "changes")
		again := rapid.SliceOf(rapid.IntRange(0, max(len(sent)-1, 0))).Draw(t, "repeated")
		delivered := slices.Clone(sent)
		if len(sent) > 0 {
			for _, i := range again {
				delivered = append(delivered, sent[i])
			}
			delivered = rapid.Permutation(delivered).Draw(t, "delivered")
		}
		once, shuffled := newFloors(16), newFloors(16)
		shuffled.seed = once.seed
		for _, c := range sent {
			once.raise(once.hash(c.Table, c.Project, c.Key), c.At)
		}
		for _, c := range delivered {
			shuffled.raise(shuffled.hash(c.Table, c.Project, c.Key), c.At)
		}
		if want, got := once.levels(), shuffled.levels(); !slices.Equal(want, got) {
			t.Fatalf("floors after %v are %v, want %v", delivered, got, want)
		}
		for _, c := range sent {
			if got := once.highest(once.hash(c.Table, c.Project, c.Key)); got < c.At.CeilWall() {
				t.Fatalf("floor %d does not cover %+v", got, c)
			}
		}
	})
}

func TestFloorsRaisedFromManySidesKeepTheHighest(t *testing.T) {
	f := newFloors(2)
	h := f.hash(events.TableProfile, "shop", "ann")
	var group sync.WaitGroup
	for side := range 8 {
		group.Go(func() {
			for i := range 1000 {
				f.raise(h, hlc.Timestamp{Wall: int64(i*8 + side)})
			}
		})
	}
	group.Wait()
	if got := f.at(h); got != 7999 {
		t.Fatalf("floor %d, want the highest stamp 7999", got)
	}
}

func TestFloorsRoundALogicalPartUp(t *testing.T) {
	f := newFloors(1)
	h := f.hash(events.TableProfile, "shop", "ann")
	f.raise(h, hlc.Timestamp{Wall: 10, Logical: 1})
	if got := f.highest(h); got != 11 {
		t.Fatalf("floor %d for 10.1, want 11: a read at 10.0 lacks that commit", got)
	}
	f.raiseAll(hlc.Timestamp{Wall: 20, Logical: 3})
	if got := f.highest(h); got != 21 {
		t.Fatalf("floor %d after a gap at 20.3, want 21", got)
	}
}

func TestHashTellsRowsApart(t *testing.T) {
	f := newFloors(1 << 12)
	rows := []struct {
		table        events.Table
		project, key string
	}{
		{events.TableProfile, "shop", "ann"},
		{events.TableEmail, "shop", "ann"},
		{events.TableProfile, "shopa", "nn"},
		{events.TableProfile, "sho", "pann"},
		{events.TableProfile, "", "shopann"},
		{events.TableProfile, "shop", ""},
	}
	seen := make(map[uint64]int)
	for i, r := range rows {
		h := f.hash(r.table, r.project, r.key)
		if j, ok := seen[h]; ok {
			t.Errorf("rows %+v and %+v have the same hash", rows[j], r)
		}
		seen[h] = i
		if h != f.hash(r.table, r.project, r.key) {
			t.Errorf("hash of %+v changes", r)
		}
	}
	if newFloors(1).hash(events.TableProfile, "shop", "ann") == f.hash(events.TableProfile, "shop", "ann") {
		t.Error("two processes would use the same hash: a caller could choose ids that share a slot")
	}
}

// Sharing must cost less than one per cent of the hits at 10,000 changes a second: with 2^20 slots, an entry that is a second old has seen
// 10,000 raises, each of which had a chance of one in a million to be of its slot.
func TestSlotsAreSharedEvenly(t *testing.T) {
	const slots, raises, keys = 1 << 20, 10_000, 20_000
	f := newFloors(slots)
	for i := range raises {
		f.raise(f.hash(events.TableProfile, "shop", fmt.Sprintf("writer-%d", i)), hlc.Timestamp{Wall: 1})
	}
	hit := 0
	for i := range keys {
		h := f.hash(events.TableProfile, "shop", fmt.Sprintf("reader-%d", rand.IntN(1<<30)+i))
		if f.at(h) > 0 {
			hit++
			if !f.raisedByAnother(h) {
				t.Fatal("a refusal owed to another key was not recognised")
			}
		}
	}
	if share := float64(hit) / keys; share > 0.015 {
		t.Fatalf("%.2f %% of the keys share a raised slot, want about %.2f %%", 100*share, 100*float64(raises)/slots)
	}
}
