package rules

import (
	"maps"
	"math"
	"slices"
)

// coding is the axes of a ruleset and the windows that its rules count in, in an order that blocks refer to. It is immutable; a publish that needs more of either, or a
// text that has no symbol yet, makes a longer one, in which everything keeps its place, so that blocks built before stay good.
type coding struct {
	axes    []axis
	at      map[axisKey]int
	asked   []int        // of axes, those that look at the request
	lists   int          // of axes, how many are lists
	windows []windowEdge // by place, what a node counts
	counted map[windowEdge]int
	rules   int     // how many rules the cuts were chosen for
	loose   int     // comparisons with numbers that came later and lie between the cuts
	root    *coding // the first of those that this one extends; itself when it extends none
}

// recodeSlack is by how much a ruleset may grow before the cuts are chosen anew: twice the rules, and so many; and how many comparisons may lie between them beside a
// quarter of the rules.
const recodeSlack = 64

// Bounds of a coding. What lies beyond them is evaluated without it.
const (
	maxWindows = 1 << 10
	maxLists   = 128
)

// newCoding makes the axes that the rules, which are all there are, ask for, or extends prev by what it lacks.
func newCoding(prev *coding, rules []*Rule) *coding {
	if prev != nil {
		if c := prev.after(rules, len(rules)); c != nil {
			return c
		}
	}
	c := &coding{at: make(map[axisKey]int), counted: make(map[windowEdge]int), rules: len(rules)}
	c.root = c
	c.add(rules)
	return c
}

// after is the coding with what the fresh rules ask for and it lacks; nil when, of so many rules, the cuts are to be chosen anew.
func (c *coding) after(fresh []*Rule, rules int) *coding {
	if rules > 2*c.rules+recodeSlack || c.loose > c.rules/4+recodeSlack {
		return nil
	}
	lacking := c.lacks(fresh)
	if lacking == (lack{}) {
		return c
	}
	next := *c
	if !lacking.axes && !lacking.windows { // users are in the classes in which they were
		next.loose += lacking.loose
		return &next
	}
	if lacking.axes {
		next.axes, next.at, next.asked = slices.Clone(c.axes), maps.Clone(c.at), slices.Clip(c.asked)
	}
	if lacking.windows {
		next.windows, next.counted = slices.Clip(c.windows), maps.Clone(c.counted)
	}
	next.add(fresh)
	return &next
}

// sortsLike reports whether users are in the same classes by both codings, and the windows that both have are the same ones.
func (c *coding) sortsLike(other *coding) bool {
	return c == other || c.root == other.root && len(c.axes) == len(other.axes) && (len(c.axes) == 0 || &c.axes[0] == &other.axes[0])
}

// add makes room for what the rules ask for.
func (c *coding) add(rules []*Rule) {
	kept := len(c.axes)
	own := make(map[int]bool) // axes whose symbols are this coding's to write
	ints, doubles := make(map[int][]int64), make(map[int][]float64)
	for _, r := range rules {
		r.formula.typed(func(f *formula) {
			if l, ok := f.lit.typed.(countComparison); ok {
				c.addWindow(windowEdge{slot: l.slot, window: l.window})
			}
			lit, key, ok := f.screened()
			if !ok {
				return
			}
			at, ok := c.addAxis(key)
			if !ok {
				return
			}
			if texts := symbolsOf(lit); len(texts) > 0 {
				own[at] = c.axes[at].addSymbols(texts, own[at])
			}
			whole, halves := placesOf(lit, key.kind)
			if at >= kept {
				ints[at], doubles[at] = append(ints[at], whole...), append(doubles[at], halves...)
			} else if !c.axes[at].cutAt(whole, halves) {
				c.loose++
			}
		})
	}
	for at, places := range ints {
		c.axes[at].ints = cutsOf(places)
	}
	for at, places := range doubles {
		c.axes[at].doubles = cutsOf(places)
	}
}

// addAxis is the place of an axis, made where there is none yet; false when there is no room for it.
func (c *coding) addAxis(key axisKey) (at int, ok bool) {
	if at, ok := c.at[key]; ok {
		return at, true
	}
	if key.kind == axisMember {
		if c.lists == maxLists {
			return 0, false
		}
		c.lists++
	}
	at = len(c.axes)
	if key.asked() {
		c.asked = append(c.asked, at)
	}
	c.at[key] = at
	c.axes = append(c.axes, axis{axisKey: key})
	return at, true
}

