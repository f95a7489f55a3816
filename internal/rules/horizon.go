package rules

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"eligibility/internal/profile"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

var errNotBool = errors.New("the expression is not true or false")

// edge is one way in which passing time can change a literal.
type edge interface {
	// next is the first instant after in.Now, in wall nanoseconds, at which this edge may change the value. It may be early, never late: in.Now itself
	// means "any moment".
	next(in *Input) int64
}

// edges finds everything in e that time can change.
func (b *ruleBuilder) edges(e ast.Expr) ([]edge, error) {
	w := edgeWalker{b: b}
	w.walk(e)
	return w.found, w.err
}

// edgeWalker collects edges. Inside the body of a comprehension, where e.occurredAt and the like change from element to element, a comparison with now has no
// single instant: any use of now there but a calendar field counts as any moment.
type edgeWalker struct {
	b      *ruleBuilder
	found  []edge
	err    error
	bodies int // comprehension bodies around the place
}

func (w *edgeWalker) walk(e ast.Expr) {
	switch e.Kind() {
	case ast.IdentKind:
		if e.AsIdent() == "now" {
			w.found = append(w.found, anyMoment{})
			w.b.opaque = append(w.b.opaque, e)
		}
	case ast.CallKind:
		w.call(e)
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		w.walk(c.IterRange())
		w.bodies++
		for _, part := range []ast.Expr{c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()} {
			w.walk(part)
		}
		w.bodies--
	default:
		w.walkBelow(e)
	}
}

func (w *edgeWalker) walkBelow(e ast.Expr) {
	for _, kid := range children(e) {
		w.walk(kid)
	}
}

func (w *edgeWalker) call(e ast.Expr) {
	call := e.AsCall()
	if slot, ok := w.b.streamSlot(e); ok {
		w.stream(e, slot)
		return
	}
	if mentionsNow(e) && (w.calendar(call) || w.bodies == 0 && w.crossing(call)) {
		return
	}
	w.walkBelow(e)
}

// stream handles a function over the events of one type: those with a window, and first and last, which look at all of them. A list argument holds the condition of
// the latter.
func (w *edgeWalker) stream(e ast.Expr, slot int) {
	var found edge = lifeEdge{slot: slot, retention: int64(w.b.retention)}
	for _, arg := range e.AsCall().Args()[1:] {
		if w.b.checked.GetType(arg.ID()).IsExactType(types.DurationType) {
			window, err := w.b.constantDuration(arg)
			if err != nil {
				w.err = err
				return
			}
			found = windowEdge{slot: slot, window: window}
			continue
		}
		w.walk(arg)
	}
	w.found = append(w.found, found)
}

// crossing recognises a comparison in which now stands once, linearly: now op E, now ± D op E, now - E op D, E - now op D. It turns at the instant
// where both sides are equal, and one nanosecond later for the operators that tell "equal" from "beyond".
func (w *edgeWalker) crossing(call ast.CallExpr) bool {
	switch call.FunctionName() {
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals, operators.Equals, operators.NotEquals:
	default:
		return false
	}
	c := crossingEdge{}
	if !w.terms(call.Args()[0], 1, &c) || !w.terms(call.Args()[1], -1, &c) || c.now != 1 && c.now != -1 {
		return false
	}
	for _, t := range c.terms {
		w.walk(t.expr)
	}
	w.found = append(w.found, &c)
	return true
}

func (w *edgeWalker) terms(e ast.Expr, sign int64, c *crossingEdge) bool {
	if !mentionsNow(e) {
		program, err := w.b.env.subProgram(w.b.checked, e)
		if err != nil {
			w.err = fmt.Errorf("plan a term of a comparison with now: %w", err)
			return false
		}
		c.terms = append(c.terms, term{sign: sign, expr: e, program: program})
		return true
	}
	switch {
	case e.Kind() == ast.IdentKind:
		c.now += sign
		return true
	case e.Kind() != ast.CallKind:
		return false
	}
	call := e.AsCall()
	args := call.Args()
	switch call.FunctionName() {
	case operators.Add:
		return w.terms(args[0], sign, c) && w.terms(args[1], sign, c)
	case operators.Subtract:
		return len(args) == 2 && w.terms(args[0], sign, c) && w.terms(args[1], -sign, c)
	}
	return false
}

