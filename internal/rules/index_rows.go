package rules

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"
)

// row is a bit for each candidate of a block: as many as a cache line has.
type row [8]uint64

func (r *row) clear(i int) { r[i/wordBits] &^= 1 << (i % wordBits) }
func (r *row) set(i int)   { r[i/wordBits] |= 1 << (i % wordBits) }

func (r *row) or(other *row) {
	r[0], r[1], r[2], r[3] = r[0]|other[0], r[1]|other[1], r[2]|other[2], r[3]|other[3]
	r[4], r[5], r[6], r[7] = r[4]|other[4], r[5]|other[5], r[6]|other[6], r[7]|other[7]
}

func (r *row) size() int {
	n := 0
	for _, word := range r {
		n += bits.OnesCount64(word)
	}
	return n
}

// blockRows is a block's rows by axis and class. Most classes of an axis are told apart by no rule of the block and share a row.
type blockRows struct {
	full    row       // a bit for each candidate
	screens []rowAxis // the candidates that pass their screen
	clause  rowClause
	places  []uint8 // of the classes of the axes: which of the axis's rows
	rows    []row
	closed  []closedAxis
}

type rowAxis struct {
	axis   int32
	many   bool  // a user may be in many classes
	places int32 // of places, where class 0 is
	rows   int32 // of rows, where the axis's first is
}

// rowClause is the clauses of the candidates that have one.
type rowClause struct {
	without row       // candidates that have none
	axes    []rowAxis // the candidates of whose clause an alternative holds; none where no candidate has a clause
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
	screens, clauses := make(map[int][]laneScreen), make(map[int][]laneScreen)
	for i, l := range lanes {
		r.full.set(i)
		for _, s := range l.screens {
			screens[s.axis] = append(screens[s.axis], laneScreen{lane: i, set: s.set})
		}
		for _, s := range l.clause {
			clauses[s.axis] = append(clauses[s.axis], laneScreen{lane: i, set: s.set})
		}
	}
	r.addScreens(c, screens)
	r.addClauses(c, clauses)
	slices.SortFunc(r.closed, func(x, y closedAxis) int { return cmp.Compare(x.axis, y.axis) })
	r.places, r.rows = slices.Clip(r.places), slices.Clip(r.rows)
	return r
}

// addScreens makes rows of the candidates that a class leaves. The axes that leave out most come first: often the first few leave out all.
func (r *blockRows) addScreens(c *coding, byAxis map[int][]laneScreen) {
	open := make(map[int32]float64, len(byAxis)) // candidates that a class leaves, on average
	for _, axis := range slices.Sorted(maps.Keys(byAxis)) {
		screens, closed := byAxis[axis], closedAxis{axis: int32(axis)}
		sum := 0
		at := r.add(c, axis, screens, func(class uint8) row {
			line := r.full
			for i := range screens {
				if !screens[i].set.has(class) {
					line.clear(screens[i].lane)
				}
			}
			return line
		})
		sizes := make([]int, len(r.rows)-int(at.rows))
		for i := range sizes {
			sizes[i] = r.rows[int(at.rows)+i].size()
		}
		for class, place := range r.places[at.places:] {
			if sizes[place] == 0 {
				closed.set.add(uint8(class))
			}
			sum += sizes[place]
		}
		open[at.axis] = float64(sum) / float64(len(r.places)-int(at.places))
		r.screens = append(r.screens, at)
		if closed.set != (classSet{}) {
			r.closed = append(r.closed, closed)
		}
	}
	slices.SortFunc(r.screens, func(x, y rowAxis) int {
		return cmp.Or(cmp.Compare(open[x.axis], open[y.axis]), cmp.Compare(x.axis, y.axis))
	})
	r.screens = slices.Clip(r.screens)
}

