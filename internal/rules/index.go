package rules

import (
	"math/bits"
	"slices"
)

// index finds, among the ranked candidates of a placement, those that may hold for a user. It is immutable.
//
// Candidates lie in blocks of at most 512, in their order, so that a block's candidates are the bits of a row of eight words. For every axis that a rule of the block can be
// screened on, the block has rows of the candidates that may hold for the classes of users. The rows of the user's classes, ANDed, are the
// candidates to look at. Groups do the same for 64 blocks at a time. A candidate that the rows leave out does not hold for the user now or at any later
// time, since no axis depends on time: what was skipped has no edge.
type index struct {
	blocks []*block
	starts []int32 // of each block: the place of its first candidate
	groups []blockGroup
}

// block is the candidates from one cut to the next. Cuts depend on the candidates alone, so that a publish leaves all blocks but one or two as they were, and
// these are taken over.
type block struct {
	promotions []*Compiled
	lanes      []*lane // of their rules
	rows       blockRows
	code       code // of what the rows leave open of the rules
}

// blockGroup is 64 blocks, as bits of words.
type blockGroup struct {
	full  uint64
	axes  []groupAxis
	words []uint64
}

// groupAxis is an axis on which some block is closed to some class.
type groupAxis struct {
	axis int
	from int // the word of class 0
	many bool
}

const (
	wordBits  = 64
	blockBits = wordBits * len(row{})
	// A block has at least leastBlock rules; from there on a rule is the first of the next with a chance of one in cutOneIn, whatever its neighbours are.
	leastBlock = 32
	cutOneIn   = 128
)

// newIndex makes the index of a placement's candidates. Blocks of prev that hold the same ones are taken over, and what is known of the rules of others; prev must be of
// the same coding.
func newIndex(c *coding, candidates []Candidate, prev *index) *index {
	x := &index{}
	old := make(map[*Compiled]*block)
	if prev != nil {
		for _, b := range prev.blocks {
			old[b.promotions[0]] = b
		}
	}
	for from := 0; from < len(candidates); {
		to := min(from+leastBlock, len(candidates))
		for to < len(candidates) && to-from < blockBits && candidates[to].mark%cutOneIn != 0 {
			to++
		}
		b := old[candidates[from].Promotion]
		if b != nil && b.holds(candidates[from:to]) {
			delete(old, b.promotions[0])
		} else {
			b = &block{promotions: make([]*Compiled, to-from)}
			for i := range b.promotions {
				b.promotions[i] = candidates[from+i].Promotion
			}
		}
		x.blocks, x.starts = append(x.blocks, b), append(x.starts, int32(from))
		from = to
	}
	known := make(map[*Rule]*lane)
	for _, b := range old {
		for i, p := range b.promotions {
			known[p.Rule] = b.lanes[i]
		}
	}
	for _, b := range x.blocks {
		if b.lanes == nil {
			b.fill(c, known)
		}
	}
	for blocks := range slices.Chunk(x.blocks, wordBits) {
		x.groups = append(x.groups, newGroup(c, blocks))
	}
	return x
}

// holds reports whether the block is of these candidates.
func (b *block) holds(candidates []Candidate) bool {
	if len(b.promotions) != len(candidates) {
		return false
	}
	for i := range candidates {
		if candidates[i].Promotion != b.promotions[i] {
			return false
		}
	}
	return true
}

func (b *block) fill(c *coding, known map[*Rule]*lane) {
	b.lanes = make([]*lane, len(b.promotions))
	for i, p := range b.promotions {
		if b.lanes[i] = known[p.Rule]; b.lanes[i] == nil {
			b.lanes[i] = newLane(c, p.Rule)
		}
	}
	b.rows, b.code = newRows(c, b.lanes), newCode(b.lanes)
}

// newGroup has a bit for each block that has a candidate for the class, on the axes on which some block has none.
func newGroup(c *coding, blocks []*block) blockGroup {
	g := blockGroup{full: ^uint64(0) >> (wordBits - len(blocks))}
	places := make(map[int32]int)
	for i, b := range blocks {
		for _, closed := range b.rows.closed {
			from, ok := places[closed.axis]
			if !ok {
				from = len(g.words)
				places[closed.axis] = from
				a := &c.axes[closed.axis]
				for range a.classes() {
					g.words = append(g.words, g.full)
				}
				g.axes = append(g.axes, groupAxis{axis: int(closed.axis), from: from, many: a.kind == axisMember})
			}
			for class := range c.axes[closed.axis].classes() {
				if closed.set.has(uint8(class)) {
					g.words[from+class] &^= 1 << i
				}
			}
		}
	}
	return g
}

// match is the blocks that the classes leave.
func (g *blockGroup) match(s *Scratch) uint64 {
	left := g.full
	for i := range g.axes {
		a := &g.axes[i]
		if a.many {
			any := g.words[a.from] // those that ask for no element
			for _, class := range s.list(a.axis) {
				any |= g.words[a.from+int(class)]
			}
			left &= any
		} else {
			left &= g.words[a.from+int(s.classes[a.axis])]
		}
		if left == 0 {
			break
		}
	}
	return left
}

// Walk goes through the candidates of a placement that may hold for the encoded input, first to be shown first. What it passes over does not hold, and
// no passing of time changes that.
type Walk struct {
	table  *PlacementTable
	in     *Input
	s      *Scratch
	at     *block
	group  int    // the next one
	block  int    // of blocks' lowest bit
	blocks uint64 // left of the group
	base   int    // of the candidates' lowest bit
	word   int    // of row, the one that bits is left of
	bits   uint64
	row    row // left of the block
}

// Walk begins a walk over the placement's candidates with what Encode left in s of in.
func (t *PlacementTable) Walk(in *Input, s *Scratch) Walk {
	return Walk{table: t, in: in, s: s, word: len(row{})}
}

// Standing is what a candidate's rule says, as Verdict has it.
type Standing struct {
	True   bool
	Failed bool
	Until  int64
}

// Next returns the place of the next candidate in the table whose rule is true, may become true, or failed, and what it says; false at the end.
func (w *Walk) Next() (int, Standing, bool) {
	for {
		i, ok := w.next()
		if !ok {
			return 0, Standing{}, false
		}
		lane := i - w.base
		if w.at.code.settled(lane) {
			return i, Standing{True: true, Until: Forever}, true
		}
		holds, until, failed := w.at.code.truth(lane, w.in, w.s)
		if holds || failed || until != Forever {
			return i, Standing{True: holds, Failed: failed, Until: until}, true
		}
	}
}

// next is the place of the next candidate that the rows leave.
func (w *Walk) next() (int, bool) {
	for w.bits == 0 {
		if w.word++; w.word < len(row{}) {
			w.bits = w.row[w.word]
			continue
		}
		if !w.nextBlock() {
			return 0, false
		}
		w.word = -1
	}
	i := w.base + w.word*wordBits + bits.TrailingZeros64(w.bits)
	w.bits &= w.bits - 1
	w.s.Looked++
	return i, true
}

func (w *Walk) nextBlock() bool {
	x := w.table.index
	for w.blocks == 0 {
		if x == nil || w.group == len(x.groups) {
			return false
		}
		w.s.Looked++
		w.block = w.group * wordBits
		w.blocks = x.groups[w.group].match(w.s)
		w.group++
	}
	at := w.block + bits.TrailingZeros64(w.blocks)
	w.blocks &= w.blocks - 1
	w.s.Looked++
	w.at, w.base = x.blocks[at], int(x.starts[at])
	w.row = w.at.rows.match(w.s)
	return true
}
