package rules

import (
	"math"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// A rule is kept as a monotone Boolean formula: ANDs and ORs over literals, a literal being "this sub-expression evaluates to true" or "… to
// false". NOT is pushed down to the literals and a ternary becomes two guarded branches.
//
// The formula is true exactly when CEL says that the rule is true, also when sub-expressions fail: CEL's && and || absorb errors
// in any order, and an error is neither true nor false, so it makes a literal of either sign not true. What the formula does not tell apart is
// false from error; why does, by walking it with three values.
type formula struct {
	op   operator
	want bool      // of a literal: the truth value that makes it true
	kids []formula // of and, or: in the order of the text
	lit  *literal  // of a literal
	part Part
}

type operator uint8

const (
	opLiteral operator = iota
	opAnd
	opOr
	opChoice // a conditional: an OR of two ANDs, each of the condition's literal and a branch
)

// Part is a sub-expression of a rule as its author wrote it. Line and Column count from 1, the column in code points.
type Part struct {
	Text         string
	Line, Column int32
}

// maxLiterals bounds a formula: every ternary doubles its condition. Beyond it the sub-expression stays one literal.
const maxLiterals = 256

// decompose makes the formula of "e evaluates to want".
func (b *ruleBuilder) decompose(e ast.Expr, want bool) (formula, error) {
	part := b.part(e)
	text := part.Text
	if !want {
		part.Text = negated(text)
	}
	if b.literals < maxLiterals && e.Kind() == ast.CallKind {
		call := e.AsCall()
		switch call.FunctionName() {
		case operators.LogicalNot:
			f, err := b.decompose(call.Args()[0], !want)
			if want { // keep the author's text, sign included
				f.part = part
			}
			return f, err
		case operators.LogicalAnd, operators.LogicalOr:
			op := opAnd
			if (call.FunctionName() == operators.LogicalAnd) != want {
				op = opOr
			}
			return b.junction(op, part, want, flatten(e, call.FunctionName()))
		case operators.Conditional:
			return b.conditional(call.Args(), part, want)
		case operators.Equals, operators.NotEquals:
			if b.sameTruth(call.Args()) {
				return b.equivalence(call.Args(), part, (call.FunctionName() == operators.Equals) == want)
			}
		}
	}
	lit, err := b.literal(e, text)
	return formula{op: opLiteral, lit: lit, want: want, part: part}, err
}

func (b *ruleBuilder) junction(op operator, part Part, want bool, args []ast.Expr) (formula, error) {
	out := formula{op: op, part: part, kids: make([]formula, 0, len(args))}
	for _, arg := range args {
		kid, err := b.decompose(arg, want)
		if err != nil {
			return out, err
		}
		out.kids = append(out.kids, kid)
	}
	return out, nil
}

// conditional: (c ? x : y) is want iff c is true and x is want, or c is false and y is want.
func (b *ruleBuilder) conditional(args []ast.Expr, part Part, want bool) (formula, error) {
	out := formula{op: opChoice, part: part, kids: make([]formula, 0, 2)}
	for i, onTrue := range []bool{true, false} {
		guard, err := b.decompose(args[0], onTrue)
		if err != nil {
			return out, err
		}
		branch, err := b.decompose(args[1+i], want)
		if err != nil {
			return out, err
		}
		out.kids = append(out.kids, formula{op: opAnd, part: part, kids: []formula{guard, branch}})
	}
	return out, nil
}

// sameTruth reports whether both sides are conditions, and not just something compared with true or false.
func (b *ruleBuilder) sameTruth(args []ast.Expr) bool {
	for _, arg := range args {
		if arg.Kind() == ast.LiteralKind || !b.checked.GetType(arg.ID()).IsExactType(types.BoolType) {
			return false
		}
	}
	return true
}

// equivalence: (x == y) is (x ? y : !y), also when one of them fails.
func (b *ruleBuilder) equivalence(args []ast.Expr, part Part, same bool) (formula, error) {
	out := formula{op: opChoice, part: part, kids: make([]formula, 0, 2)}
	for _, onTrue := range []bool{true, false} {
		guard, err := b.decompose(args[0], onTrue)
		if err != nil {
			return out, err
		}
		branch, err := b.decompose(args[1], onTrue == same)
		if err != nil {
			return out, err
		}
		out.kids = append(out.kids, formula{op: opAnd, part: part, kids: []formula{guard, branch}})
	}
	return out, nil
}

// flatten undoes the parser's balancing of a && b && c, which loses the order in which people read.
func flatten(e ast.Expr, function string) []ast.Expr {
	if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == function {
		args := e.AsCall().Args()
		return append(flatten(args[0], function), flatten(args[1], function)...)
	}
	return []ast.Expr{e}
}

func negated(text string) string { return "!(" + text + ")" }

// truth says whether the formula is true, and until when, exclusive, passing time alone cannot change that. failed is set
// when what was seen to keep the formula from being true could not be evaluated; parts behind the one that settles it are not looked at.
//
// An AND that is true stays so until its first part ends; one that is not true stays so at least as long as any one part that is not
// true, so the latest of them counts. An OR is the mirror image.
func (f *formula) truth(in *Input) (holds bool, until int64, failed bool) {
	if f.op == opLiteral {
		value := f.lit.outcome(in)
		return value.is(f.want), f.lit.until(in), value == isError
	}
	decisive := f.op != opAnd // the value of one part that settles the whole
	least, latest := Forever, int64(math.MinInt64)
	settled, plain := false, false // plain: a part that is not true is simply false
	for i := range f.kids {
		holds, until, failed := f.kids[i].truth(in)
		plain = plain || !holds && !failed
		if holds == decisive {
			settled = true
			latest = max(latest, until)
			if latest == Forever {
				break
			}
			continue
		}
		least = min(least, until)
	}
	if settled {
		return decisive, latest, !decisive && !plain
	}
	return !decisive, least, decisive && !plain
}

// holds is truth without the horizon.
func (f *formula) holds(in *Input) bool {
	if f.op == opLiteral {
		return f.lit.outcome(in).is(f.want)
	}
	for i := range f.kids {
		if f.kids[i].holds(in) == (f.op != opAnd) {
			return f.op != opAnd
		}
	}
	return f.op == opAnd
}

// outcome is a sub-expression's CEL value.
type outcome uint8

const (
	isError outcome = iota
	isFalse
	isTrue
)

func (o outcome) is(want bool) bool { return want && o == isTrue || !want && o == isFalse }

func outcomeOf(b bool) outcome {
	if b {
		return isTrue
	}
	return isFalse
}

// why says which part keeps the formula from being true: for an AND the first part that is false, or else the first that fails; for an OR the
// whole of it, or the first failing part when one fails.
func (f *formula) why(in *Input) (outcome, *Part, error) {
	if f.op == opLiteral {
		value, err := f.lit.value(in)
		if value == isError {
			return isError, &f.part, err
		}
		return outcomeOf(value.is(f.want)), &f.part, nil
	}
	if f.op == opChoice {
		return f.whyChoice(in)
	}
	decisive := outcomeOf(f.op == opOr)
	var failed *Part
	var failure error
	for i := range f.kids {
		value, part, err := f.kids[i].why(in)
		switch {
		case value == decisive && f.op == opAnd:
			return value, part, nil
		case value == decisive:
			return value, &f.part, nil
		case value == isError && failed == nil:
			failed, failure = part, err
		}
	}
	if failed != nil {
		return isError, failed, failure
	}
	return outcomeOf(f.op == opAnd), &f.part, nil
}

// whyChoice looks only at the branch that the condition takes, as CEL does.
func (f *formula) whyChoice(in *Input) (outcome, *Part, error) {
	guard := &f.kids[0].kids[0]
	switch value, part, err := guard.why(in); value {
	case isTrue:
		return f.kids[0].kids[1].why(in)
	case isFalse:
		return f.kids[1].kids[1].why(in)
	default:
		return isError, part, err
	}
}

// part is e as its author wrote it, as far as the tree remembers, and where.
func (b *ruleBuilder) part(e ast.Expr) Part {
	at := b.info.GetLocationByOffset(startOf(e, b.info))
	text := textOf(e, b.info)
	if b.whole == "" {
		if b.whole = text; b.origin != nil && strings.Contains(b.origin.source, text) {
			b.whole = b.origin.source
		}
	}
	if i := strings.Index(b.whole, text); i >= 0 {
		text = b.whole[i : i+len(text)] // the memory of one text is that of nearly all parts
	}
	return Part{Text: text, Line: int32(at.Line()), Column: int32(at.Column() + 1)}
}
