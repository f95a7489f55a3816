package rules

import (
	"math/bits"
	"slices"
)

// index finds, among the ranked candidates of a placement, those that may hold for a user. It is immutable.
//
// Candidates lie in blocks of at most 64, in their order, so that a block's candidates are the bits of a word. For every axis that a rule of the block can be
// screened on, the block has one word for each class: the candidates that may hold for a user of that class. The words of the user's classes, ANDed, are the
// candidates to look at. Groups do the same for 64 blocks at a time. A candidate that the words leave out does not hold for the user now or at any later
// time, since no axis depends on time: what was skipped has no edge.
type index struct {
	blocks []*block
	starts []int32 // of each block: the place of its first candidate
	groups []screenWords
}

// block is the candidates from one cut to the next. Cuts depend on the candidates alone, so that a publish leaves all blocks but one or two as they were, and
// these are taken over.
type block struct {
	rules []*Rule
	words screenWords
	code  code // of rules
}

// screenWords is a table of words by axis and class.
type screenWords struct {
	full  uint64 // a bit for each that is there
	axes  []axisWords
	words []uint64
}

type axisWords struct {
	axis int32
	from int32 // the word of class 0
	many bool  // a user may be in many classes
}

const (
	wordBits = 64
	// cutOneIn makes a rule the first of a block with this chance, whatever its neighbours are.
	cutOneIn = 48
)

// newIndex makes the index of ranked rules. Blocks of prev that hold the same rules are taken over; prev must be of the same coding.
func newIndex(c *coding, ranked []*Rule, prev *index) *index {
	x := &index{}
	old := make(map[*Rule]*block)
	if prev != nil {
		for _, b := range prev.blocks {
			old[b.rules[0]] = b
		}
	}
	for from := 0; from < len(ranked); {
		to := from + 1
		for to < len(ranked) && to-from < wordBits && ranked[to].mark%cutOneIn != 0 {
			to++
		}
		b := old[ranked[from]]
		if b == nil || !slices.Equal(b.rules, ranked[from:to]) {
			b = newBlock(c, slices.Clone(ranked[from:to]))
		}
		x.blocks, x.starts = append(x.blocks, b), append(x.starts, int32(from))
		from = to
	}
	for blocks := range slices.Chunk(x.blocks, wordBits) {
		x.groups = append(x.groups, newGroup(c, blocks))
	}
	return x
}

func newBlock(c *coding, rules []*Rule) *block {
	all := make([][]screen, len(rules))
	axes := make(map[int]bool)
	for i, r := range rules {
		all[i] = c.screens(nil, r)
		for _, s := range all[i] {
			axes[s.axis] = true
		}
	}
	w := newWords(c, len(rules), axes)
	for i := range all {
		for _, s := range all[i] {
			words := w.of(c, s.axis)
			for class := range words {
				if !s.set.has(uint8(class)) {
					words[class] &^= 1 << i
				}
			}
		}
	}
	w.order(c)
	return &block{rules: rules, words: w, code: newCode(rules)}
}

// newGroup has a bit for each block that has a candidate for the class.
func newGroup(c *coding, blocks []*block) screenWords {
	axes := make(map[int]bool)
	for _, b := range blocks {
		for _, a := range b.words.axes {
			axes[int(a.axis)] = true
		}
	}
	w := newWords(c, len(blocks), axes)
	for i, b := range blocks {
		for _, a := range b.words.axes {
			words := w.of(c, int(a.axis))
			for class, word := range b.words.words[a.from : int(a.from)+len(words)] {
				if word == 0 {
					words[class] &^= 1 << i
				}
			}
		}
	}
	w.order(c)
	return w
}

// newWords has every bit of n set in every class.
func newWords(c *coding, n int, axes map[int]bool) screenWords {
	w := screenWords{full: ^uint64(0) >> (wordBits - n), axes: make([]axisWords, 0, len(axes))}
	size := 0
	for axis := range axes {
		w.axes = append(w.axes, axisWords{axis: int32(axis), from: int32(size), many: c.axes[axis].kind == axisMember})
		size += c.axes[axis].classes()
	}
	w.words = make([]uint64, size)
	for i := range w.words {
		w.words[i] = w.full
	}
	return w
}

func (w *screenWords) of(c *coding, axis int) []uint64 {
	for _, a := range w.axes {
		if int(a.axis) == axis {
			return w.words[a.from : int(a.from)+c.axes[axis].classes()]
		}
	}
	return nil
}

// order puts the axes that leave out most first: often the first few leave out all.
func (w *screenWords) order(c *coding) {
	left := make(map[int32]float64, len(w.axes))
	for _, a := range w.axes {
		words := w.of(c, int(a.axis))
		sum := 0
		for _, word := range words {
			sum += bits.OnesCount64(word)
		}
		left[a.axis] = float64(sum) / float64(len(words))
	}
	slices.SortFunc(w.axes, func(x, y axisWords) int {
		switch {
		case left[x.axis] < left[y.axis]:
			return -1
		case left[x.axis] > left[y.axis]:
			return 1
		}
		return int(x.axis - y.axis)
	})
}

// match is the bits that the classes leave.
func (w *screenWords) match(classes []uint32) uint64 {
	left := w.full
	for _, a := range w.axes {
		class := classes[a.axis]
		if a.many {
			left &= w.any(a, class)
		} else {
			left &= w.words[int(a.from)+int(class)]
		}
		if left == 0 {
			return 0
		}
	}
	return left
}

// any is the candidates that one of a set of classes leaves.
func (w *screenWords) any(a axisWords, set uint32) uint64 {
	left := uint64(0)
	for ; set != 0; set &= set - 1 {
		left |= w.words[int(a.from)+bits.TrailingZeros32(set)]
	}
	return left
}

// Encode sorts the input into the classes of the ruleset's index: once for each decision, before any Walk, and again when anything of the input has changed.
func (rs *Ruleset) Encode(in *Input, s *Scratch) {
	s.begin()
	if rs.coding == nil {
		return
	}
	s.classes = rs.coding.encode(in, s.classes)
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
	bits   uint64 // left of the block
}

// Walk begins a walk over the placement's candidates with what Encode left in s of in.
func (t *PlacementTable) Walk(in *Input, s *Scratch) Walk { return Walk{table: t, in: in, s: s} }

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
		holds, until, failed := w.at.code.truth(w.at.code.starts[i-w.base], w.in, w.s)
		if holds || failed || until != Forever {
			return i, Standing{True: holds, Failed: failed, Until: until}, true
		}
	}
}

// next is the place of the next candidate that the words leave.
func (w *Walk) next() (int, bool) {
	x := w.table.index
	for w.bits == 0 {
		for w.blocks == 0 {
			if x == nil || w.group == len(x.groups) {
				return 0, false
			}
			w.s.Looked++
			w.block = w.group * wordBits
			w.blocks = x.groups[w.group].match(w.s.classes)
			w.group++
		}
		at := w.block + bits.TrailingZeros64(w.blocks)
		w.blocks &= w.blocks - 1
		w.s.Looked++
		w.at = x.blocks[at]
		w.base, w.bits = int(x.starts[at]), w.at.words.match(w.s.classes)
	}
	i := w.base + bits.TrailingZeros64(w.bits)
	w.bits &= w.bits - 1
	w.s.Looked++
	return i, true
}
