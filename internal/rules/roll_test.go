package rules

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRoll holds rolls, and what has changed between them, against a map.
func TestRoll(t *testing.T) {
	w := rand.New(rand.NewPCG(7, 1))
	promotions := make([]*Promotion, 900)
	for i := range promotions {
		promotions[i] = &Promotion{ID: fmt.Sprintf("p%03d", i)}
	}
	for _, size := range []int{0, 1, 5, 300} {
		model := make(map[string]LivePromotion)
		var list []LivePromotion
		for range size {
			l := LivePromotion{Promotion: promotions[w.IntN(len(promotions))], Revision: w.IntN(9)}
			list, model[l.id()] = append(list, l), l
		}
		roll := NewRoll(list...)
		before, kept := maps.Clone(model), roll
		for step := range 3000 {
			p := promotions[w.IntN(len(promotions))]
			if w.IntN(3) == 0 {
				roll = roll.Without(p.ID)
				delete(model, p.ID)
			} else {
				l := LivePromotion{Promotion: p, Revision: w.IntN(3)}
				roll, model[p.ID] = roll.With(l), l
			}
			if step%7 == 0 {
				sameRoll(t, roll, model)
				sameRoll(t, kept, before)
				sameChange(t, roll.since(kept), maps.Clone(before), maps.Clone(model))
				before, kept = maps.Clone(model), roll
			}
		}
	}
}

func sameRoll(t *testing.T, got Roll[LivePromotion], want map[string]LivePromotion) {
	t.Helper()
	ids := slices.Sorted(maps.Keys(want))
	at := 0
	for l := range got.All() {
		if at == len(ids) || l != want[ids[at]] {
			t.Fatalf("entry %d is %s, revision %d, want the one of %v", at, l.id(), l.Revision, ids[at:min(at+1, len(ids))])
		}
		at++
		if found, ok := got.Find(l.id()); !ok || found != l {
			t.Fatalf("%s is not found", l.id())
		}
	}
	if at != len(ids) || got.Len() != at {
		t.Fatalf("%d entries of length %d, want %d", at, got.Len(), len(ids))
	}
	if _, ok := got.Find("p"); ok {
		t.Fatal("what is not there is found")
	}
	for i, part := range got.parts {
		if len(part) == 0 || len(part) > longestPart {
			t.Fatalf("part %d has %d entries", i, len(part))
		}
	}
}

func sameChange(t *testing.T, got func(func(was, is *LivePromotion) bool), before, after map[string]LivePromotion) {
	t.Helper()
	last := ""
	for was, is := range got {
		var id string
		switch {
		case was != nil && is != nil && was.id() != is.id(), was == nil && is == nil:
			t.Fatal("a change is of two promotions or of none")
		case was != nil:
			id = was.id()
		default:
			id = is.id()
		}
		if old, ok := before[id]; ok != (was != nil) || ok && old != *was {
			t.Fatalf("%s was %v, not as said", id, old)
		}
		if now, ok := after[id]; ok != (is != nil) || ok && now != *is {
			t.Fatalf("%s is %v, not as said", id, now)
		}
		if id <= last || before[id] == after[id] {
			t.Fatalf("%s comes after %s, or has not changed", id, last)
		}
		last = id
		delete(before, id)
		delete(after, id)
	}
	if !maps.Equal(before, after) {
		t.Fatal("a change was passed over")
	}
}
