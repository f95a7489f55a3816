package rules

import "slices"

// screen is the classes of one axis in which a rule may hold.
type screen struct {
	axis int
	set  classSet
}

// screens appends what the axes say about the rule: on each, the classes outside of which it cannot hold, whatever else is true.
func (c *coding) screens(dst []screen, r *Rule) []screen {
	for _, key := range axesOf(&r.formula) {
		at, ok := c.at[key]
		if !ok {
			continue
		}
		a := &c.axes[at]
		if set := r.formula.project(a); set.size(a.classes()) < a.classes() {
			dst = append(dst, screen{axis: at, set: set})
		}
	}
	return dst
}

// project is the set of classes of one axis in which the formula may hold: literals that look elsewhere are taken to hold. An AND holds where all its
// parts may, an OR where one may; this is exact about errors, since an error never holds. On an axisMember a user is in many classes: the set is of those of which
// he must be in one, which for an AND that asks for several elements is the set of the first of its parts that asks.
func (f *formula) project(a *axis) classSet {
	if f.op == opLiteral {
		if lit, key, ok := f.screened(); ok && key == a.axisKey {
			return lit.classes(a, f.want)
		}
		return everyClass
	}
	if f.op == opAnd {
		set := everyClass
		for i := range f.kids {
			if a.kind != axisMember {
				set = set.and(f.kids[i].project(a))
			} else if set == everyClass {
				set = f.kids[i].project(a)
			}
		}
		return set
	}
	set := classSet{}
	for i := range f.kids {
		set = set.or(f.kids[i].project(a))
	}
	return set
}

// screened is the literal as one that looks at an axis.
func (f *formula) screened() (lit screened, key axisKey, ok bool) {
	if lit, ok = f.lit.typed.(screened); ok {
		key, ok = lit.axis(f.want)
	}
	return lit, key, ok
}

// clause is an OR of which each alternative looks at one axis: on each, the classes in which one holds.
type clause []screen

// takeClause takes the first part out of which a clause can be made. Further ones of a rule are left: few have more, and rows for these cost more than they spare.
func (c *coding) takeClause(parts []*formula) (taken clause, left []*formula) {
	for i, part := range parts {
		if made, ok := c.clause(part); ok {
			return made, slices.Concat(parts[:i], parts[i+1:])
		}
	}
	return nil, parts
}

// clause is the formula as a clause, false when classes do not settle it.
func (c *coding) clause(f *formula) (clause, bool) {
	if f.op != opOr {
		return nil, false
	}
	var made clause
	for i := range f.kids {
		at, exact := c.only(&f.kids[i])
		if at < 0 || !exact {
			return nil, false
		}
		set := f.kids[i].project(&c.axes[at])
		if j := slices.IndexFunc(made, func(s screen) bool { return s.axis == at }); j >= 0 {
			made[j].set = made[j].set.or(set)
		} else {
			made = append(made, screen{axis: at, set: set})
		}
	}
	return made, true
}

// rest is the parts of the rule that passing all its screens does not settle: they hold together exactly when the rule does.
func (c *coding) rest(r *Rule) []*formula {
	parts := r.parts()
	listed := make(map[int]bool) // lists whose screen is of an earlier part
	left := parts[:0:0]
	for _, part := range parts {
		at, exact := c.only(part)
		if at < 0 {
			left = append(left, part)
			// Part of a list's screen is taken from the first that asks, which need not be exact.
			for i := range c.axes {
				if a := &c.axes[i]; a.kind == axisMember && part.project(a) != everyClass {
					listed[i] = true
				}
			}
			continue
		}
		if c.axes[at].kind == axisMember {
			if part.project(&c.axes[at]) != everyClass {
				exact = exact && !listed[at]
				listed[at] = true
			}
		}
		if !exact {
			left = append(left, part)
		}
	}
	return left
}

// only is the one axis that the whole formula looks at, -1 when it looks at more or at something that is on none; exact reports whether the classes that it projects to
// are those in which it holds.
func (c *coding) only(f *formula) (at int, exact bool) {
	if f.op == opLiteral {
		lit, key, ok := f.screened()
		if !ok {
			return -1, false
		}
		at, ok := c.at[key]
		if !ok {
			return -1, false
		}
		return at, c.axes[at].exact(lit, f.want)
	}
	at, exact = -1, true
	for i := range f.kids {
		kid, kidExact := c.only(&f.kids[i])
		if kid < 0 || i > 0 && kid != at {
			return -1, false
		}
		at, exact = kid, exact && kidExact
	}
	if at >= 0 && c.axes[at].kind == axisMember && f.op == opAnd {
		exact = false // he is in many classes: one of each set is asked for
	}
	return at, exact
}

// exact reports whether the class decides the literal: no class may have it of either value. Of elements only that one is there can be told from a class, and only of one that
// has a class of its own.
func (a *axis) exact(lit screened, want bool) bool {
	if l, ok := lit.(contains); ok {
		return want && a.symbol(l.constant) < classCoarse
	}
	return lit.classes(a, want).and(lit.classes(a, !want)) == classSet{}
}
