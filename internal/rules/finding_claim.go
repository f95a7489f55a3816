package rules

import (
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// claim is a part of a rule that is meant to come out true, or false below a negation. A rule is a tree of claims like a formula, with NOT
// pushed down; but a claim knows its three-valued outcome in every cell of the domain that it asks about, which is what findings compare.
//
// An outcome of a claim is isTrue when the claim holds, isFalse when the opposite does and isError when neither.
type claim struct {
	op   operator
	kids []*claim // of opChoice: one opAnd of guard and branch for each way the condition can go
	at   ast.Expr // as the author wrote it
	want bool     // the value of at that makes the claim hold

	fixed  bool      // constants alone decide it, on purpose or not: nothing is said about such parts
	settle outcome   // of a fixed one
	domain *domain   // nil: it asks about several domains
	cells  []outcome // by cell of the domain
}

// finder looks for what an author would want to know about the meaning of a rule that checks.
type finder struct {
	b       *ruleBuilder
	spans   *spans
	domains []*domain
	byKey   map[string]*domain
	issues  []Issue
}

// newFinder makes the claims of a checked rule with their outcomes.
func newFinder(b *ruleBuilder, source string) (*finder, *claim) {
	f := &finder{b: b, spans: &spans{text: newSourceText(source), info: b.info}, byKey: make(map[string]*domain)}
	root := f.claim(b.checked.Expr(), true)
	f.evaluate()
	root.combine()
	return f, root
}

// claim makes the claim that e comes out as want.
func (f *finder) claim(e ast.Expr, want bool) *claim {
	if e.Kind() == ast.CallKind {
		call := e.AsCall()
		switch name := call.FunctionName(); name {
		case operators.LogicalNot:
			c := f.claim(call.Args()[0], !want)
			c.at, c.want = e, want
			return c
		case operators.LogicalAnd, operators.LogicalOr:
			c := &claim{op: opOr, at: e, want: want}
			if (name == operators.LogicalAnd) == want {
				c.op = opAnd
			}
			for _, side := range flatten(e, name) {
				c.kids = append(c.kids, f.claim(side, want))
			}
			return c
		case operators.Conditional:
			args := call.Args()
			c := &claim{op: opChoice, at: e, want: want}
			for i, taken := range []bool{true, false} {
				kids := []*claim{f.claim(args[0], taken), f.claim(args[1+i], want)}
				c.kids = append(c.kids, &claim{op: opAnd, at: args[1+i], want: want, kids: kids})
			}
			return c
		}
	}
	c := &claim{op: opLiteral, at: e, want: want}
	if subjectOf(f.b.schema, f.b.context, e).reads {
		f.ask(c, e)
		return c
	}
	c.fixed = true
	if value, ok := f.b.constant(e); ok {
		c.settle = outcomeOf(value == types.True).towards(want)
	}
	return c
}

// towards turns what an expression came to into what a claim on it did: isTrue when it is as wanted.
func (o outcome) towards(want bool) outcome {
	if o == isError || want {
		return o
	}
	return outcomeOf(o == isFalse)
}

// combine fills in the outcomes of junctions whose parts all ask about one domain.
func (c *claim) combine() {
	for _, kid := range c.kids {
		kid.combine()
	}
	if c.op == opLiteral || len(c.kids) == 0 {
		return
	}
	c.fixed, c.domain = true, nil
	same := true
	for _, kid := range c.kids {
		c.fixed = c.fixed && kid.fixed
		same = same && !kid.fixed && kid.domain != nil && kid.domain == c.kids[0].domain
	}
	switch {
	case c.fixed:
		c.settle = c.join(func(kid *claim) outcome { return kid.settle })
	case same:
		c.ofOneDomain()
	}
}

// ofOneDomain fills in the outcomes of a junction whose parts all ask about the same domain.
func (c *claim) ofOneDomain() {
	c.domain = c.kids[0].domain
	c.cells = make([]outcome, len(c.domain.cells))
	for i := range c.cells {
		c.cells[i] = c.join(func(kid *claim) outcome { return kid.cells[i] })
	}
}

// join is the outcome of a junction from those of its parts, by the language's logic: a decisive side wins over errors.
func (c *claim) join(of func(*claim) outcome) outcome {
	if c.op == opChoice {
		for _, way := range c.kids {
			switch of(way.kids[0]) {
			case isTrue:
				return of(way.kids[1])
			case isError:
				return isError
			}
		}
		return isError
	}
	decisive := outcomeOf(c.op != opAnd)
	out := outcomeOf(c.op == opAnd)
	for _, kid := range c.kids {
		switch of(kid) {
		case decisive:
			return decisive
		case isError:
			out = isError
		}
	}
	return out
}
