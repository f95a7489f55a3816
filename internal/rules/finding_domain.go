package rules

import (
	"fmt"
	"strconv"

	"eligibility/internal/profile"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// domain is one thing that clauses of a rule ask about, divided into cells: ways it can be that no clause tells apart. Between the
// constants that a rule compares an attribute with, it does not matter which value the attribute has; so the constants, what lies next to
// them, and "not set" stand for all values there are. Cells may be more than can occur, never fewer: what holds in all of them holds for
// every user.
type domain struct {
	kind  domainKind
	slot  int        // of an attribute, a field of the request or an event type
	name  string     // as authors write it
	of    types.Kind // of the values
	least int64      // of numbers whose range is known; equal to most when it is not
	most  int64
	sure  bool // it always has a value
	uses  []use
	cells []domainCell
}

type domainKind uint8

const (
	domainAttribute domainKind = iota
	domainField                // of the request
	domainStream               // how many events of one type there are in each window
	domainTerm                 // the value of an expression, whatever it is made of
	domainTruth                // whether an expression is true, false or fails
)

// use is one clause that asks about a domain.
type use struct {
	claim     *claim
	expr      ast.Expr  // the clause
	want      bool      // the value of expr that makes the claim hold
	term      ast.Expr  // of domainTerm: the part of expr whose value is asked for
	constants []ref.Val // that it compares with
	window    int64     // of domainStream
}

// domainCell is one way a domain can be.
type domainCell struct {
	vars  cel.Activation
	truth outcome // of domainTruth
	unset bool    // there is no value to read
}

// Bounds of the work on one rule; a domain beyond them is taken as one unknown for each of its clauses.
const (
	maxCells      = 600    // of one domain
	maxCellTrials = 20_000 // evaluations of a clause in a cell, over all domains
	maxCounted    = 250    // events in a window of a cell
)

// ask finds the domain that a clause asks about.
func (f *finder) ask(c *claim, e ast.Expr) {
	d, u := f.asked(e)
	if d == nil {
		d, u = f.unknown(e), use{}
	}
	u.claim, u.expr, u.want = c, e, c.want
	c.domain = d
	d.uses = append(d.uses, u)
}

// unknown is the domain of a clause that is not understood: written twice it still comes out the same.
func (f *finder) unknown(e ast.Expr) *domain {
	return f.intern(domain{kind: domainTruth, name: textOf(e, f.b.info)}, e)
}

// intern returns the domain equal to d, which is d itself when it is new.
func (f *finder) intern(d domain, e ast.Expr) *domain {
	key := fmt.Sprint(d.kind, " ", d.slot, " ", d.name)
	if d.name == "" { // no text: like nothing else
		key += strconv.FormatInt(e.ID(), 10)
	}
	if known, ok := f.byKey[key]; ok {
		return known
	}
	f.byKey[key] = &d
	f.domains = append(f.domains, &d)
	return &d
}

// asked recognises the clauses whose outcome depends on a value by comparison with constants alone; nil for others.
func (f *finder) asked(e ast.Expr) (*domain, use) {
	switch {
	case e.Kind() == ast.SelectKind && e.AsSelect().IsTestOnly():
		root, path, _ := pathOf(e)
		return f.field(root, path), use{}
	case e.Kind() == ast.CallKind:
		call := e.AsCall()
		if _, compares := tests[call.FunctionName()]; compares {
			return f.compared(call)
		}
		if call.FunctionName() == operators.In {
			return f.listed(call)
		}
		if d, u := f.counted(e, "event_exists"); d != nil {
			u.constants = []ref.Val{types.Int(1)}
			return d, u
		}
	}
	if d := f.operand(e); d != nil && d.kind == domainAttribute || d != nil && d.kind == domainField {
		return d, use{}
	}
	return nil, use{}
}

func (f *finder) compared(call ast.CallExpr) (*domain, use) {
	left, right := call.Args()[0], call.Args()[1]
	if !f.reads(left) {
		left, right = right, left
	}
	if f.reads(right) {
		return nil, use{}
	}
	value, ok := f.b.constant(right)
	if !ok {
		return nil, use{}
	}
	if d, u := f.counted(left, "event_count"); d != nil {
		u.constants = []ref.Val{value}
		return d, u
	}
	return f.with(left, value)
}

func (f *finder) listed(call ast.CallExpr) (*domain, use) {
	element, list := call.Args()[0], call.Args()[1]
	if list.Kind() != ast.ListKind || f.reads(list) {
		return nil, use{}
	}
	var values []ref.Val
	for _, item := range list.AsList().Elements() {
		value, ok := f.b.constant(item)
		if !ok {
			return nil, use{}
		}
		values = append(values, value)
	}
	return f.with(element, values...)
}

// with is the domain of an operand that is compared with constants.
func (f *finder) with(operand ast.Expr, constants ...ref.Val) (*domain, use) {
	d := f.operand(operand)
	u := use{term: operand, constants: constants}
	if fallback, ok := f.fallback(operand); ok {
		u.constants = append(u.constants, fallback)
	}
	return d, u
}

func (f *finder) reads(e ast.Expr) bool { return subjectOf(f.b.schema, f.b.context, e).reads }

// counted is a plain count of the events of one type, or the question whether there are any.
func (f *finder) counted(e ast.Expr, overload string) (*domain, use) {
	slot, found, ok := f.b.streamCall(e)
	if !ok || found != overload {
		return nil, use{}
	}
	window, err := f.b.constantDuration(e.AsCall().Args()[1])
	if err != nil {
		return nil, use{}
	}
	return f.intern(domain{kind: domainStream, slot: slot, name: f.b.schema.EventTypes[slot].Name}, e), use{window: window}
}

// field is a scalar attribute of the user or field of the request, nil for anything else.
func (f *finder) field(root, path string) *domain {
	switch root {
	case varUser:
		if attr, ok := f.b.schema.Attribute(path); ok && attr.Type.Shape == profile.Scalar {
			return f.intern(domain{kind: domainAttribute, slot: attr.Slot, name: varUser + "." + path, of: celType(attr.Type).Kind()}, nil)
		}
	case varRequest:
		for slot, field := range f.b.context {
			if field.Name == path && field.Type.Shape == profile.Scalar {
				return f.intern(domain{kind: domainField, slot: slot, name: varRequest + "." + path, of: celType(field.Type).Kind()}, nil)
			}
		}
	}
	return nil
}

// operand is the domain of a value that is compared.
func (f *finder) operand(e ast.Expr) *domain {
	if root, path, ok := selection(e); ok {
		if d := f.field(root, path); d != nil {
			return d
		}
	}
	if _, ok := f.fallback(e); ok {
		root, path, _ := pathOf(e.AsCall().Target())
		if d := f.field(root, path); d != nil {
			return d
		}
	}
	d := domain{kind: domainTerm, name: textOf(e, f.b.info), of: f.b.checked.GetType(e.ID()).Kind()}
	if e.Kind() == ast.IdentKind {
		d.sure = e.AsIdent() == varNow || e.AsIdent() == varChannel
	}
	if e.Kind() == ast.CallKind {
		name := e.AsCall().FunctionName()
		if bounds, ok := ranges[name]; ok {
			d.least, d.most = bounds[0], bounds[1]
		}
		d.sure = name == fnBucket
	}
	return f.intern(d, e)
}

// fallback is the constant in user.?x.orValue(constant).
func (f *finder) fallback(e ast.Expr) (ref.Val, bool) {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != "orValue" || !e.AsCall().IsMemberFunction() {
		return nil, false
	}
	if _, _, ok := pathOf(e.AsCall().Target()); !ok || f.reads(e.AsCall().Args()[0]) {
		return nil, false
	}
	return f.b.constant(e.AsCall().Args()[0])
}

// ranges are the numbers that a function can give, whatever it is asked.
var ranges = map[string][2]int64{
	fnBucket: {0, Buckets - 1}, "size": {0, 1 << 40}, fnCount: {0, 1 << 40},
	"getHours": {0, 23}, "getMinutes": {0, 59}, "getSeconds": {0, 59}, "getMilliseconds": {0, 999},
	"getDayOfWeek": {0, 6}, "getDate": {1, 31}, "getDayOfMonth": {0, 30}, "getMonth": {0, 11}, "getDayOfYear": {0, 365},
}
