package rules

import (
	"cmp"
	"math"
	"slices"
)

// code is what the rows of a block leave open of its rules, for decisions: the nodes of their formulas in one array, each followed by all that is below it. It says what
// the formula's truth does, and looks at the parts of a junction in the order in which they are cheap and likely to settle it.
type code struct {
	starts []int32 // of each rule: its first node; then the end
	nodes  []node
	sets   []classSet // of nodeSet, at most 2^16: a block has fewer literals than that
	values values
}

// node is 8 bytes, so that a cache line has those of several rules.
type node struct {
	kind      nodeKind
	low, high uint8 // the first and last class or count that makes it hold
	timeless  bool  // and settled by classes: so is all that is below
	at        uint32
}

type nodeKind uint8

const (
	nodeAnd      nodeKind = iota // at is its size in nodes, with what is below
	nodeOr                       // the same
	nodeIn                       // the class on axis at lies in [low, high]
	nodeOut                      // there is a class on axis at and it lies outside of [low, high]
	nodeFact                     // as nodeIn, of what is never an error
	nodeSet                      // the class on axis at is in sets[low + 256·high]
	nodeMember                   // the list on axis at has class low
	nodeStranger                 // there is a list on axis at and it has not class low
	nodeCount                    // the events in window at are from low to high; high is mostCounted for no end
	nodeValue                    // values says
)

// mostCounted is up to which number of events a nodeCount compares; as its high it stands for any number.
const mostCounted = math.MaxUint8

// lane is what a coding makes of one rule, for the blocks that it comes to stand in: its screens, a clause, and the code of what passing these leaves open. It is immutable.
type lane struct {
	screens []screen
	clause  clause
	nodes   []node
	sets    []classSet
	values  []*formula // of nodeValue
	bare    bool       // it has neither screens nor a clause
}

// newLane makes the lane of a rule, a bare one for a block that has no rows. What a section settles is of neither.
func newLane(c *coding, r *Rule, bare bool) *lane {
	_, filed := c.file(r)
	made := coder{coding: c}
	if bare {
		made.bare = true
		made.parts(without(r.parts(), filed))
	} else {
		var rest []*formula
		made.clause, rest = c.takeClause(without(c.rest(r), filed))
		made.screens = c.screens(nil, r)
		made.parts(rest)
	}
	made.nodes = slices.Clip(made.nodes)
	return &made.lane
}

func without(parts []*formula, part *formula) []*formula {
	return slices.DeleteFunc(parts, func(f *formula) bool { return f == part })
}

// coder makes the code of one rule.
type coder struct {
	lane
	coding *coding
}

// Ranks of nodes. A candidate passed the rows, so that what an axis sees whole is not asked again, and alternatives over several axes are what
// most candidates fail by. What depends on time comes late since its failing settles nothing while something else may fail for good, the interpreter last.
const (
	rankPlain = iota
	rankValue
	rankWindow
	rankInterpreted
)

// newCode is the code of lanes, one behind the other.
func newCode(lanes []*lane) code {
	var made code
	values := valueCoder{at: make(map[string]span)}
	for _, l := range lanes {
		made.starts = append(made.starts, int32(len(made.nodes)))
		for _, n := range l.nodes {
			switch n.kind {
			case nodeSet:
				n = n.ofSet(made.set(l.sets[n.setAt()]))
			case nodeValue:
				n.at = values.add(l.values[n.at])
			}
			made.nodes = append(made.nodes, n)
		}
	}
	made.starts = append(made.starts, int32(len(made.nodes)))
	made.nodes, made.sets, made.values = slices.Clip(made.nodes), slices.Clip(made.sets), values.made()
	return made
}

// set is the place of a set; each stands once.
func (c *code) set(set classSet) int {
	i := slices.Index(c.sets, set)
	if i < 0 {
		i = len(c.sets)
		c.sets = append(c.sets, set)
	}
	return i
}

func (n node) ofSet(i int) node { n.low, n.high = uint8(i), uint8(i>>8); return n }
func (n *node) setAt() int      { return int(n.low) | int(n.high)<<8 }

// parts adds the nodes of parts of one junction in the order in which they are looked at.
func (c *coder) parts(kids []*formula) (timeless bool) {
	timeless = true
	kids = slices.Clone(kids)
	slices.SortStableFunc(kids, func(x, y *formula) int { return cmp.Or(c.rank(x)-c.rank(y), len(x.kids)-len(y.kids)) })
	for _, kid := range kids {
		if !c.add(kid) {
			timeless = false
		}
	}
	return timeless
}

