package rules

import (
	"iter"
	"slices"
	"strings"
)

// Roll is a list of promotions by id, each once. It is immutable: one that differs in a few has all parts but theirs in common with the one that it was made from. A
// publish among ten thousand copies two dozen entries and a hundred part headers, and what has changed between two rolls of one origin is found without looking at what
// has not. The zero value is empty.
type Roll[T rolled] struct {
	parts [][]T // ascending by id; none is empty
	len   int
}

// rolled is what stands in a Roll: equal values mean that nothing has changed.
type rolled interface {
	comparable
	id() string
}

// A part is cut in two when it would be longer than longestPart; a new roll has parts of freshPart, so that what comes has room.
const (
	longestPart = 96
	freshPart   = 64
)

// NewRoll makes a roll of a list in any order. Of two with one id the later stays.
func NewRoll[T rolled](list ...T) Roll[T] {
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(x, y T) int { return strings.Compare(x.id(), y.id()) })
	n := 0
	for i := range sorted {
		if n > 0 && sorted[n-1].id() == sorted[i].id() {
			n--
		}
		sorted[n] = sorted[i]
		n++
	}
	r := Roll[T]{len: n}
	for part := range slices.Chunk(sorted[:n], freshPart) {
		r.parts = append(r.parts, slices.Clone(part))
	}
	return r
}

// Len is how many there are.
func (r Roll[T]) Len() int { return r.len }

// All goes through the roll in the order of ids.
func (r Roll[T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, part := range r.parts {
			for _, x := range part {
				if !yield(x) {
					return
				}
			}
		}
	}
}

// Find returns the one of an id.
func (r Roll[T]) Find(id string) (T, bool) {
	if part, at, found := r.place(id); found {
		return r.parts[part][at], true
	}
	var none T
	return none, false
}

// place is where the id stands, or would; the part is the length of parts when there are none.
func (r Roll[T]) place(id string) (part, at int, found bool) {
	part, exact := slices.BinarySearchFunc(r.parts, id, func(part []T, id string) int { return strings.Compare(part[0].id(), id) })
	if exact {
		return part, 0, true
	}
	if part > 0 {
		part--
	}
	if part == len(r.parts) {
		return part, 0, false
	}
	at, found = slices.BinarySearchFunc(r.parts[part], id, func(x T, id string) int { return strings.Compare(x.id(), id) })
	return part, at, found
}

// With is the roll with x in place of what has its id, or beside the others.
func (r Roll[T]) With(x T) Roll[T] {
	part, at, found := r.place(x.id())
	if part == len(r.parts) {
		return Roll[T]{parts: [][]T{{x}}, len: 1}
	}
	old := r.parts[part]
	next := Roll[T]{len: r.len}
	if found {
		if old[at] == x {
			return r
		}
		changed := slices.Clone(old)
		changed[at] = x
		next.parts = slices.Clone(r.parts)
		next.parts[part] = changed
		return next
	}
	next.len++
	grown := make([]T, 0, len(old)+1)
	grown = append(append(append(grown, old[:at]...), x), old[at:]...)
	next.parts = make([][]T, 0, len(r.parts)+1)
	next.parts = append(next.parts, r.parts[:part]...)
	switch {
	case len(grown) <= longestPart:
		next.parts = append(next.parts, grown)
	case at == len(old): // ids that ascend leave full parts behind
		next.parts = append(next.parts, old, []T{x})
	default:
		half := len(grown) / 2
		next.parts = append(next.parts, slices.Clone(grown[:half]), slices.Clone(grown[half:]))
	}
	next.parts = append(next.parts, r.parts[part+1:]...)
	return next
}

// Without is the roll without what has the id.
func (r Roll[T]) Without(id string) Roll[T] {
	part, at, found := r.place(id)
	if !found {
		return r
	}
	next := Roll[T]{parts: slices.Clone(r.parts), len: r.len - 1}
	if old := r.parts[part]; len(old) > 1 {
		next.parts[part] = slices.Concat(old[:at], old[at+1:])
	} else {
		next.parts = slices.Delete(next.parts, part, part+1)
	}
	return next
}

// since goes through what is not as it was in prev, in the order of ids: what was there and what is there now, nil for nothing.
func (r Roll[T]) since(prev Roll[T]) iter.Seq2[*T, *T] {
	return func(yield func(was, is *T) bool) {
		old, now := rollCursor[T]{roll: &prev}, rollCursor[T]{roll: &r}
		for {
			if old.at == 0 && now.at == 0 && old.part < len(prev.parts) && now.part < len(r.parts) && &prev.parts[old.part][0] == &r.parts[now.part][0] {
				old.part, now.part = old.part+1, now.part+1
				continue
			}
			x, y := old.get(), now.get()
			switch {
			case x == nil && y == nil:
				return
			case x != nil && y != nil && *x == *y:
				old.next()
				now.next()
				continue
			case x != nil && y != nil && (*x).id() < (*y).id():
				y = nil
			case x != nil && y != nil && (*x).id() > (*y).id():
				x = nil
			}
			if x != nil {
				old.next()
			}
			if y != nil {
				now.next()
			}
			if !yield(x, y) {
				return
			}
		}
	}
}

type rollCursor[T rolled] struct {
	roll     *Roll[T]
	part, at int
}

// get is what the cursor stands at, nil at the end.
func (c *rollCursor[T]) get() *T {
	if c.part == len(c.roll.parts) {
		return nil
	}
	return &c.roll.parts[c.part][c.at]
}

func (c *rollCursor[T]) next() {
	if c.at++; c.at == len(c.roll.parts[c.part]) {
		c.part, c.at = c.part+1, 0
	}
}
