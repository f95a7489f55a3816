package rules

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// literal is one sub-expression of a rule that is evaluated as a whole. What typed evaluation understands costs nanoseconds and no
// allocation; everything else is a cel-go program. Both give the same value.
type literal struct {
	typed   typedLiteral // nil: the program decides
	edges   []edge
	atom    *atom   // has the program; nil of a typed literal of a rule in force, whose program comes from origin
	origin  *origin // nil when atom is not
	ordinal int32   // the how-manieth literal of the rule it is
}

// typedLiteral evaluates one shape of sub-expression without the interpreter.
type typedLiteral interface {
	value(in *Input) outcome
}

// literal makes the literal of e, whose text is as textOf gives it.
func (b *ruleBuilder) literal(e ast.Expr, text string) (*literal, error) {
	ordinal := b.literals
	b.literals++
	edges, err := b.edges(e)
	if err != nil {
		return nil, err
	}
	lit := &literal{typed: b.typed(e), edges: edges, ordinal: int32(ordinal)}
	b.exprs[lit] = e
	switch {
	case lit.typed == nil:
		lit.atom = b.env.atoms.share(text, b.needs(e), func() (cel.Program, error) { return b.env.subProgram(b.checked, e) })
		_, err = lit.atom.planned()
	case b.origin != nil:
		lit.origin = b.origin
	default:
		lit.atom = &atom{make: func() (cel.Program, error) { return b.env.subProgram(b.checked, e) }}
	}
	return lit, err
}

// program is what cel-go evaluates the literal with.
func (l *literal) program() (cel.Program, error) {
	if l.atom != nil {
		return l.atom.planned()
	}
	return l.origin.program(l.ordinal)
}

// value evaluates the literal; the error is set when the outcome is isError.
func (l *literal) value(in *Input) (outcome, error) {
	if l.typed != nil {
		if value := l.typed.value(in); value != isError {
			return value, nil
		}
		// The interpreter says what went wrong: one source of error texts.
	}
	return l.interpret(in)
}

// outcome is value without the error: what went wrong matters to explanations alone, and the interpreter takes a hundred times as long to say it.
func (l *literal) outcome(in *Input) outcome {
	if l.typed != nil {
		return l.typed.value(in)
	}
	if lacks(in.Snapshot, l.atom.needs) {
		return isError
	}
	value, _ := l.interpret(in)
	return value
}

func (l *literal) interpret(in *Input) (outcome, error) {
	program, err := l.program()
	if err != nil {
		return isError, err
	}
	value, _, err := program.Eval(in)
	if err != nil {
		return isError, err
	}
	truth, ok := value.(types.Bool)
	if !ok {
		return isError, errNotBool
	}
	return outcomeOf(bool(truth)), nil
}

// until is the first instant after in.Now at which the literal may change by time alone.
func (l *literal) until(in *Input) int64 {
	until := Forever
	for i := range l.edges {
		until = min(until, l.edges[i].next(in))
	}
	return until
}
