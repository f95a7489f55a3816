package rules

import "math/bits"

// Walk goes through the candidates of a placement that may hold for the encoded input, first to be shown first. What it passes over does not hold, and
// no passing of time changes that.
type Walk struct {
	in    *Input
	s     *Scratch
	first walkIndex
	many  bool        // the input's texts find sections; mostly they do not
	more  []walkIndex // of these
}

// walkIndex goes through one index. It stands at the candidate of lane.
type walkIndex struct {
	index  *index
	at     *block
	lane   int
	group  int    // the next one
	block  int    // of blocks' lowest bit
	blocks uint64 // left of the group
	word   int    // of row, the one that bits is left of
	bits   uint64
	row    row // left of the block
}

// Walk begins a walk over the placement's candidates with what Encode left in s of in. There is one at a time with an s.
func (t *PlacementTable) Walk(in *Input, s *Scratch) Walk {
	w := Walk{in: in, s: s, first: walkIndex{index: t.index, word: len(row{})}}
	for i := range t.sections {
		of := &t.sections[i]
		if text, ok := of.from.readText(in); ok {
			if x := of.byText[text]; x != nil {
				w.add(x)
			}
		}
	}
	return w
}

// add adds a section. Where there are several to go through, each stands at its next candidate.
func (w *Walk) add(x *index) {
	if !w.many {
		w.many, w.more = true, w.s.walks[:0]
		w.first.step(w.s)
	}
	w.more = append(w.more, walkIndex{index: x, word: len(row{})})
	w.more[len(w.more)-1].step(w.s)
	w.s.walks = w.more
}

// Standing is what a candidate's rule says, as Verdict has it.
type Standing struct {
	True   bool
	Failed bool
	Until  int64
}

// Next returns the next candidate whose rule is true, may become true, or failed, and what it says; nil at the end.
func (w *Walk) Next() (*Candidate, Standing) {
	for {
		at, lane, ok := w.next()
		if !ok {
			return nil, Standing{}
		}
		if at.code.settled(lane) {
			return &at.candidates[lane], Standing{True: true, Until: Forever}
		}
		holds, until, failed := at.code.truth(lane, w.in, w.s)
		if holds || failed || until != Forever {
			return &at.candidates[lane], Standing{True: holds, Failed: failed, Until: until}
		}
	}
}

// next is the next candidate that the rows leave.
func (w *Walk) next() (*block, int, bool) {
	if w.many {
		return w.nextOfMany()
	}
	ok := w.first.next(w.s)
	return w.first.at, w.first.lane, ok
}

// nextOfMany is the first to be shown of those at which the indexes stand.
func (w *Walk) nextOfMany() (*block, int, bool) {
	next := &w.first
	for i := range w.more {
		if at := &w.more[i]; at.at != nil && (next.at == nil || at.candidate().rank(next.candidate()) < 0) {
			next = at
		}
	}
	at, lane := next.at, next.lane
	if at == nil {
		return nil, 0, false
	}
	next.step(w.s)
	return at, lane, true
}

// step goes to the next candidate; at is nil at the end.
func (w *walkIndex) step(s *Scratch) {
	if !w.next(s) {
		w.at = nil
	}
}

func (w *walkIndex) candidate() *Candidate { return &w.at.candidates[w.lane] }

// next goes to the next candidate that the rows leave; false at the end.
func (w *walkIndex) next(s *Scratch) bool {
	for w.bits == 0 {
		if w.word++; w.word < len(row{}) {
			w.bits = w.row[w.word]
			continue
		}
		if !w.nextBlock(s) {
			return false
		}
		w.word = -1
	}
	w.lane = w.word*wordBits + bits.TrailingZeros64(w.bits)
	w.bits &= w.bits - 1
	s.Looked++
	return true
}

func (w *walkIndex) nextBlock(s *Scratch) bool {
	for w.blocks == 0 {
		if w.index == nil || w.group == len(w.index.groups) {
			return false
		}
		s.Looked++
		w.block = w.group * wordBits
		w.blocks = w.index.groups[w.group].match(s)
		w.group++
	}
	at := w.block + bits.TrailingZeros64(w.blocks)
	w.blocks &= w.blocks - 1
	s.Looked++
	w.at = w.index.blocks[at]
	w.row = w.at.rows.match(s)
	return true
}
