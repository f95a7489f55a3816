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
	// classes is the set of classes in which the literal may have the value want, now or at any later time.
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

const presentTexts = everyClass &^ (1 << classNone)

func (c comparison[T]) axis(bool) (axisKey, bool) { return c.from.key(), true }

func (c comparison[T]) classes(a *axis, want bool) classSet {
	switch constant := any(c.constant).(type) {
	case string:
		if c.test == equals && want || c.test == notEquals && !want {
			return 1 << textClass(constant)
		}
		return presentTexts
	case int64:
		return rangeClasses(a, func(lo, hi int64) bool { return mayBe(lo, hi, c.test, constant, want) })
	case float64:
		if a.kind == axisInt { // the language compares them as doubles; to become one keeps the order
			return rangeClasses(a, func(lo, hi int64) bool { return mayBe(float64(lo), float64(hi), c.test, constant, want) })
		}
		return doubleClasses(a, func(lo, hi float64) bool { return mayBe(lo, hi, c.test, constant, want) })
	}
	return everyClass
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
	set, lo := classSet(1<<classAny), int64(math.MinInt64)
	for i := range len(a.ints) + 1 {
		hi := int64(math.MaxInt64)
		if i < len(a.ints) {
			if hi = a.ints[i] - 1; a.ints[i] == math.MinInt64 {
				hi = lo // no number is below the least; the class is never met
			}
		}
		if may(lo, hi) {
			set |= 1 << (classFirst + i)
		}
		if i < len(a.ints) {
			lo = a.ints[i]
		}
	}
	return set
}

// doubleClasses is the same for doubles, of which -0 and 0 are one.
func doubleClasses(a *axis, may func(lo, hi float64) bool) classSet {
	set, lo := classSet(1<<classAny), math.Inf(-1)
	for i := range len(a.doubles) + 1 {
		hi := math.Inf(1)
		if i < len(a.doubles) {
			hi = math.Nextafter(a.doubles[i], math.Inf(-1))
		}
		if may(lo, hi) {
			set |= 1 << (classFirst + i)
		}
		if i < len(a.doubles) {
			lo = a.doubles[i]
		}
	}
	return set
}

func (f isBool) axis(bool) (axisKey, bool) { return f.from.key(), true }

func (f isBool) classes(_ *axis, want bool) classSet {
	if f.want == want {
		return 1 << classTrue
	}
	return 1 << classFalse
}

func (o oneOf) axis(bool) (axisKey, bool) { return o.from.key(), true }

func (o oneOf) classes(_ *axis, want bool) classSet {
	if !want {
		return presentTexts
	}
	set := classSet(0)
	for _, constant := range o.constants {
		set |= 1 << textClass(constant)
	}
	return set
}

func (c contains) axis(want bool) (axisKey, bool) {
	return axisKey{kind: axisMember, from: source{slot: c.slot}}, want
}

func (c contains) classes(*axis, bool) classSet { return 1 << textClass(c.constant) }

func (h has) axis(bool) (axisKey, bool) {
	return axisKey{kind: axisState, from: source{slot: h[0]}}, len(h) == 1
}

func (h has) classes(_ *axis, want bool) classSet {
	if want {
		return 1 << 1
	}
	return 1 << 0
}

func (c countComparison) axis(bool) (axisKey, bool) {
	return axisKey{kind: axisEvents, from: source{slot: c.slot}}, true
}

// classes: of n events at all, a window can hold from none to n, whenever it is asked.
func (c countComparison) classes(_ *axis, want bool) classSet {
	set := classSet(1<<mostEvents | 1<<eventsUnknown)
	for n := range int64(mostEvents) {
		for count := range n + 1 {
			if ordered(count, c.test, c.constant) == want {
				set |= 1 << n
			}
		}
	}
	return set
}
