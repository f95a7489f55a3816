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

// newCoding makes the axes that the promotions' rules ask for, or extends prev by what it lacks. fresh has all rules that prev may not cover.
func newCoding(prev *coding, promotions []*Compiled, fresh []*Rule) *coding {
	if prev != nil && len(promotions) <= 2*prev.rules+recodeSlack && prev.loose <= prev.rules/4+recodeSlack {
		if prev.covers(fresh) {
			return prev
		}
		c := &coding{
			axes: slices.Clone(prev.axes), at: maps.Clone(prev.at), asked: slices.Clip(prev.asked), lists: prev.lists,
			windows: slices.Clip(prev.windows), counted: maps.Clone(prev.counted), rules: prev.rules, loose: prev.loose, root: prev.root,
		}
		c.add(fresh)
		return c
	}
	c := &coding{at: make(map[axisKey]int), counted: make(map[windowEdge]int), rules: len(promotions)}
	c.root = c
	all := make([]*Rule, len(promotions))
	for i, p := range promotions {
		all[i] = p.Rule
	}
	c.add(all)
	return c
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
			lit, ok := f.lit.typed.(screened)
			if !ok {
				return
			}
			key, ok := lit.axis(f.want)
			if !ok {
				return
			}
			at, ok := c.addAxis(key)
			if !ok {
				return
			}
			if texts := symbolsOf(lit); len(texts) > 0 {
				c.axes[at].addSymbols(texts, own[at])
				own[at] = true
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

// addSymbols gives classes to texts that have none, while there are some; the map is copied first unless it is the caller's own.
func (a *axis) addSymbols(texts []string, own bool) {
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

// covers reports whether the coding has all that the rules ask for.
func (c *coding) covers(rules []*Rule) bool {
	all := true
	for _, r := range rules {
		r.formula.typed(func(f *formula) { all = all && c.covered(f) })
	}
	return all
}

func (c *coding) covered(f *formula) bool {
	if l, ok := f.lit.typed.(countComparison); ok {
		if _, ok := c.counted[windowEdge{slot: l.slot, window: l.window}]; !ok && len(c.windows) < maxWindows {
			return false
		}
	}
	lit, ok := f.lit.typed.(screened)
	if !ok {
		return true
	}
	key, ok := lit.axis(f.want)
	if !ok {
		return true
	}
	at, ok := c.at[key]
	if !ok {
		return key.kind == axisMember && c.lists == maxLists
	}
	a := &c.axes[at]
	if len(a.symbols) < maxSymbols {
		for _, text := range symbolsOf(lit) {
			if _, ok := a.symbols[text]; !ok {
				return false
			}
		}
	}
	return a.cutAt(placesOf(lit, key.kind)) // what lies between cuts is counted by add
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
	return slices.Clip(keys)
}
