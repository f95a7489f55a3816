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
	program cel.Program
	edges   []edge
}

// typedLiteral evaluates one shape of sub-expression without the interpreter.
type typedLiteral interface {
	value(in *Input) outcome
}

func (b *ruleBuilder) literal(e ast.Expr) (*literal, error) {
	b.literals++
	program, err := b.env.subProgram(b.checked, e)
	if err != nil {
		return nil, err
	}
	edges, err := b.edges(e)
	if err != nil {
		return nil, err
	}
	lit := &literal{typed: b.typed(e), program: program, edges: edges}
	b.exprs[lit] = e
	return lit, nil
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
	value, _ := l.interpret(in)
	return value
}

func (l *literal) interpret(in *Input) (outcome, error) {
	value, _, err := l.program.Eval(in)
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
