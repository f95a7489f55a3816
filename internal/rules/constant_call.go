package rules

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// constantCalls is done while a program is planned: calls of our functions with constant arguments are evaluated then, and patterns bound.
// It has to come before the library's own optimisation, which would otherwise put its matches, without our limits, in the place of ours.
func constantCalls(patterns *patterns) cel.ProgramOption {
	return cel.CustomDecoratorV2(func(node interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
		call, ok := node.(interpreter.InterpretableCall)
		if !ok {
			return node, nil
		}
		args := call.Args()
		switch call.OverloadID() {
		case overloadDays, overloadHours, overloadVersion:
			if _, ok := args[0].(interpreter.InterpretableConst); !ok {
				return node, nil
			}
			value := interpreter.EvalActivation(interpreter.EmptyActivation(), call.Exec)
			if types.IsError(value) {
				return node, nil // it fails when it is reached, and not before
			}
			return interpreter.NewConstValue(call.ID(), value), nil
		case overloadMatches:
			expr, ok := args[1].(interpreter.InterpretableConst)
			if !ok {
				return node, nil
			}
			text, _ := expr.Value().(types.String)
			p, err := patterns.get(string(text))
			if err != nil {
				return nil, err
			}
			return &boundMatch{id: call.ID(), text: args[0], pattern: p}, nil
		}
		return node, nil
	})
}

// boundMatch is matches with its pattern compiled.
type boundMatch struct {
	id      int64
	text    interpreter.InterpretableV2
	pattern *pattern
}

var _ interpreter.InterpretableV2 = (*boundMatch)(nil)

// ID is the id of the call.
func (m *boundMatch) ID() int64 { return m.id }

// Exec evaluates the text and matches it.
func (m *boundMatch) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	text := m.text.Exec(frame)
	if types.IsUnknownOrError(text) {
		return text
	}
	return types.LabelErrNode(m.id, m.pattern.match(text))
}

// Eval is Exec for callers without a frame.
func (m *boundMatch) Eval(vars interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(vars, m.Exec)
}
