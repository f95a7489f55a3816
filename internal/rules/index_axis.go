package rules

import (
	"math"
	"slices"

	"eligibility/internal/profile"
)

// An axis is one thing that a literal can ask of a user or a request without asking the time: a text, a number, whether a list holds one of some
// values. It sorts what an Input has into a few classes; a literal then says in which classes it can hold. Classes may be coarse: they decide which rules are
// looked at, never what a rule says.
type axis struct {
	axisKey
	ints    []int64   // ascending; the classes of a whole number or an instant begin at them
	doubles []float64 // ascending; the classes of a double begin at them
}

// axisKey is what tells axes apart.
type axisKey struct {
	kind axisKind
	from source
}

type axisKind uint8

const (
	axisText   axisKind = iota // classes: not there, then by hash
	axisInt                    // not there, unknown, then by range
	axisDouble                 // the same
	axisBool                   // not there, false, true
	axisState                  // absent, or not
	axisMember                 // no element of a list, then elements by hash: a user is in the classes of all his elements
	axisEvents                 // how many events of the type there are at all, from mostEvents on the same; unknown, to be careful, when the store cut them
)

// Classes of the kinds. All fit into a classSet.
const (
	classNone      = 0 // there is no value: a comparison with it is an error, which never holds
	classAny       = 1 // of numbers: NaN, which has no place in an order
	classFirst     = 2 // of numbers: below the first cut
	maxCuts        = 29
	textClasses    = 32 // of lists too
	mostEvents     = 6
	eventsUnknown  = mostEvents + 1
	eventsClasses  = eventsUnknown + 1
	classFalse     = 1
	classTrue      = 2
	booleanClasses = 3
)

// classSet is a set of classes of one axis.
type classSet uint32

const everyClass = ^classSet(0)

func (s classSet) has(class uint8) bool { return s&(1<<class) != 0 }

// classes is how many classes the axis has.
func (a *axis) classes() int {
	switch a.kind {
	case axisText, axisMember:
		return textClasses
	case axisInt:
		return classFirst + len(a.ints) + 1
	case axisDouble:
		return classFirst + len(a.doubles) + 1
	case axisBool:
		return booleanClasses
	case axisEvents:
		return eventsClasses
	default:
		return 2
	}
}

// class is the class of the input on an axis that is not axisMember. Time does not change it: events count all together, also those to come.
func (a *axis) class(in *Input) uint8 {
	switch a.kind {
	case axisState:
		if in.Snapshot.State(a.from.slot) == profile.Absent {
			return 0
		}
		return 1
	case axisEvents:
		events := in.Snapshot.Events(a.from.slot)
		if events.Since() != 0 {
			return eventsUnknown
		}
		return uint8(min(events.Len(), mostEvents))
	case axisText:
		text, ok := a.from.readText(in)
		if !ok {
			return classNone
		}
		return textClass(text)
	}
	bits, ok := a.from.bits(in)
	if !ok {
		return classNone
	}
	switch a.kind {
	case axisBool:
		if bits != 0 {
			return classTrue
		}
		return classFalse
	case axisInt:
		return rank(a.ints, int64(bits))
	default:
		value := math.Float64frombits(bits)
		if value != value {
			return classAny
		}
		return rank(a.doubles, value)
	}
}

// rank is the class of v among cuts. There are few, so that going through them is faster than to halve.
func rank[T int64 | float64](cuts []T, v T) uint8 {
	class := uint8(classFirst)
	for _, cut := range cuts {
		if v < cut {
			break
		}
		class++
	}
	return class
}

// members is the set of classes of the input on an axisMember. Every user is in classNone, where the rules are that ask for no element.
func (a *axis) members(in *Input) classSet {
	set := classSet(1 << classNone)
	if in.Snapshot.State(a.from.slot) != profile.Present {
		return set
	}
	list := in.Snapshot.Values(a.from.slot)
	for i := range list.Len() {
		set |= 1 << textClass(list.String(i))
	}
	return set
}

// textHash is FNV-1a, folded: where blocks are cut.
func textHash(text string) uint32 {
	h := uint32(2166136261)
	for i := range len(text) {
		h = (h ^ uint32(text[i])) * 16777619
	}
	return h ^ h>>15
}

// textClass looks at the length and both ends: the texts that rules ask for are short. It is not seeded: users who crowd one class cost themselves a few more
// rules to look at, and nobody a wrong answer.
func textClass(text string) uint8 {
	n := len(text)
	h := uint64(n)
	if n >= 8 {
		h ^= eight(text) ^ eight(text[n-8:])*31
	} else {
		for i := range n {
			h ^= uint64(text[i]) << (8 * i)
		}
	}
	h *= 0x9e3779b97f4a7c15
	return uint8(1 + (h>>32)*(textClasses-1)>>32)
}

// eight is the first eight bytes of a text that has as many.
func eight(text string) uint64 {
	_ = text[7]
	return uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24 |
		uint64(text[4])<<32 | uint64(text[5])<<40 | uint64(text[6])<<48 | uint64(text[7])<<56
}

// cutsOf picks at most maxCuts of the constants that values are compared with, evenly by how often they are.
func cutsOf[T int64 | float64](constants []T) []T {
	constants = slices.Clone(constants)
	constants = slices.DeleteFunc(constants, func(c T) bool { return c != c }) // NaN
	slices.Sort(constants)
	distinct := slices.Compact(slices.Clone(constants))
	if len(distinct) <= maxCuts {
		return distinct
	}
	cuts := make([]T, 0, maxCuts)
	for i := range maxCuts {
		cuts = append(cuts, constants[(2*i+1)*len(constants)/(2*maxCuts)])
	}
	return slices.Compact(cuts)
}
