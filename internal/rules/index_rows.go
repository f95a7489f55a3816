package rules

import (
	"cmp"
	"math/bits"
	"slices"
)

// row is a bit for each candidate of a block.
type row [4]uint64

func (r *row) clear(i int)    { r[i/wordBits] &^= 1 << (i % wordBits) }
func (r *row) set(i int)      { r[i/wordBits] |= 1 << (i % wordBits) }
func (r *row) and(other *row) { r[0] &= other[0]; r[1] &= other[1]; r[2] &= other[2]; r[3] &= other[3] }

func (r *row) or(other *row) { r[0] |= other[0]; r[1] |= other[1]; r[2] |= other[2]; r[3] |= other[3] }
func (r *row) empty() bool   { return r[0]|r[1]|r[2]|r[3] == 0 }

func (r *row) size() int {
	n := 0
	for _, word := range r {
		n += bits.OnesCount64(word)
	}
	return n
}

// blockRows is a block's rows by axis and class. Most classes of an axis are told apart by no rule of the block and share a row.
type blockRows struct {
	full   row // a bit for each candidate
	axes   []rowAxis
	places []uint8 // of the classes of the axes: which of the axis's rows
	rows   []row
	closed []closedAxis
}

type rowAxis struct {
	axis   int32
	many   bool  // a user may be in many classes
	places int32 // of places, where class 0 is
	rows   int32 // of rows, where the axis's first is
}

// closedAxis is an axis with classes for which the block has no candidate.
type closedAxis struct {
	axis int32
	set  classSet
}

// laneScreen is a screen of the candidate whose bit is lane.
type laneScreen struct {
	lane int
	set  classSet
}

func newRows(c *coding, lanes []*lane) blockRows {
	var r blockRows
	byAxis := make(map[int][]laneScreen)
	for i, l := range lanes {
		r.full.set(i)
		for _, s := range l.screens {
			byAxis[s.axis] = append(byAxis[s.axis], laneScreen{lane: i, set: s.set})
		}
	}
	open := make(map[int32]float64, len(byAxis)) // candidates that a class leaves, on average
	for axis, screens := range byAxis {
		open[int32(axis)] = r.add(c, axis, screens)
	}
	// The axes that leave out most come first: often the first few leave out all.
	slices.SortFunc(r.axes, func(x, y rowAxis) int {
		return cmp.Or(cmp.Compare(open[x.axis], open[y.axis]), cmp.Compare(x.axis, y.axis))
	})
	slices.SortFunc(r.closed, func(x, y closedAxis) int { return cmp.Compare(x.axis, y.axis) })
	r.axes, r.places, r.rows = slices.Clip(r.axes), slices.Clip(r.places), slices.Clip(r.rows)
	return r
}

// add makes the rows of one axis. It returns how many candidates a class leaves on average.
func (r *blockRows) add(c *coding, axis int, screens []laneScreen) float64 {
	at := rowAxis{axis: int32(axis), many: c.axes[axis].kind == axisMember, places: int32(len(r.places)), rows: int32(len(r.rows))}
	turns := turnsOf(screens)
	closed := closedAxis{axis: at.axis}
	classes, sum := c.axes[axis].classes(), 0
	place, size := 0, 0
	for class := range classes {
		if turns.has(uint8(class)) {
			line := r.full
			for i := range screens {
				if !screens[i].set.has(uint8(class)) {
					line.clear(screens[i].lane)
				}
			}
			if place = slices.Index(r.rows[at.rows:], line); place < 0 {
				place = len(r.rows) - int(at.rows)
				r.rows = append(r.rows, line)
			}
			size = line.size()
		}
		if size == 0 {
			closed.set.add(uint8(class))
		}
		r.places = append(r.places, uint8(place))
		sum += size
	}
	r.axes = append(r.axes, at)
	if closed.set != (classSet{}) {
		r.closed = append(r.closed, closed)
	}
	return float64(sum) / float64(classes)
}

// turnsOf is the classes of which some screen says something else than of the class before, and the first.
func turnsOf(screens []laneScreen) classSet {
	var turns classSet
	turns.add(0)
	for i := range screens {
		before := uint64(0)
		for j, word := range screens[i].set {
			turns[j] |= word ^ (word<<1 | before)
			before = word >> 63
		}
	}
	return turns
}

// match is the candidates that the classes leave.
func (r *blockRows) match(s *Scratch) row {
	left := r.full
	for i := range r.axes {
		a := &r.axes[i]
		if a.many {
			any := r.rows[int(a.rows)+int(r.places[a.places])] // those that ask for no element
			for _, class := range s.list(int(a.axis)) {
				any.or(&r.rows[int(a.rows)+int(r.places[int(a.places)+int(class)])])
			}
			left.and(&any)
		} else {
			left.and(&r.rows[int(a.rows)+int(r.places[int(a.places)+int(s.classes[a.axis])])])
		}
		if left.empty() {
			break
		}
	}
	return left
}