// calendar recognises now.getHours('zone') and its kin.
func (w *edgeWalker) calendar(call ast.CallExpr) bool {
	if !call.IsMemberFunction() || call.Target().Kind() != ast.IdentKind || call.Target().AsIdent() != "now" || len(call.Args()) > 1 {
		return false
	}
	var unit time.Duration
	switch call.FunctionName() {
	case "getMilliseconds":
		unit = time.Millisecond
	case "getSeconds":
		unit = time.Second
	case "getMinutes":
		unit = time.Minute
	case "getHours":
		unit = time.Hour
	case "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getMonth", "getFullYear":
		unit = day
	default:
		return false
	}
	zone, ok := w.zone(call.Args())
	if !ok {
		return false
	}
	w.found = append(w.found, calendarEdge{unit: unit, zone: zone})
	return true
}

// zone is the time zone of an accessor: UTC, a constant one, or that of the user.
func (w *edgeWalker) zone(args []ast.Expr) (func(in *Input) (*time.Location, bool), bool) {
	constant := func(zone *time.Location) func(*Input) (*time.Location, bool) {
		return func(*Input) (*time.Location, bool) { return zone, true }
	}
	if len(args) == 0 {
		return constant(time.UTC), true
	}
	if args[0].Kind() == ast.LiteralKind {
		name, _ := args[0].AsLiteral().Value().(string)
		zone, ok := w.b.env.zones.location(name)
		return constant(zone), ok
	}
	source, ok := w.b.scalarSource(args[0])
	if !ok || source.kind != profile.String {
		return nil, false
	}
	zones := w.b.env.zones
	return func(in *Input) (*time.Location, bool) {
		name, ok := source.readText(in)
		if !ok {
			return nil, false
		}
		return zones.location(name)
	}, true
}

// constantDuration evaluates a window; the check has made sure that it is constant.
func (b *ruleBuilder) constantDuration(e ast.Expr) (int64, error) {
	program, err := b.env.subProgram(b.checked, e)
	if err != nil {
		return 0, fmt.Errorf("plan a window: %w", err)
	}
	value, _, err := program.Eval(&Input{})
	if err != nil {
		return 0, fmt.Errorf("evaluate a window: %w", err)
	}
	d, ok := value.(types.Duration)
	if !ok || d.Duration <= 0 || int64(d.Duration) > math.MaxInt64/4 {
		return 0, fmt.Errorf("window %v is not a positive duration", value)
	}
	return int64(d.Duration), nil
}

// mentionsNow reports whether the variable now occurs in e.
func mentionsNow(e ast.Expr) bool {
	if e.Kind() == ast.IdentKind {
		return e.AsIdent() == "now"
	}
	return slices.ContainsFunc(children(e), mentionsNow)
}

// children are the expressions directly below e.
func children(e ast.Expr) []ast.Expr {
	switch e.Kind() {
	case ast.CallKind:
		call := e.AsCall()
		if call.IsMemberFunction() {
			return append([]ast.Expr{call.Target()}, call.Args()...)
		}
		return call.Args()
	case ast.SelectKind:
		return []ast.Expr{e.AsSelect().Operand()}
	case ast.ListKind:
		return e.AsList().Elements()
	case ast.MapKind:
		var out []ast.Expr
		for _, entry := range e.AsMap().Entries() {
			out = append(out, entry.AsMapEntry().Key(), entry.AsMapEntry().Value())
		}
		return out
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		return []ast.Expr{c.IterRange(), c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()}
	}
	return nil
}
