package rules

import "slices"

// coding is the axes of a ruleset, in an order that blocks refer to. It is immutable; a publish that needs an axis more makes a longer one, in which
// the axes that were there keep their places and their cuts, so that blocks built before stay good.
type coding struct {
	axes  []axis
	at    map[axisKey]int
	rules int     // how many rules the cuts were chosen for
	root  *coding // the first of those that this one extends; itself when it extends none
}

// recodeSlack is by how much a ruleset may grow before the cuts are chosen anew: twice the rules, and so many.
const recodeSlack = 64

// newCoding makes the axes that the rules ask for, or extends prev by those that it lacks. fresh has all of rules that prev may not cover.
func newCoding(prev *coding, rules, fresh []*Rule) *coding {
	c := &coding{at: make(map[axisKey]int), rules: len(rules)}
	c.root = c
	if prev != nil && len(rules) <= 2*prev.rules+recodeSlack {
		if prev.covers(fresh) {
			return prev
		}
		c.axes, c.rules, c.root = slices.Clone(prev.axes), prev.rules, prev.root
		for i := range c.axes {
			c.at[c.axes[i].axisKey] = i
		}
	}
	kept := len(c.axes)
	ints, doubles := make(map[int][]int64), make(map[int][]float64)
	for _, r := range rules {
		r.formula.literals(func(f *formula, lit screened, key axisKey) {
			at, ok := c.at[key]
			if !ok {
				at = len(c.axes)
				c.at[key] = at
				c.axes = append(c.axes, axis{axisKey: key})
			}
			if at < kept {
				return
			}
			switch l := lit.(type) {
			case comparison[int64]:
				ints[at] = append(ints[at], edgesOfInt(l)...)
			case comparison[float64]:
				if key.kind == axisInt {
					if n := int64(l.constant); l.constant > -1<<62 && l.constant < 1<<62 {
						ints[at] = append(ints[at], n, n+1)
					}
				} else {
					doubles[at] = append(doubles[at], l.constant)
				}
			}
		})
	}
	for at, constants := range ints {
		c.axes[at].ints = cutsOf(constants)
	}
	for at, constants := range doubles {
		c.axes[at].doubles = cutsOf(constants)
	}
	return c
}

// extends reports whether blocks made with prev are good with c.
func (c *coding) extends(prev *coding) bool { return prev != nil && c.root == prev.root }

// edgesOfInt is where the comparison changes its value.
func edgesOfInt(c comparison[int64]) []int64 {
	switch next := c.constant + 1; {
	case next < c.constant, c.test == less, c.test == greaterEquals:
		return []int64{c.constant}
	case c.test == greater, c.test == lessEquals:
		return []int64{next}
	default:
		return []int64{c.constant, next}
	}
}

// covers reports whether every axis that the rules ask for is there.
func (c *coding) covers(rules []*Rule) bool {
	for _, r := range rules {
		for _, key := range r.axes {
			if _, ok := c.at[key]; !ok {
				return false
			}
		}
	}
	return true
}

// encode fills dst with the input's class on every axis; on an axisMember, with the set of its classes.
func (c *coding) encode(in *Input, dst []uint32) []uint32 {
	dst = slices.Grow(dst[:0], len(c.axes))[:len(c.axes)]
	for i := range c.axes {
		if a := &c.axes[i]; a.kind == axisMember {
			dst[i] = uint32(a.members(in))
		} else {
			dst[i] = uint32(a.class(in))
		}
	}
	return dst
}

// screen is the classes of one axis in which a rule may hold.
type screen struct {
	axis int
	set  classSet
}

// screens appends what the axes say about the rule: on each, the classes outside of which it cannot hold, whatever else is true.
func (c *coding) screens(dst []screen, r *Rule) []screen {
	for _, key := range r.axes {
		at := c.at[key]
		if set := r.formula.project(&c.axes[at]); set != everyClass {
			dst = append(dst, screen{axis: at, set: set})
		}
	}
	return dst
}

// project is the set of classes of one axis in which the formula may hold: literals that look elsewhere are taken to hold. An AND holds where all its
// parts may, an OR where one may; this is exact about errors, since an error never holds. On an axisMember a user is in many classes: the set is of those of which
// he must be in one, which for an AND that asks for several elements is the set of any of its parts.
func (f *formula) project(a *axis) classSet {
	if f.op == opLiteral {
		if lit, ok := f.lit.typed.(screened); ok {
			if key, ok := lit.axis(f.want); ok && key == a.axisKey {
				return lit.classes(a, f.want)
			}
		}
		return everyClass
	}
	if f.op == opAnd {
		set := everyClass
		for i := range f.kids {
			if kid := f.kids[i].project(a); set == everyClass || a.kind != axisMember {
				set &= kid
			}
		}
		return set
	}
	set := classSet(0)
	for i := range f.kids {
		set |= f.kids[i].project(a)
	}
	return set
}

// literals calls with each literal that an axis can screen.
func (f *formula) literals(with func(f *formula, lit screened, key axisKey)) {
	for i := range f.kids {
		f.kids[i].literals(with)
	}
	if f.op != opLiteral {
		return
	}
	if lit, ok := f.lit.typed.(screened); ok {
		if key, ok := lit.axis(f.want); ok {
			with(f, lit, key)
		}
	}
}

// axesOf are the axes that the formula can be screened on, each once.
func axesOf(f *formula) []axisKey {
	var keys []axisKey
	f.literals(func(_ *formula, _ screened, key axisKey) {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	})
	return slices.Clip(keys)
}
