package rules

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"
)

// eventForms are the event functions as authors write them, by name: what an error about the number of arguments shows.
var eventForms = map[string]string{
	"count":  "events.count('type', days(7)) or events.count('type', days(7), e, e.total > 50.0)",
	"exists": "events.exists('type', days(7)) or events.exists('type', days(7), e, e.total > 50.0)",
	"sum":    "events.sum('type', 'property', days(7)) or events.sum('type', 'property', days(7), e, e.total > 50.0)",
	"min":    "events.min('type', 'property', days(7)) or events.min('type', 'property', days(7), e, e.total > 50.0)",
	"max":    "events.max('type', 'property', days(7)) or events.max('type', 'property', days(7), e, e.total > 50.0)",
	"avg":    "events.avg('type', 'property', days(7)) or events.avg('type', 'property', days(7), e, e.total > 50.0)",
	"first":  "events.first('type') or events.first('type', e, e.total > 50.0)",
	"last":   "events.last('type') or events.last('type', e, e.total > 50.0)",
}

// eventMacros turn the author's form into typed hidden functions. An expander acts only on the receiver events. Literals keep their node id
// in what replaces them, so that an error about an event type or property stands where it is written.
func eventMacros() []cel.Macro {
	macros := []cel.Macro{
		// The library's exists has the same name and number of arguments as events.exists(type, window): whoever comes last has to know
		// both.
		cel.ReceiverMacro("exists", 2, func(eh cel.MacroExprFactory, target ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
			if !isEvents(target) {
				return listMacro(parser.MakeExists)(eh, target, args)
			}
			return plainWindow(fnExists)(eh, args)
		}),
		eventMacro("count", 2, plainWindow(fnCount)),
		eventMacro("count", 4, conditionalCount),
		eventMacro("exists", 4, conditionalExists),
		eventMacro("first", 1, plainEnd(fnFirst)),
		eventMacro("first", 3, conditionalEnd(fnFirstOf)),
		eventMacro("last", 1, plainEnd(fnLast)),
		eventMacro("last", 3, conditionalEnd(fnLastOf)),
	}
	for _, name := range aggregates {
		macros = append(macros,
			eventMacro(name, 3, plainAggregate(fnAggregate(name))),
			eventMacro(name, 5, conditionalAggregate(fnAggregateOf(name))))
	}
	for name, form := range eventForms {
		wrong := arityError(form)
		expand := func(eh cel.MacroExprFactory, target ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
			switch {
			case isEvents(target):
				return wrong(eh, target, args)
			case name == "exists":
				return arityError("list.exists(x, …)")(eh, target, args)
			default:
				return nil, nil
			}
		}
		macros = append(macros, cel.ReceiverVarArgMacro(name, expand))
	}
	return macros
}

type eventExpander func(eh parser.ExprHelper, args []ast.Expr) (ast.Expr, *common.Error)

func eventMacro(name string, arity int, expand eventExpander) cel.Macro {
	return cel.ReceiverMacro(name, arity, func(eh cel.MacroExprFactory, target ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
		if !isEvents(target) {
			return nil, nil
		}
		return expand(eh, args)
	})
}

func isEvents(target ast.Expr) bool {
	return target.Kind() == ast.IdentKind && target.AsIdent() == varEvents
}

// stream is @events.<type>, at the literal that names the type.
func stream(eh parser.ExprHelper, literal ast.Expr) (ast.Expr, *common.Error) {
	name, ok := stringLiteral(literal)
	if !ok {
		return nil, macroError(eh, literal, issueNotAllowed, "put it in quotes, such as 'purchase'", "the event type must be written out")
	}
	return ast.NewExprFactory().NewSelect(literal.ID(), eh.NewIdent(varCatalog), name), nil
}

// property is @prop.<type>.<property>, at the literal that names the property.
func property(eh parser.ExprHelper, event, literal ast.Expr) (ast.Expr, *common.Error) {
	typeName, _ := stringLiteral(event)
	name, ok := stringLiteral(literal)
	if !ok {
		return nil, macroError(eh, literal, issueNotAllowed, "put it in quotes, such as 'total'", "the property must be written out")
	}
	return ast.NewExprFactory().NewSelect(literal.ID(), eh.NewSelect(eh.NewIdent(varProperties), typeName), name), nil
}

