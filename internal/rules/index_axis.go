package rules

import (
	"math"
	"math/bits"
	"slices"

	"eligibility/internal/profile"
)

// An axis is one thing that a literal can ask of a user or a request without asking the time: a text, a number, whether a list holds one of some
// values. It sorts what an Input has into classes; a literal then says in which classes it can hold. Where every class is on one side of a literal, the class
// is as good as the value, and the literal need not be evaluated any more.
type axis struct {
	axisKey
	ints    []int64          // ascending; the classes of a whole number or an instant begin at them
	doubles []float64        // ascending; the classes of a double begin at them
	symbols map[string]uint8 // of texts and elements: those that have a class of their own. Immutable
}

// axisKey is what tells axes apart.
type axisKey struct {
	kind axisKind
	from source
}

type axisKind uint8

const (
	axisText   axisKind = iota // classes: not there, the symbols, all others by hash
	axisInt                    // not there, unknown, then by range
	axisDouble                 // the same
	axisBool                   // not there, false, true
	axisState                  // absent, or not
	axisMember                 // elements of a list, as texts: a user is in the classes of all his elements
	axisEvents                 // how many events of the type there are at all, from mostEvents on the same; unknown, to be careful, when the store cut them
)

// Classes of the kinds.
const (
	classNone      = 0 // there is no value: a comparison with it is an error, which never holds
	classAny       = 1 // of numbers: NaN, which has no place in an order
	classFirst     = 2 // of numbers: below the first cut
	maxClasses     = 256
	maxCuts        = maxClasses - classFirst - 1
	maxSymbols     = 200 // of a text axis; what has no symbol shares the classes behind them
	classCoarse    = 1 + maxSymbols
	coarseClasses  = maxClasses - classCoarse
	mostEvents     = 6
	eventsUnknown  = mostEvents + 1
	eventsClasses  = eventsUnknown + 1
	classFalse     = 1
	classTrue      = 2
	booleanClasses = 3
)

// classSet is a set of classes of one axis. What is said of classes that no user is in yet counts: an axis of texts may get more symbols.
type classSet [maxClasses / 64]uint64

var (
	everyClass   = classSet{math.MaxUint64, math.MaxUint64, math.MaxUint64, math.MaxUint64}
	presentClass = classSet{math.MaxUint64 &^ (1 << classNone), math.MaxUint64, math.MaxUint64, math.MaxUint64}
)

func oneClass(class uint8) classSet {
	var s classSet
	s.add(class)
	return s
}

// fromTo is the classes from low to high, none when low is above.
func fromTo(low, high int) classSet {
	var s classSet
	for class := low; class <= high; class++ {
		s.add(uint8(class))
	}
	return s
}

func (s *classSet) add(class uint8)      { s[class/64] |= 1 << (class % 64) }
func (s *classSet) has(class uint8) bool { return s[class/64]&(1<<(class%64)) != 0 }

func (s classSet) and(other classSet) classSet {
	for i := range s {
		s[i] &= other[i]
	}
	return s
}

func (s classSet) or(other classSet) classSet {
	for i := range s {
		s[i] |= other[i]
	}
	return s
}

func (s classSet) but(other classSet) classSet {
	for i := range s {
		s[i] &^= other[i]
	}
	return s
}

// size is how many of an axis's first classes the set has.
func (s classSet) size(classes int) int {
	n := 0
	for class := range classes {
		if s.has(uint8(class)) {
			n++
		}
	}
	return n
}

// run is the set as one range of classes; false when it has gaps or is empty.
func (s classSet) run() (low, high uint8, ok bool) {
	n, first := 0, -1
	for i, word := range s {
		if n += bits.OnesCount64(word); word != 0 && first < 0 {
			first = 64*i + bits.TrailingZeros64(word)
		}
	}
	if n == 0 || fromTo(first, first+n-1) != s {
		return 0, 0, false
	}
	return uint8(first), uint8(first + n - 1), true
}

// classes is how many classes the axis has, with those that texts may yet get.
func (a *axis) classes() int {
	switch a.kind {
	case axisText, axisMember:
		return maxClasses
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

// asked reports whether the axis looks at the request and not at the user.
func (k axisKey) asked() bool { return k.from.from == fromRequest || k.from.from == fromChannel }

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
		return a.symbol(text)
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
		return rankDouble(a.doubles, math.Float64frombits(bits))
	}
}

// rank is the class of v among cuts.
func rank[T int64 | float64](cuts []T, v T) uint8 {
	low, high := 0, len(cuts)
	for low < high {
		if middle := (low + high) / 2; v < cuts[middle] {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return uint8(classFirst + low)
}

func rankDouble(cuts []float64, v float64) uint8 {
	if v != v {
		return classAny
	}
	return rank(cuts, v)
}

// members appends the classes of the input's elements on an axisMember, each once, those of a list that is there behind how many they are. Nothing is appended for what is
// not a list.
func (a *axis) members(in *Input, dst []uint8) []uint8 {
	if in.Snapshot.State(a.from.slot) != profile.Present {
		return dst
	}
	at := len(dst)
	dst = append(dst, 0)
	list := in.Snapshot.Values(a.from.slot)
	for i := range list.Len() {
		if class := a.symbol(list.String(i)); !slices.Contains(dst[at+1:], class) && len(dst)-at-1 < math.MaxUint8 {
			dst = append(dst, class)
		}
	}
	dst[at] = uint8(len(dst) - at - 1)
	return dst
}

// symbol is the class of a text that is there.
func (a *axis) symbol(text string) uint8 {
	if class, ok := a.symbols[text]; ok {
		return class
	}
	return coarseClass(text)
}

// textHash is FNV-1a, folded: where blocks are cut.
func textHash(text string) uint32 {
	h := uint32(2166136261)
	for i := range len(text) {
		h = (h ^ uint32(text[i])) * 16777619
	}
	return h ^ h>>15
}

// coarseClass is not seeded: users who crowd one class cost themselves a few more rules to look at, and nobody a wrong answer.
func coarseClass(text string) uint8 {
	return uint8(classCoarse + textHash(text)%coarseClasses)
}

// cutsOf picks at most maxCuts of the places where comparisons change, evenly by how often they do.
func cutsOf[T int64 | float64](places []T) []T {
	places = slices.Clone(places)
	places = slices.DeleteFunc(places, func(c T) bool { return c != c }) // NaN
	slices.Sort(places)
	distinct := slices.Compact(slices.Clone(places))
	if len(distinct) <= maxCuts {
		return distinct
	}
	cuts := make([]T, 0, maxCuts)
	for i := range maxCuts {
		cuts = append(cuts, places[(2*i+1)*len(places)/(2*maxCuts)])
	}
	return slices.Compact(cuts)
}
