package rules

import (
	"cmp"
	"iter"
	"strings"
)

// PlacementTable is a placement with the promotions that target it, first to be shown first.
type PlacementTable struct {
	Placement

	index *index
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

func byRank(x, y Candidate) int {
	return cmp.Or(cmp.Compare(x.Priority, y.Priority), strings.Compare(x.Promotion.ID, y.Promotion.ID))
}

// Len is how many candidates the placement has.
func (t *PlacementTable) Len() int { return t.index.size() }

// All goes through the candidates by their rank, from 0.
func (t *PlacementTable) All() iter.Seq2[int, *Candidate] {
	return func(yield func(int, *Candidate) bool) {
		if t.index == nil {
			return
		}
		rank := 0
		for _, b := range t.index.blocks {
			for i := range b.candidates {
				if !yield(rank, &b.candidates[i]) {
					return
				}
				rank++
			}
		}
	}
}

// At is the candidate of a rank, from 0.
func (t *PlacementTable) At(rank int) *Candidate {
	at := t.index.blockOf(rank)
	return &t.index.blocks[at].candidates[rank-int(t.index.starts[at])]
}

// Candidate is what stands at the place that Next returned last.
func (w *Walk) Candidate(i int) *Candidate { return &w.at.candidates[i-w.base] }