// addClauses makes rows of the candidates of whose clause an alternative holds.
func (r *blockRows) addClauses(c *coding, byAxis map[int][]laneScreen) {
	r.clause.without = r.full
	for _, axis := range slices.Sorted(maps.Keys(byAxis)) {
		alternatives := byAxis[axis]
		for i := range alternatives {
			r.clause.without.clear(alternatives[i].lane)
		}
		r.clause.axes = append(r.clause.axes, r.add(c, axis, alternatives, func(class uint8) row {
			line := row{}
			for i := range alternatives {
				if alternatives[i].set.has(class) {
					line.set(alternatives[i].lane)
				}
			}
			return line
		}))
	}
	r.clause.axes = slices.Clip(r.clause.axes)
}

// add makes the rows of one axis of what the sets say of its classes.
func (r *blockRows) add(c *coding, axis int, sets []laneScreen, line func(class uint8) row) rowAxis {
	at := rowAxis{axis: int32(axis), many: c.axes[axis].kind == axisMember, places: int32(len(r.places)), rows: int32(len(r.rows))}
	turns, place := turnsOf(sets), 0
	for class := range c.axes[axis].classes() {
		if turns.has(uint8(class)) {
			made := line(uint8(class))
			if place = slices.Index(r.rows[at.rows:], made); place < 0 {
				place = len(r.rows) - int(at.rows)
				r.rows = append(r.rows, made)
			}
		}
		r.places = append(r.places, uint8(place))
	}
	return at
}

// turnsOf is the classes of which some set says something else than of the class before, and the first.
func turnsOf(sets []laneScreen) classSet {
	var turns classSet
	turns.add(0)
	for i := range sets {
		before := uint64(0)
		for j, word := range sets[i].set {
			turns[j] |= word ^ (word<<1 | before)
			before = word >> 63
		}
	}
	return turns
}

// line is the row of a class.
func (r *blockRows) line(a *rowAxis, class uint16) *row {
	return &r.rows[int(a.rows)+int(r.places[int(a.places)+int(class)])]
}

// lines is the rows of the classes of all elements of the user's list, and of there being none, ORed.
func (r *blockRows) lines(a *rowAxis, s *Scratch, any *row) *row {
	*any = *r.line(a, classNone)
	for _, class := range s.list(int(a.axis)) {
		any.or(r.line(a, uint16(class)))
	}
	return any
}

// match is the candidates that the classes leave. The words of the row are variables of their own, which the compiler keeps in registers.
func (r *blockRows) match(s *Scratch) row {
	f := &r.full
	l0, l1, l2, l3, l4, l5, l6, l7 := f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7]
	var any row
	for i := range r.screens {
		a := &r.screens[i]
		var line *row
		if a.many {
			line = r.lines(a, s, &any)
		} else {
			line = r.line(a, s.classes[a.axis])
		}
		l0, l1, l2, l3, l4, l5, l6, l7 = l0&line[0], l1&line[1], l2&line[2], l3&line[3], l4&line[4], l5&line[5], l6&line[6], l7&line[7]
		if l0|l1|l2|l3|l4|l5|l6|l7 == 0 {
			return row{}
		}
	}
	left := row{l0, l1, l2, l3, l4, l5, l6, l7}
	if len(r.clause.axes) > 0 {
		r.matchClause(&left, s)
	}
	return left
}

// matchClause leaves those of the candidates that have no clause or of whose clause an alternative holds.
func (r *blockRows) matchClause(left *row, s *Scratch) {
	f := &r.clause.without
	h0, h1, h2, h3, h4, h5, h6, h7 := f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7]
	var any row
	for i := range r.clause.axes {
		a := &r.clause.axes[i]
		var line *row
		if a.many {
			line = r.lines(a, s, &any)
		} else {
			line = r.line(a, s.classes[a.axis])
		}
		h0, h1, h2, h3, h4, h5, h6, h7 = h0|line[0], h1|line[1], h2|line[2], h3|line[3], h4|line[4], h5|line[5], h6|line[6], h7|line[7]
	}
	for i, h := range [...]uint64{h0, h1, h2, h3, h4, h5, h6, h7} {
		left[i] &= h
	}
}
