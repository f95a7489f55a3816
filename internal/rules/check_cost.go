package rules

import (
	"strings"

	"eligibility/internal/profile"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// What a rule may cost, in steps of the interpreter on a user with long lists and as many events as are kept. A step takes some tens of
// nanoseconds, so the most expensive rule takes milliseconds for the worst user, and an ordinary one microseconds.
const (
	maxSteps           = 250_000
	stepsOfList        = 2000 // elements of a list or map attribute: 64 KB of JSON rarely hold more
	stepsOfMembership  = 200  // finding a value in such a list
	stepsOfText        = 20   // reading a text through
	stepsOfRegex       = 5000 // matching an attribute as long as maxMatchSteps allows
	stepsOfRegexEvent  = 500  // matching a property of an event, which is short
	regexStepsPerInstr = 4    // matching an element of a list: all elements together have no more text than one attribute may have
)

// cost is an upper estimate of the steps that evaluating the tree takes.
func (e *env) cost(tree *ast.AST) int {
	return (&costing{env: e, tree: tree}).of(tree.Expr(), loop{})
}

type costing struct {
	env  *env
	tree *ast.AST
}

// loop is the comprehension around a node: its variable, "" outside of any.
type loop struct {
	variable string
	events   bool
}

func (c *costing) of(e ast.Expr, in loop) int {
	if e.Kind() == ast.ComprehensionKind {
		f := e.AsComprehension()
		n, events := c.length(f.IterRange())
		inner := loop{variable: f.IterVar(), events: events}
		body := c.of(f.LoopCondition(), inner) + c.of(f.LoopStep(), inner)
		return c.of(f.IterRange(), in) + c.of(f.AccuInit(), in) + n*body + c.of(f.Result(), in)
	}
	steps := 1
	for _, part := range parts(e) {
		steps += c.of(part, in)
	}
	if e.Kind() == ast.CallKind {
		steps += c.call(e.AsCall(), in)
	}
	return steps
}

// length bounds the number of elements that a comprehension goes over, and says whether they are events.
func (c *costing) length(r ast.Expr) (n int, events bool) {
	switch r.Kind() {
	case ast.ListKind:
		return r.AsList().Size(), false
	case ast.MapKind:
		return r.AsMap().Size(), false
	case ast.CallKind:
		call := r.AsCall()
		switch name := call.FunctionName(); {
		case strings.HasPrefix(name, "@event_"):
			return profile.MaxEventsPerType, true
		case name == operators.Add:
			left, _ := c.length(call.Args()[0])
			right, _ := c.length(call.Args()[1])
			return left + right, false
		}
	}
	return stepsOfList, false
}

// call is what the function itself takes, beyond the step that any node takes.
func (c *costing) call(call ast.CallExpr, in loop) int {
	switch name := call.FunctionName(); name {
	case operators.In:
		if list := call.Args()[1]; list.Kind() != ast.ListKind && c.tree.GetType(list.ID()).Kind() == types.ListKind {
			return stepsOfMembership
		}
	case fnRegex:
		return c.match(call, in)
	case "contains", "startsWith", "endsWith", "size", "timestamp", "duration", "double", "int", "string", fnVersion, fnBucket:
		return stepsOfText
	default:
		if strings.HasPrefix(name, "@event_") && name != fnMatches {
			return profile.MaxEventsPerType / 4 // a window is found by bisection, a property read in a few instructions
		}
	}
	return 0
}

func (c *costing) match(call ast.CallExpr, in loop) int {
	switch {
	case in.variable == "" || !rootedIn(call.Target(), in.variable):
		return stepsOfRegex
	case in.events:
		return stepsOfRegexEvent
	}
	text, _ := stringLiteral(call.Args()[0])
	p, err := c.env.patterns.get(text)
	if err != nil {
		return stepsOfRegex
	}
	return regexStepsPerInstr * p.size
}

// rootedIn reports whether e is the variable or a field of it.
func rootedIn(e ast.Expr, variable string) bool {
	for e.Kind() == ast.SelectKind {
		e = e.AsSelect().Operand()
	}
	return e.Kind() == ast.IdentKind && e.AsIdent() == variable
}
