package rules

import (
	"cmp"
	"slices"
)

// edit is a candidate that comes into a block or goes from it.
type edit struct {
	block     int
	candidate Candidate
	gone      bool
}

// after is the index of the placement when the change has happened. c extends x's coding. Blocks are cut as newIndex cuts them; what the change does not reach is the same
// memory.
func (x *index) after(c *coding, changed *succession, placement int32) *index {
	edits := x.edits(changed, placement)
	if len(edits) == 0 {
		return x
	}
	next := succeeding{coding: c, list: make([]*block, 0, len(x.blocks)+len(edits))}
	for at, b := range x.blocks {
		n := 0
		for n < len(edits) && edits[n].block == at {
			n++
		}
		// When the first of the next block goes, this one may end elsewhere.
		reached := n > 0 || n < len(edits) && edits[n].block == at+1 && edits[n].gone && edits[n].candidate.Promotion == x.blocks[at+1].candidates[0].Promotion
		if next.resume(b, reached) {
			next.list = append(next.list, b)
			continue
		}
		next.take(b, edits[:n])
		edits = edits[n:]
	}
	next.take(&block{}, edits) // all of them, where there was no block
	next.end()
	return indexOf(c, next.list, x)
}

// edits is what changes in the placement, by block and rank. What comes falls into the block whose first candidate is the last that is not behind it, or into the first.
func (x *index) edits(changed *succession, placement int32) []edit {
	var edits []edit
	for i, list := range [][]*Compiled{changed.gone, changed.come} {
		for _, p := range list {
			for j, target := range p.Placements {
				if target.Placement != placement {
					continue
				}
				candidate := p.candidate(j)
				at, exact := slices.BinarySearchFunc(x.blocks, candidate, func(b *block, c Candidate) int { return byRank(b.candidates[0], c) })
				if !exact {
					at = max(0, at-1)
				}
				edits = append(edits, edit{block: at, candidate: candidate, gone: i == 0})
			}
		}
	}
	slices.SortStableFunc(edits, func(x, y edit) int { return cmp.Or(cmp.Compare(x.block, y.block), byRank(x.candidate, y.candidate)) })
	return edits
}

// succeeding makes the blocks of an index after another.
type succeeding struct {
	coding *coding
	list   []*block
	open   []Candidate // not in a block yet
	lanes  []*lane     // of their rules, nil where there is none yet
}

// resume reports whether the block can be taken over: nothing reaches it, and what comes before it ends here.
func (s *succeeding) resume(b *block, reached bool) bool {
	if reached {
		return false
	}
	if cutAfter(len(s.open), &b.candidates[0]) {
		s.end()
	}
	return len(s.open) == 0
}

// take adds the block's candidates as the edits leave them, and makes the blocks whose end is known.
func (s *succeeding) take(b *block, edits []edit) {
	come := 0
	for i := range b.candidates {
		candidate := &b.candidates[i]
		for ; come < len(edits) && (edits[come].gone || byRank(edits[come].candidate, *candidate) < 0); come++ {
			s.come(b, &edits[come])
		}
		if !slices.ContainsFunc(edits, func(e edit) bool { return e.gone && e.candidate.Promotion == candidate.Promotion }) {
			s.add(*candidate, b.lanes[i])
		}
	}
	for ; come < len(edits); come++ {
		s.come(b, &edits[come])
	}
}

// come adds what the edit brings. A rule that stays, of a promotion that is paused or moved, keeps its lane.
func (s *succeeding) come(b *block, e *edit) {
	if e.gone {
		return
	}
	var known *lane
	for i := range b.candidates {
		if b.candidates[i].Promotion.Rule == e.candidate.Promotion.Rule {
			known = b.lanes[i]
		}
	}
	s.add(e.candidate, known)
}

func (s *succeeding) add(c Candidate, known *lane) {
	if cutAfter(len(s.open), &c) {
		s.end()
	}
	if s.open == nil {
		s.open, s.lanes = make([]Candidate, 0, blockBits), make([]*lane, 0, blockBits)
	}
	s.open, s.lanes = append(s.open, c), append(s.lanes, known)
}

// end makes a block of what is open.
func (s *succeeding) end() {
	if len(s.open) > 0 {
		s.list = append(s.list, newBlock(s.coding, s.open, s.lanes))
		s.open, s.lanes = s.open[:0], s.lanes[:0]
	}
}
