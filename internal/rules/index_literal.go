package rules

import (
	"cmp"
	"math"

	"eligibility/internal/profile"
)

// screened is a typed literal that knows an axis on which it can be seen not to hold.
type screened interface {
	// axis is where the literal looks, for the truth value that is wanted; false when no class of any axis can rule it out.
	axis(want bool) (axisKey, bool)
	// classes is the set of classes in which the literal may have the value want, now or at any later time. A class that is in the sets of both values is one of which the
	// literal has to be evaluated.
	classes(a *axis, want bool) classSet
}

var (
	_ screened = comparison[string]{}
	_ screened = isBool{}
	_ screened = oneOf{}
	_ screened = contains{}
	_ screened = has{}
	_ screened = countComparison{}
)

// key is the axis of a scalar source.
func (s source) key() axisKey {
	kind := axisInt // a timestamp is ordered as its nanoseconds are
	switch s.kind {
	case profile.String:
		kind = axisText
	case profile.Bool:
		kind = axisBool
	case profile.Double:
		kind = axisDouble
	}
	return axisKey{kind: kind, from: s}
}

func (c comparison[T]) axis(bool) (axisKey, bool) { return c.from.key(), true }

func (c comparison[T]) classes(a *axis, want bool) classSet {
	switch constant := any(c.constant).(type) {
	case string:
		switch {
		case c.test != equals && c.test != notEquals:
			return presentClass
		case (c.test == equals) == want:
			return oneClass(a.symbol(constant))
		}
		return a.allBut(constant)
	case int64:
		prev, next := constant-1, constant+1
		return rangeOf(c.test, want, len(a.ints), rank(a.ints, constant), rank(a.ints, prev), rank(a.ints, next), prev > constant, next < constant)
	case float64:
		if a.kind == axisInt { // the language compares them as doubles; to become one keeps the order
			return rangeClasses(a, func(lo, hi int64) bool { return mayBe(float64(lo), float64(hi), c.test, constant, want) })
		}
		return doubleClasses(a, c.test, constant, want)
	}
	return everyClass
}

// allBut is the classes of texts that may be another than the constant.
func (a *axis) allBut(constant string) classSet {
	if class := a.symbol(constant); class < classCoarse {
		return presentClass.but(oneClass(class))
	}
	return presentClass
}

// rangeOf is the classes of numbers, cut into so many, in which "v test constant" may be want: at is the constant's class, below and above those of the numbers next to
// it, of which there are none where least or greatest is set.
func rangeOf(op test, want bool, cuts int, at, below, above uint8, least, greatest bool) classSet {
	if !want {
		op = [...]test{equals: notEquals, notEquals: equals, less: greaterEquals, lessEquals: greater, greater: lessEquals, greaterEquals: less}[op]
	}
	first, last := classFirst, classFirst+cuts
	switch op {
	case equals:
		return fromTo(int(at), int(at))
	case greaterEquals:
		return fromTo(int(at), last)
	case lessEquals:
		return fromTo(first, int(at))
	case greater:
		if greatest {
			return classSet{}
		}
		return fromTo(int(above), last)
	case less:
		if least {
			return classSet{}
		}
		return fromTo(first, int(below))
	default:
		out := fromTo(first, last)
		if (least || below != at) && (greatest || above != at) {
			out = out.but(oneClass(at))
		}
		return out
	}
}

// doubleClasses is rangeOf with NaN, of which every comparison is false but that it is another.
func doubleClasses(a *axis, op test, constant float64, want bool) classSet {
	out := classSet{}
	if ordered(math.NaN(), op, constant) == want {
		out.add(classAny)
	}
	if constant != constant {
		if ordered(0, op, constant) == want {
			out = out.or(fromTo(classFirst, classFirst+len(a.doubles)))
		}
		return out
	}
	prev, next := math.Nextafter(constant, math.Inf(-1)), math.Nextafter(constant, math.Inf(1))
	ranks := rangeOf(op, want, len(a.doubles), rank(a.doubles, constant), rank(a.doubles, prev), rank(a.doubles, next), prev == constant, next == constant)
	return out.or(ranks)
}

// mayBe reports whether some v in [lo, hi] makes "v test constant" want. A comparison is monotone, so that the ends speak for all between.
func mayBe[T cmp.Ordered](lo, hi T, op test, constant T, want bool) bool {
	if op == notEquals {
		op, want = equals, !want
	}
	switch {
	case op == equals && want:
		return lo <= constant && constant <= hi
	case op == equals:
		return lo != hi || lo != constant
	case (op == less || op == lessEquals) == want:
		return ordered(lo, op, constant) == want
	default:
		return ordered(hi, op, constant) == want
	}
}

// rangeClasses is the set of the ranges of whole numbers that may passes.
func rangeClasses(a *axis, may func(lo, hi int64) bool) classSet {
	set, lo := classSet{}, int64(math.MinInt64)
	for i := range len(a.ints) + 1 {
		hi := int64(math.MaxInt64)
		if i < len(a.ints) {
			if hi = a.ints[i] - 1; a.ints[i] == math.MinInt64 {
				hi = lo // no number is below the least; the class is never met
			}
		}
		if may(lo, hi) {
			set.add(uint8(classFirst + i))
		}
		if i < len(a.ints) {
			lo = a.ints[i]
		}
	}
	return set
}

func (f isBool) axis(bool) (axisKey, bool) { return f.from.key(), true }

func (f isBool) classes(_ *axis, want bool) classSet {
	if f.want == want {
		return oneClass(classTrue)
	}
	return oneClass(classFalse)
}

func (o oneOf) axis(bool) (axisKey, bool) { return o.from.key(), true }

func (o oneOf) classes(a *axis, want bool) classSet {
	set := presentClass
	if want {
		set = classSet{}
	}
	for _, constant := range o.constants {
		if want {
			set.add(a.symbol(constant))
		} else {
			set = set.and(a.allBut(constant))
		}
	}
	return set
}

func (c contains) axis(bool) (axisKey, bool) {
	return axisKey{kind: axisMember, from: source{slot: c.slot}}, true
}

// classes: of those that must not be among a user's elements nothing is said, since he is in other classes too.
func (c contains) classes(a *axis, want bool) classSet {
	if !want {
		return everyClass
	}
	return oneClass(a.symbol(c.constant))
}

func (h has) axis(bool) (axisKey, bool) {
	return axisKey{kind: axisState, from: source{slot: h[0]}}, len(h) == 1
}

func (h has) classes(_ *axis, want bool) classSet {
	if want {
		return oneClass(1)
	}
	return oneClass(0)
}

func (c countComparison) axis(bool) (axisKey, bool) {
	return axisKey{kind: axisEvents, from: source{slot: c.slot}}, true
}

// classes: of n events at all, a window can hold from none to n, whenever it is asked.
func (c countComparison) classes(_ *axis, want bool) classSet {
	set := oneClass(mostEvents).or(oneClass(eventsUnknown))
	for n := range int64(mostEvents) {
		for count := range n + 1 {
			if ordered(count, c.test, c.constant) == want {
				set.add(uint8(n))
			}
		}
	}
	return set
}