func (c *coding) addWindow(w windowEdge) {
	if _, ok := c.counted[w]; !ok && len(c.windows) < maxWindows {
		c.counted[w] = len(c.windows)
		c.windows = append(c.windows, w)
	}
}

// addSymbols gives classes to texts that have none, while there are some; the map is copied first unless it is the caller's own. It returns whether the map is that now.
func (a *axis) addSymbols(texts []string, own bool) bool {
	for _, text := range texts {
		if _, ok := a.symbols[text]; ok || len(a.symbols) == maxSymbols {
			continue
		}
		if !own {
			if a.symbols = maps.Clone(a.symbols); a.symbols == nil {
				a.symbols = make(map[string]uint8)
			}
			own = true
		}
		a.symbols[text] = uint8(1 + len(a.symbols))
	}
	return own
}

// symbolsOf is the texts that a literal tells apart.
func symbolsOf(lit screened) []string {
	switch l := lit.(type) {
	case comparison[string]:
		if l.test == equals || l.test == notEquals {
			return []string{l.constant}
		}
	case oneOf:
		return l.constants
	case contains:
		return []string{l.constant}
	}
	return nil
}

// placesOf is where among numbers the literal changes its value.
func placesOf(lit screened, kind axisKind) (ints []int64, doubles []float64) {
	switch l := lit.(type) {
	case comparison[int64]:
		return placesAround(l.test, l.constant, l.constant+1, l.constant == math.MaxInt64), nil
	case comparison[float64]:
		if kind == axisDouble {
			next := math.Nextafter(l.constant, math.Inf(1))
			return nil, placesAround(l.test, l.constant, next, next == l.constant)
		}
		if n := int64(l.constant); l.constant > -1<<62 && l.constant < 1<<62 {
			return []int64{n, n + 1}, nil
		}
	}
	return nil, nil
}

func placesAround[T int64 | float64](op test, constant, next T, greatest bool) []T {
	switch {
	case greatest, op == less, op == greaterEquals:
		return []T{constant}
	case op == greater, op == lessEquals:
		return []T{next}
	default:
		return []T{constant, next}
	}
}

// cutAt reports whether the axis has a cut at each of the places.
func (a *axis) cutAt(ints []int64, doubles []float64) bool {
	for _, place := range ints {
		if _, ok := slices.BinarySearch(a.ints, place); !ok {
			return false
		}
	}
	for _, place := range doubles {
		if _, ok := slices.BinarySearch(a.doubles, place); !ok && place == place {
			return false
		}
	}
	return true
}

// extends reports whether blocks made with prev are good with c.
func (c *coding) extends(prev *coding) bool { return prev != nil && c.root == prev.root }

// lack is what rules ask for and a coding has not.
type lack struct {
	axes    bool // an axis, or a class for a text
	windows bool
	loose   int // comparisons that lie between the cuts
}

func (c *coding) lacks(rules []*Rule) lack {
	var found lack
	for _, r := range rules {
		r.formula.typed(func(f *formula) { c.lack(f, &found) })
	}
	return found
}

func (c *coding) lack(f *formula, found *lack) {
	if l, ok := f.lit.typed.(countComparison); ok && len(c.windows) < maxWindows {
		if _, ok := c.counted[windowEdge{slot: l.slot, window: l.window}]; !ok {
			found.windows = true
		}
	}
	lit, key, ok := f.screened()
	if !ok {
		return
	}
	at, ok := c.at[key]
	if !ok {
		found.axes = found.axes || key.kind != axisMember || c.lists < maxLists
		return
	}
	a := &c.axes[at]
	if len(a.symbols) < maxSymbols {
		for _, text := range symbolsOf(lit) {
			if _, ok := a.symbols[text]; !ok {
				found.axes = true
			}
		}
	}
	if !a.cutAt(placesOf(lit, key.kind)) {
		found.loose++
	}
}

// typed calls with each literal that is evaluated without the interpreter.
func (f *formula) typed(with func(*formula)) {
	for i := range f.kids {
		f.kids[i].typed(with)
	}
	if f.op == opLiteral && f.lit.typed != nil {
		with(f)
	}
}

// axesOf are the axes that the formula can be screened on, each once.
func axesOf(f *formula) []axisKey {
	var keys []axisKey
	f.typed(func(f *formula) {
		if lit, ok := f.lit.typed.(screened); ok {
			if key, ok := lit.axis(f.want); ok && !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	})
	return keys
}
