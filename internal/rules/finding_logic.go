package rules

import "maps"

// possible says which cells of each domain can still be, where a claim stands: what is required around it has excluded the others. A domain
// that is not in it is unrestricted.
type possible map[*domain][]bool

func (p possible) has(d *domain, i int) bool {
	cells, ok := p[d]
	return !ok || cells[i]
}

// where restricts the claim's domain to the cells that it comes out in as keep says.
func (p possible) where(c *claim, keep func(outcome) bool) {
	if c.domain == nil || c.fixed {
		return
	}
	cells := make([]bool, len(c.cells))
	for i, value := range c.cells {
		cells[i] = p.has(c.domain, i) && keep(value)
	}
	p[c.domain] = cells
}

func holds(value outcome) bool { return value == isTrue }

func holdsNot(value outcome) bool { return value != isTrue }

// clone copies p; the cells are shared, and never written once they are in.
func (p possible) clone() possible {
	out := make(possible, len(p)+1)
	maps.Copy(out, p)
	return out
}

// can says whether the claim can hold. It may be true of a claim that cannot, when several domains play together, but is never false of
// one that can.
func (c *claim) can(p possible) bool {
	switch {
	case c.fixed:
		return c.settle == isTrue
	case c.domain != nil:
		return c.some(p, holds)
	case c.op == opAnd:
		within := p.clone()
		for _, kid := range c.kids {
			within.where(kid, holds)
		}
		return all(c.kids, func(kid *claim) bool { return kid.can(within) })
	default: // an or, or a choice: its ways are ands
		return !all(c.kids, func(kid *claim) bool { return !kid.can(p) })
	}
}

// must says whether the claim holds in any case. It may be false of a claim that does, but is never true of one that does not.
func (c *claim) must(p possible) bool {
	switch {
	case c.fixed:
		return c.settle == isTrue
	case c.domain != nil:
		return !c.some(p, holdsNot)
	case c.op == opAnd:
		return all(c.kids, func(kid *claim) bool { return kid.must(p) })
	case c.op == opOr:
		if !all(c.kids, func(kid *claim) bool { return !kid.must(p) }) {
			return true
		}
		for _, part := range c.byDomain() {
			if part.must(p) {
				return true
			}
		}
		return false
	default:
		return all(c.kids, func(way *claim) bool { return way.must(p) })
	}
}

// some reports whether a possible cell comes out as wanted.
func (c *claim) some(p possible, wanted func(outcome) bool) bool {
	for i, value := range c.cells {
		if p.has(c.domain, i) && wanted(value) {
			return true
		}
	}
	return false
}

// byDomain joins the parts of a junction that ask about one domain, where there are at least two, into junctions of their own, in the order
// of the text.
func (c *claim) byDomain() []*claim {
	var out []*claim
	at := make(map[*domain]*claim)
	for _, kid := range c.kids {
		if kid.domain == nil || kid.fixed {
			continue
		}
		part, ok := at[kid.domain]
		if !ok {
			part = &claim{op: c.op, at: c.at, want: c.want}
			at[kid.domain] = part
			out = append(out, part)
		}
		part.kids = append(part.kids, kid)
	}
	several := out[:0]
	for _, part := range out {
		if len(part.kids) > 1 {
			part.ofOneDomain()
			several = append(several, part)
		}
	}
	return several
}

func all[T any](list []T, is func(T) bool) bool {
	for _, v := range list {
		if !is(v) {
			return false
		}
	}
	return true
}

// spare says which parts of a junction change nothing: without them it comes out the same in every possible cell. Of two that say the same,
// the later one is spare.
func (c *claim) spare(p possible) map[*claim]bool {
	out := make(map[*claim]bool)
	for d, counts := range c.headcounts() {
		for i := len(c.kids) - 1; i >= 0; i-- {
			kid := c.kids[i]
			if kid.domain != d || kid.fixed || !counts.without(c.op, kid, p) {
				continue
			}
			out[kid] = true
			counts.add(kid, -1)
		}
	}
	return out
}

// headcount counts, for each domain that parts of a junction ask about, in each cell how many come out how.
type headcount [][isTrue + 1]int

func (c *claim) headcounts() map[*domain]headcount {
	out := make(map[*domain]headcount)
	for _, kid := range c.kids {
		if kid.domain == nil || kid.fixed {
			continue
		}
		if out[kid.domain] == nil {
			out[kid.domain] = make(headcount, len(kid.cells))
		}
		out[kid.domain].add(kid, 1)
	}
	return out
}

func (t headcount) add(kid *claim, n int) {
	for i, value := range kid.cells {
		t[i][value] += n
	}
}

// without says whether the junction of what is counted comes out the same without the part.
func (t headcount) without(op operator, kid *claim, p possible) bool {
	decisive := outcomeOf(op != opAnd)
	joined := func(counts [isTrue + 1]int) outcome {
		switch {
		case counts[decisive] > 0:
			return decisive
		case counts[isError] > 0:
			return isError
		}
		return outcomeOf(op == opAnd)
	}
	for i, value := range kid.cells {
		if !p.has(kid.domain, i) {
			continue
		}
		rest := t[i]
		rest[value]--
		if joined(rest) != joined(t[i]) {
			return false
		}
	}
	return true
}