func plainWindow(function string) eventExpander {
	return func(eh parser.ExprHelper, args []ast.Expr) (ast.Expr, *common.Error) {
		s, err := stream(eh, args[0])
		if err != nil {
			return nil, err
		}
		return eh.NewCall(function, s, args[1]), nil
	}
}

func plainEnd(function string) eventExpander {
	return func(eh parser.ExprHelper, args []ast.Expr) (ast.Expr, *common.Error) {
		s, err := stream(eh, args[0])
		if err != nil {
			return nil, err
		}
		return eh.NewCall(function, s), nil
	}
}

func plainAggregate(function string) eventExpander {
	return func(eh parser.ExprHelper, args []ast.Expr) (ast.Expr, *common.Error) {
		s, err := stream(eh, args[0])
		if err != nil {
			return nil, err
		}
		p, err := property(eh, args[0], args[1])
		if err != nil {
			return nil, err
		}
		return eh.NewCall(function, s, p, args[2]), nil
	}
}

// conditionalCount is a fold over the window that adds one for each event that meets the condition.
func conditionalCount(eh parser.ExprHelper, args []ast.Expr) (ast.Expr, *common.Error) {
	window, err := windowFor(eh, args[0], args[1], args[2])
	if err != nil {
		return nil, err
	}
	add := eh.NewCall(operators.Add, eh.NewAccuIdent(), eh.NewLiteral(types.Int(1)))
	step := eh.NewCall(operators.Conditional, orNoMatch(eh, args[3]), add, eh.NewAccuIdent())
	return eh.NewComprehension(window, args[2].AsIdent(), eh.AccuIdentName(),
		eh.NewLiteral(types.Int(0)), eh.NewLiteral(types.True), step, eh.NewAccuIdent()), nil
}

func conditionalExists(eh parser.ExprHelper, args []ast.Expr) (ast.Expr, *common.Error) {
	window, err := windowFor(eh, args[0], args[1], args[2])
	if err != nil {
		return nil, err
	}
	return parser.MakeExists(eh, window, []ast.Expr{args[2], orNoMatch(eh, args[3])})
}

func conditionalAggregate(function string) eventExpander {
	return func(eh parser.ExprHelper, args []ast.Expr) (ast.Expr, *common.Error) {
		window, err := windowFor(eh, args[0], args[2], args[3])
		if err != nil {
			return nil, err
		}
		p, err := property(eh, args[0], args[1])
		if err != nil {
			return nil, err
		}
		matched, err := parser.MakeFilter(eh, window, []ast.Expr{args[3], orNoMatch(eh, args[4])})
		if err != nil {
			return nil, err
		}
		return eh.NewCall(function, p, matched), nil
	}
}

func conditionalEnd(function string) eventExpander {
	return func(eh parser.ExprHelper, args []ast.Expr) (ast.Expr, *common.Error) {
		if err := checkLoopVariable(eh, args[1]); err != nil {
			return nil, err
		}
		s, err := stream(eh, args[0])
		if err != nil {
			return nil, err
		}
		// The stream is also an argument of the function itself: a filtered list no longer says whether the history was cut.
		all := eh.NewCall(fnAll, eh.Copy(s))
		matched, err := parser.MakeFilter(eh, all, []ast.Expr{args[1], orNoMatch(eh, args[2])})
		if err != nil {
			return nil, err
		}
		return eh.NewCall(function, s, matched), nil
	}
}

func windowFor(eh parser.ExprHelper, event, window, variable ast.Expr) (ast.Expr, *common.Error) {
	if err := checkLoopVariable(eh, variable); err != nil {
		return nil, err
	}
	s, err := stream(eh, event)
	if err != nil {
		return nil, err
	}
	return eh.NewCall(fnWindow, s, window), nil
}

// orNoMatch makes an error inside a condition a "no": one old event that lacks a property must not make its user ineligible for as long as
// the event is kept.
func orNoMatch(eh parser.ExprHelper, condition ast.Expr) ast.Expr {
	return eh.NewCall(fnMatches, condition)
}
