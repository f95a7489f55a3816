package rules

import (
	"cmp"
	"iter"
	"slices"
	"strings"
)

// PlacementTable is a placement with the promotions that target it, first to be shown first.
type PlacementTable struct {
	Placement

	index    *index     // of those that are filed by no text
	sections []sections // of the others, by axis
}

// Candidate is a promotion in a placement.
type Candidate struct {
	Promotion *Compiled
	Priority  int32
	mark      uint16 // of the rule
	// Plain is set when nothing but its rule decides over the promotion: it is not paused, and has no schedule, holdout or cap.
	Plain     bool
	MessageID string
	// Fragment is the message as the decision plane answers it, rendered once: {"messageId":…,"promotion":…,"revision":…,"priority":…,"content":…}
	Fragment string
}

func byRank(x, y Candidate) int { return x.rank(&y) }

// rank is below 0 when x is shown before y.
func (x *Candidate) rank(y *Candidate) int {
	return cmp.Or(cmp.Compare(x.Priority, y.Priority), strings.Compare(x.Promotion.ID, y.Promotion.ID))
}

// Len is how many candidates the placement has.
func (t *PlacementTable) Len() int {
	n := 0
	for _, x := range t.indexes() {
		n += x.size()
	}
	return n
}

// All goes through the candidates by their rank, from 0.
func (t *PlacementTable) All() iter.Seq2[int, *Candidate] {
	var all []*Candidate
	for _, x := range t.indexes() {
		for candidate := range x.all() {
			all = append(all, candidate)
		}
	}
	if len(t.sections) > 0 {
		slices.SortFunc(all, (*Candidate).rank)
	}
	return slices.All(all)
}

// all goes through the candidates by their rank; there are none of no index.
func (x *index) all() iter.Seq[*Candidate] {
	return func(yield func(*Candidate) bool) {
		if x == nil {
			return
		}
		for _, b := range x.blocks {
			for i := range b.candidates {
				if !yield(&b.candidates[i]) {
					return
				}
			}
		}
	}
}