// add returns whether time changes nothing of the formula and classes settle it.
func (c *coder) add(f *formula) (timeless bool) {
	at := len(c.nodes)
	if f.op == opLiteral {
		n := c.literal(f)
		n.timeless = n.kind < nodeCount
		c.nodes = append(c.nodes, n)
		return n.timeless
	}
	kind := nodeOr
	if f.op == opAnd {
		kind = nodeAnd
	}
	kids := make([]*formula, len(f.kids))
	for i := range f.kids {
		kids[i] = &f.kids[i]
	}
	c.nodes = append(c.nodes, node{kind: kind})
	timeless = c.parts(kids)
	c.nodes[at].at, c.nodes[at].timeless = uint32(len(c.nodes)-at), timeless
	return timeless
}

// rank of a junction is that of its latest part.
func (c *coder) rank(f *formula) int {
	if f.op == opLiteral {
		switch {
		case f.lit.typed == nil:
			return rankInterpreted
		case len(f.lit.edges) > 0:
			return rankWindow
		}
		if _, ok := c.element(f); ok {
			return rankPlain
		}
		if _, _, ok := c.classed(f); ok {
			return rankPlain
		}
		return rankValue
	}
	latest := rankPlain
	for i := range f.kids {
		latest = max(latest, c.rank(&f.kids[i]))
	}
	return latest
}

// literal is the node of a literal: of its class when that settles it, of a window when that is all it asks, else of its value.
func (c *coder) literal(f *formula) node {
	if n, ok := c.element(f); ok {
		return n
	}
	if at, set, ok := c.classed(f); ok {
		return c.inClasses(at, set)
	}
	if n, ok := c.counted(f); ok {
		return n
	}
	c.values = append(c.values, f)
	return node{kind: nodeValue, at: uint32(len(c.values) - 1)}
}

// classed is the classes of an axis in which the literal holds, when these settle it.
func (c *coder) classed(f *formula) (at int, set classSet, ok bool) {
	lit, key, ok := f.screened()
	if !ok || key.kind == axisMember {
		return 0, classSet{}, false
	}
	if at, ok = c.coding.at[key]; !ok || !c.coding.axes[at].exact(lit, f.want) {
		return 0, classSet{}, false
	}
	return at, lit.classes(&c.coding.axes[at], f.want), true
}

func (c *coder) inClasses(at int, set classSet) node {
	if low, high, ok := set.run(); ok {
		if c.coding.axes[at].kind == axisState {
			return node{kind: nodeFact, low: low, high: high, at: uint32(at)}
		}
		return node{kind: nodeIn, low: low, high: high, at: uint32(at)}
	}
	if low, high, ok := presentClass.but(set).run(); ok && !set.has(classNone) {
		return node{kind: nodeOut, low: low, high: high, at: uint32(at)}
	}
	c.sets = append(c.sets, set)
	return node{kind: nodeSet, at: uint32(at)}.ofSet(len(c.sets) - 1)
}

// element is the node of one element of a list that has a class of its own.
func (c *coder) element(f *formula) (node, bool) {
	l, ok := f.lit.typed.(contains)
	if !ok {
		return node{}, false
	}
	_, key, _ := f.screened()
	at, ok := c.coding.at[key]
	if !ok {
		return node{}, false
	}
	class := c.coding.axes[at].symbol(l.constant)
	n := node{kind: nodeMember, low: class, at: uint32(at)}
	if !f.want {
		n.kind = nodeStranger
	}
	return n, class < classCoarse
}

// counted is the node of a comparison of the events in a window.
func (c *coder) counted(f *formula) (node, bool) {
	l, ok := f.lit.typed.(countComparison)
	if !ok {
		return node{}, false
	}
	window := windowEdge{slot: l.slot, window: l.window}
	at, ok := c.coding.counted[window]
	if !ok || len(f.lit.edges) != 1 || f.lit.edges[0] != edge(window) || l.constant >= mostCounted {
		return node{}, false
	}
	low, high, ok := countsOf(l.test, l.constant, f.want)
	return node{kind: nodeCount, low: low, high: high, at: uint32(at)}, ok
}

// countsOf is the numbers for which "n test constant" is want, the constant being below mostCounted; false when they are no range.
func countsOf(op test, constant int64, want bool) (low, high uint8, ok bool) {
	n := 0
	for count := range mostCounted + 1 {
		if ordered(int64(count), op, constant) == want {
			if n++; n == 1 {
				low = uint8(count)
			}
			high = uint8(count)
		}
	}
	return low, high, n > 0 && int(high)-int(low)+1 == n
}
