package rules

import (
	"math"
	"slices"
	"strings"

	"eligibility/internal/profile"
)

// code is the formulas of rules that are asked together, for decisions: the nodes of their trees in one array, each followed by all that is below it. It says what
// the formula's truth does, and looks at the parts of a junction in the order in which they are cheap and likely to settle it.
type code struct {
	starts   []int32 // of each rule: its first node
	nodes    []node
	text     string     // the constants, one after the other
	spans    []span     // of text: those of lists of constants
	literals []*literal // of nodeOther
}

// node is 32 bytes, so that two fill a cache line.
type node struct {
	kind   nodeKind
	test   test
	want   bool
	from   sourceFrom
	size   int32  // in nodes, with what is below
	slot   int32  // of the attribute or event type
	aux    uint32 // where a text begins; the index of a literal; of a list of texts, the first of spans
	number uint64 // the constant's bits, a text's length, or how many texts
	window int64  // of nodeCount
}

type nodeKind uint8

const (
	nodeAnd nodeKind = iota
	nodeOr
	nodeText   // text test constant
	nodeOneOf  // text in constants
	nodeMember // constant in user.list
	nodeBool
	nodeInt
	nodeDouble
	nodeWholeDouble // a whole number compared as a double
	nodeHas
	nodeCount
	nodeOther
)

// coder makes code.
type coder struct {
	code
	text strings.Builder
	at   map[string]span // of text
}

// Ranks of nodes. A candidate passed the screens, so that what an axis sees whole is nearly always true of it, and alternatives over several axes are what
// most candidates fail by. What depends on time comes late since its failing settles nothing while something else may fail for good, the interpreter last.
const (
	rankJunction = iota
	rankPlain
	rankWindow
	rankInterpreted
)

func newCode(rules []*Rule) code {
	c := coder{at: make(map[string]span)}
	for _, r := range rules {
		c.starts = append(c.starts, int32(len(c.nodes)))
		c.add(&r.formula)
	}
	return code{
		starts: slices.Clip(c.starts), nodes: slices.Clip(c.nodes), text: c.text.String(), spans: slices.Clip(c.spans), literals: slices.Clip(c.literals),
	}
}

func (c *coder) add(f *formula) {
	at := len(c.nodes)
	if f.op == opLiteral {
		c.nodes = append(c.nodes, c.literal(f))
		return
	}
	kind := nodeOr
	if f.op == opAnd {
		kind = nodeAnd
	}
	c.nodes = append(c.nodes, node{kind: kind})
	kids := make([]*formula, len(f.kids))
	for i := range f.kids {
		kids[i] = &f.kids[i]
	}
	slices.SortStableFunc(kids, func(x, y *formula) int { return x.rank() - y.rank() })
	for _, kid := range kids {
		c.add(kid)
	}
	c.nodes[at].size = int32(len(c.nodes) - at)
}

// rank of a junction is that of its latest part.
func (f *formula) rank() int {
	if f.op == opLiteral {
		switch {
		case f.lit.typed == nil:
			return rankInterpreted
		case len(f.lit.edges) > 0:
			return rankWindow
		}
		return rankPlain
	}
	latest := rankJunction
	for i := range f.kids {
		if rank := f.kids[i].rank(); rank > rankPlain {
			latest = max(latest, rank)
		}
	}
	return latest
}

func (c *coder) literal(f *formula) node {
	n := node{want: f.want, size: 1}
	timeless := len(f.lit.edges) == 0
	switch l := f.lit.typed.(type) {
	case comparison[string]:
		if timeless {
			return c.withText(n, nodeText, l.from, l.test, l.constant)
		}
	case oneOf:
		if timeless {
			n.aux = uint32(len(c.spans))
			for _, constant := range l.constants {
				c.spans = append(c.spans, c.constant(constant))
			}
			return n.of(nodeOneOf, l.from, equals, uint64(len(l.constants)))
		}
	case contains:
		if timeless {
			return c.withText(n, nodeMember, source{slot: l.slot}, equals, l.constant)
		}
	case isBool:
		if timeless {
			n.want = f.want == l.want
			// An error stays one: it is neither value.
			return n.of(nodeBool, l.from, equals, 0)
		}
	case comparison[int64]:
		if timeless {
			return n.of(nodeInt, l.from, l.test, uint64(l.constant))
		}
	case comparison[float64]:
		if timeless && l.from.kind == profile.Double {
			return n.of(nodeDouble, l.from, l.test, math.Float64bits(l.constant))
		}
		if timeless {
			return n.of(nodeWholeDouble, l.from, l.test, math.Float64bits(l.constant))
		}
	case has:
		if timeless && len(l) == 1 {
			return n.of(nodeHas, source{slot: l[0]}, equals, 0)
		}
	case countComparison:
		if edge, ok := onlyEdge(f.lit).(windowEdge); ok && edge == (windowEdge{slot: l.slot, window: l.window}) {
			n = n.of(nodeCount, source{slot: l.slot}, l.test, uint64(l.constant))
			n.window = l.window
			return n
		}
	}
	n.kind, n.aux = nodeOther, uint32(len(c.literals))
	c.literals = append(c.literals, f.lit)
	return n
}

func onlyEdge(l *literal) edge {
	if len(l.edges) != 1 {
		return nil
	}
	return l.edges[0]
}

func (n node) of(kind nodeKind, from source, op test, number uint64) node {
	n.kind, n.from, n.slot, n.test, n.number = kind, from.from, int32(from.slot), op, number
	return n
}

func (c *coder) withText(n node, kind nodeKind, from source, op test, text string) node {
	at := c.constant(text)
	n.aux = uint32(at.from)
	return n.of(kind, from, op, uint64(at.to-at.from))
}

// constant is where the text stands; each stands once.
func (c *coder) constant(text string) span {
	at, ok := c.at[text]
	if !ok {
		at = span{from: c.text.Len(), to: c.text.Len() + len(text)}
		c.text.WriteString(text)
		c.at[text] = at
	}
	return at
}
