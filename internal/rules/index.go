package rules

import "math/bits"

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
	candidates []Candidate
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
)

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
