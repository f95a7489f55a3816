package rules

// index finds, among the ranked candidates of a placement, those that may hold for a user. It is immutable.
//
// Candidates lie in blocks of at most 512, in their order, so that a block's candidates are the bits of a row of eight words. For every axis that a rule of the block can be
// screened on, the block has rows of the candidates that may hold for the classes of users. The rows of the user's classes, ANDed, are the
// candidates to look at. Groups do the same for 64 blocks at a time. A candidate that the rows leave out does not hold for the user now or at any later
// time, since no axis depends on time: what was skipped has no edge.
type index struct {
	blocks []*block
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
