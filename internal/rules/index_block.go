package rules

import (
	"runtime"
	"slices"
)

// A block has at least leastBlock rules; from there on a rule is the first of the next with a chance of one in cutOneIn, whatever its neighbours are.
const (
	leastBlock = 256
	cutOneIn   = 128
)

// cutAfter reports whether a block that has n rules ends before the candidate.
func cutAfter(n int, next *Candidate) bool {
	return n == blockBits || n >= leastBlock && next.mark%cutOneIn == 0
}

// newIndex makes the index of a placement's candidates, which are in their order. Blocks of prev that hold the same ones are taken over, and what is known of the rules of
// others; prev must be of the same coding. Blocks are made on so many goroutines.
func newIndex(c *coding, candidates []Candidate, prev *index, workers int) *index {
	old := make(map[*Compiled]*block)
	if prev != nil {
		for _, b := range prev.blocks {
			old[b.candidates[0].Promotion] = b
		}
	}
	var cuts []int
	var list []*block // nil where one is to be made
	for from := 0; from < len(candidates); {
		to := from + 1
		for to < len(candidates) && !cutAfter(to-from, &candidates[to]) {
			to++
		}
		first := candidates[from].Promotion
		if same := old[first]; same != nil && same.holds(candidates[from:to]) {
			list = append(list, same)
			delete(old, first)
		} else {
			list = append(list, nil)
		}
		cuts, from = append(cuts, from), to
	}
	known := make(map[*Rule]*lane)
	for _, b := range old {
		for i := range b.candidates {
			known[b.candidates[i].Promotion.Rule] = b.lanes[i]
		}
	}
	cuts = append(cuts, len(candidates))
	each(workers, len(list), func(i int) {
		if list[i] != nil {
			return
		}
		of := candidates[cuts[i]:cuts[i+1]]
		lanes := make([]*lane, len(of))
		for j := range lanes {
			lanes[j] = known[of[j].Promotion.Rule]
		}
		list[i] = newBlock(c, of, lanes)
	})
	return indexOf(c, list, prev)
}

// holds reports whether the block is of these candidates.
func (b *block) holds(candidates []Candidate) bool {
	return slices.EqualFunc(b.candidates, candidates, func(x, y Candidate) bool { return x.Promotion == y.Promotion })
}

// fewCandidates is below how many candidates a section's block has no rows: these take kilobytes, there are thousands of such blocks, and to evaluate so few rules whole is as fast.
const fewCandidates = 32

// newBlock is a block of the candidates. Lanes are those of their rules, nil where there is none yet; both are copied.
func newBlock(c *coding, candidates []Candidate, lanes []*lane) *block {
	b := &block{candidates: slices.Clone(candidates), lanes: slices.Clone(lanes)}
	_, filed := c.file(candidates[0].Promotion.Rule)
	bare := filed != nil && len(candidates) < fewCandidates
	for i, l := range lanes {
		if l == nil || l.bare != bare {
			b.lanes[i] = newLane(c, candidates[i].Promotion.Rule, bare)
		}
	}
	b.rows, b.code = newRows(c, b.lanes), newCode(b.lanes)
	runtime.Gosched() // on few cores, those who wait for a decision would wait for the whole of it
	return b
}

// indexOf is the index of the blocks. Groups of prev are taken over where they say the same of the blocks; prev may be nil, or must be of the same coding.
func indexOf(c *coding, list []*block, prev *index) *index {
	x := &index{blocks: list, groups: make([]blockGroup, 0, (len(list)+wordBits-1)/wordBits)}
	for of := range slices.Chunk(list, wordBits) {
		at := len(x.groups)
		if prev != nil && at < len(prev.groups) && closedAlike(of, prev.blocks[at*wordBits:min((at+1)*wordBits, len(prev.blocks))]) {
			x.groups = append(x.groups, prev.groups[at])
		} else {
			x.groups = append(x.groups, newGroup(c, of))
		}
	}
	return x
}

// closedAlike reports whether the blocks are closed to the same classes, each as the other at its place.
func closedAlike(x, y []*block) bool {
	return slices.EqualFunc(x, y, func(x, y *block) bool { return x == y || slices.Equal(x.rows.closed, y.rows.closed) })
}

// size is how many candidates there are; none of no index.
func (x *index) size() int {
	if x == nil {
		return 0
	}
	n := 0
	for _, b := range x.blocks {
		n += len(b.candidates)
	}
	return n
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
