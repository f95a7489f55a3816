package rules

import (
	"cmp"

	"eligibility/internal/profile"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// typed returns the evaluator for a sub-expression of a shape that is understood, or nil. A shape is taken only when its value is exactly
// the interpreter's for every input; isError from an evaluator means "ask the interpreter".
func (b *ruleBuilder) typed(e ast.Expr) typedLiteral {
	switch e.Kind() {
	case ast.SelectKind:
		if e.AsSelect().IsTestOnly() {
			return b.presence(e)
		}
		if src, ok := b.scalarSource(e); ok && src.kind == profile.Bool {
			return isBool{from: src, want: true}
		}
	case ast.CallKind:
		call := e.AsCall()
		switch call.FunctionName() {
		case operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
			return b.comparison(call)
		case operators.In:
			return b.membership(call)
		}
		if slot, function, ok := b.streamCall(e); ok && function == "event_exists" {
			if window, err := b.constantDuration(call.Args()[1]); err == nil {
				return countComparison{slot: slot, window: window, constant: 1, test: greaterEquals}
			}
		}
	}
	return nil
}

// presence is has(user.x), also of a nest.
func (b *ruleBuilder) presence(e ast.Expr) typedLiteral {
	operand, name := e.AsSelect().Operand(), e.AsSelect().FieldName()
	path := name
	if operand.Kind() != ast.IdentKind {
		root, above, ok := selection(operand)
		if !ok || root != varUser {
			return nil
		}
		path = above + "." + name
	} else if operand.AsIdent() != varUser {
		return nil
	}
	if attr, ok := b.schema.Attribute(path); ok {
		return has{attr.Slot}
	}
	if slots := b.schema.Nested(path); len(slots) > 0 {
		return has(slots)
	}
	return nil
}

type has []int

func (h has) value(in *Input) outcome {
	for _, slot := range h {
		if in.Snapshot.State(slot) != profile.Absent {
			return isTrue
		}
	}
	return isFalse
}

// test is a comparison operator.
type test uint8

const (
	equals test = iota
	notEquals
	less
	lessEquals
	greater
	greaterEquals
)

var tests = map[string]test{
	operators.Equals: equals, operators.NotEquals: notEquals, operators.Less: less, operators.LessEquals: lessEquals,
	operators.Greater: greater, operators.GreaterEquals: greaterEquals,
}

// mirrored is the operator with its sides exchanged.
var mirrored = map[test]test{equals: equals, notEquals: notEquals, less: greater, lessEquals: greaterEquals, greater: less, greaterEquals: lessEquals}

// ordered applies the operator. NaN is equal to nothing and before or after nothing, as in the rule language.
func ordered[T cmp.Ordered](x T, op test, y T) bool {
	switch op {
	case equals:
		return x == y
	case notEquals:
		return x != y
	case less:
		return x < y
	case lessEquals:
		return x <= y
	case greater:
		return x > y
	default:
		return x >= y
	}
}

func (b *ruleBuilder) comparison(call ast.CallExpr) typedLiteral {
	left, right := call.Args()[0], call.Args()[1]
	op := tests[call.FunctionName()]
	if left.Kind() == ast.LiteralKind {
		left, right, op = right, left, mirrored[op]
	}
	if right.Kind() != ast.LiteralKind {
		return nil
	}
	constant := right.AsLiteral()
	if slot, function, ok := b.streamCall(left); ok && function == "event_count" {
		if n, ok := constant.(types.Int); ok {
			if window, err := b.constantDuration(left.AsCall().Args()[1]); err == nil {
				return countComparison{slot: slot, window: window, constant: int64(n), test: op}
			}
		}
		return nil
	}
	src, ok := b.scalarSource(left)
	if !ok {
		return nil
	}
	switch c := constant.(type) {
	case types.String:
		if src.kind == profile.String {
			return comparison[string]{from: src, read: source.readText, constant: string(c), test: op}
		}
	case types.Bool:
		if src.kind == profile.Bool && (op == equals || op == notEquals) {
			return isBool{from: src, want: bool(c) == (op == equals)}
		}
	case types.Int:
		switch src.kind {
		case profile.Int:
			return comparison[int64]{from: src, read: source.readInt, constant: int64(c), test: op}
		case profile.Double: // the language compares an int with a double as doubles
			return comparison[float64]{from: src, read: source.readDouble, constant: float64(c), test: op}
		}
	case types.Double:
		switch src.kind {
		case profile.Double:
			return comparison[float64]{from: src, read: source.readDouble, constant: float64(c), test: op}
		case profile.Int:
			return comparison[float64]{from: src, read: source.readIntAsDouble, constant: float64(c), test: op}
		}
	}
	return nil
}

// comparison is source op constant.
type comparison[T cmp.Ordered] struct {
	from     source
	read     func(from source, in *Input) (T, bool) // false: there is no value, so the literal is an error
	constant T
	test     test
}

func (c comparison[T]) value(in *Input) outcome {
	got, ok := c.read(c.from, in)
	if !ok {
		return isError
	}
	return outcomeOf(ordered(got, c.test, c.constant))
}

// isBool is a bool source that is to be want.
type isBool struct {
	from source
	want bool
}

func (f isBool) value(in *Input) outcome {
	got, ok := f.from.readBool(in)
	if !ok {
		return isError
	}
	return outcomeOf(got == f.want)
}

// countComparison is events.count(type, window) op constant. When the store cut the type's events inside the window, the true count is at
// least the one seen, which may settle the comparison; otherwise it is an error.
type countComparison struct {
	slot     int
	window   int64
	constant int64
	test     test
}

func (c countComparison) value(in *Input) outcome {
	events := in.Snapshot.Events(c.slot)
	from, to := events.Window(in.Now, c.window)
	count := int64(to - from)
	since := events.Since()
	return countedOutcome(count, since > 0 && in.Now-c.window+1 < since, c.test, c.constant)
}

// countedOutcome compares a count with a constant; one that is cut is the least that it may be.
func countedOutcome(count int64, cut bool, op test, constant int64) outcome {
	if cut {
		switch {
		case op == greaterEquals && count >= constant, op == greater && count > constant, op == notEquals && count > constant:
			return isTrue
		case op == less && count >= constant, op == lessEquals && count > constant, op == equals && count > constant:
			return isFalse
		}
		return isError
	}
	return outcomeOf(ordered(count, op, constant))
}
