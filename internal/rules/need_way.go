package rules

import (
	"cmp"
	"slices"

	"cel.dev/cel-go/common/ast"
)

// aim is a literal that is to be true or false.
type aim struct {
	lit   *literal
	want  bool
	expr  ast.Expr
	text  string // of the literal, sign included
	about subject
	reads bool // it depends on something
	met   bool // by the facts as they are, now
	cost  int
}

type aimKey struct {
	text string
	want bool
}

// way is a set of aims by index, ascending.
type way []int

// ways lists sets of aims that make f true, the cheapest first.
func (a *advisor) ways(f *formula) []way {
	switch f.op {
	case opLiteral:
		i := a.aim(f)
		if !a.aims[i].reads && !a.aims[i].met {
			return nil // a constant
		}
		return []way{{i}}
	case opAnd:
		out := []way{{}}
		for i := range f.kids {
			kid := a.ways(&f.kids[i])
			var next []way
			for _, x := range out {
				for _, y := range kid {
					next = append(next, union(x, y))
				}
			}
			out = a.best(next)
		}
		return out
	default:
		var out []way
		for i := range f.kids {
			out = append(out, a.ways(&f.kids[i])...)
		}
		return a.best(out)
	}
}

// aim is the index of the literal, given once however often the rule repeats it.
func (a *advisor) aim(f *formula) int {
	expr := a.b.exprs[f.lit]
	key := aimKey{text: textOf(expr, a.b.info), want: f.want}
	if i, ok := a.index[key]; ok {
		return i
	}
	reads := subjectOf(a.b.schema, a.b.context, expr)
	value, _ := f.lit.value(a.in)
	next := aim{lit: f.lit, want: f.want, expr: expr, text: f.part.Text, about: reads.found, reads: reads.reads, met: value.is(f.want)}
	switch {
	case next.met:
	case next.about.kind == subjectNone || next.about.kind == subjectMany:
		next.cost = 50
		if len(f.lit.edges) > 0 {
			next.cost = 2
		}
	default:
		next.cost = 1
	}
	a.index[key] = len(a.aims)
	a.aims = append(a.aims, next)
	return len(a.aims) - 1
}

func union(x, y way) way {
	out := append(slices.Clone(x), y...)
	slices.Sort(out)
	return slices.Compact(out)
}

// best keeps the cheapest ways that do not contradict themselves.
func (a *advisor) best(ways []way) []way {
	ways = slices.DeleteFunc(ways, a.contradicts)
	slices.SortStableFunc(ways, func(x, y way) int { return cmp.Or(cmp.Compare(a.cost(x), a.cost(y)), slices.Compare(x, y)) })
	ways = slices.CompactFunc(ways, func(x, y way) bool { return slices.Equal(x, y) })
	return ways[:min(len(ways), maxWays)]
}

func (a *advisor) cost(w way) int {
	cost := 0
	for _, i := range w {
		cost += a.aims[i].cost
	}
	return cost
}

// contradicts reports whether w wants a literal true and false.
func (a *advisor) contradicts(w way) bool {
	for _, i := range w {
		other := aimKey{text: textOf(a.aims[i].expr, a.b.info), want: !a.aims[i].want}
		if j, ok := a.index[other]; ok && slices.Contains(w, j) {
			return true
		}
	}
	return false
}
