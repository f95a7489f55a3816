package rules

import (
	"errors"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// literal is one sub-expression of a rule that is evaluated as a whole. What typed evaluation understands costs nanoseconds and no
// allocation; everything else is a cel-go program. Both give the same value.
type literal struct {
	typed typedLiteral // nil: the program decides
	atom  *atom
	edges []edge
	needs []int // of an interpreted one: the attributes without which it fails
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
	lit := &literal{typed: b.typed(e), edges: edges}
	b.exprs[lit], b.ordinals[lit] = e, ordinal
	if lit.typed != nil {
		lit.atom = &atom{make: b.later(e, ordinal)}
		return lit, nil
	}
	lit.needs = b.needs(e)
	lit.atom = b.env.atoms.share(text, func() (cel.Program, error) { return b.env.subProgram(b.checked, e) })
	_, err = lit.atom.planned()
	return lit, err
}

// later plans the program of a typed literal when it is asked for. A rule that is in force does not keep its tree for that, which is many times larger than
// everything else of it, but reads its source again.
func (b *ruleBuilder) later(e ast.Expr, ordinal int) func() (cel.Program, error) {
	if b.source == "" {
		return func() (cel.Program, error) { return b.env.subProgram(b.checked, e) }
	}
	env, source, retention := b.env, b.source, b.retention
	return func() (cel.Program, error) {
		checked := env.reread(source, checkLimits{retention: retention})
		if checked == nil {
			return nil, errReread
		}
		again, _, err := buildFrom(source, env, checked, retention)
		if err != nil {
			return nil, err
		}
		for lit, expr := range again.exprs {
			if again.ordinals[lit] == ordinal {
				return env.subProgram(checked, expr)
			}
		}
		return nil, errReread
	}
}

var errReread = errors.New("the rule does not read as it did before")

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
	if lacks(in.Snapshot, l.needs) {
		return isError
	}
	value, _ := l.interpret(in)
	return value
}

func (l *literal) interpret(in *Input) (outcome, error) {
	program, err := l.atom.planned()
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
