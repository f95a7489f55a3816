package rules

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"
)

// languageMacros are all macros of the language: what CEL has of them that a rule may use, and the event functions. Each name also has an
// expander for every other number of arguments, so that a wrong number gets a message of ours.
func languageMacros() []cel.Macro {
	macros := []cel.Macro{
		cel.GlobalMacro("has", 1, expandHas),
		cel.GlobalVarArgMacro("has", arityError("has(user.name)")),
		cel.GlobalMacro("bucket", 1, expandBucket),
		cel.GlobalVarArgMacro("bucket", arityError("bucket('salt')")),
	}
	for name, expand := range map[string]cel.MacroFactory{
		"all": parser.MakeAll, "exists_one": parser.MakeExistsOne, "map": parser.MakeMap, "filter": parser.MakeFilter,
	} {
		macros = append(macros,
			cel.ReceiverMacro(name, 2, listMacro(expand)),
			cel.ReceiverVarArgMacro(name, arityError("list."+name+"(x, …)")))
	}
	for name, instead := range refusedMacros {
		macros = append(macros, cel.ReceiverVarArgMacro(name, refuse(name, instead)))
	}
	return append(macros, eventMacros()...)
}

// refusedMacros are macros of CEL's libraries that the language does without. Unexpanded, their loop variables would give messages that
// mislead.
var refusedMacros = map[string]string{
	"optMap": "use orValue", "optFlatMap": "use orValue", "bind": "", "existsOne": "use exists_one", "transformList": "use map",
	"transformMap": "",
}

func refuse(name, instead string) cel.MacroFactory {
	return func(cel.MacroExprFactory, ast.Expr, []ast.Expr) (ast.Expr, *cel.Error) {
		return nil, &common.Error{Message: macroMessage(issueNotAllowed, instead, name+" is not part of the rule language")}
	}
}

// macroErrorMark begins a message that carries its issue code: the parser hands on nothing else of an expander's error. It cannot occur in
// an author's text where the parser would quote it first.
const macroErrorMark = "\x00"

// macroError is an error at an argument of a macro, with what to do instead or "".
func macroError(eh parser.ExprHelper, at ast.Expr, code, instead, format string, args ...any) *common.Error {
	return eh.NewError(at.ID(), macroMessage(code, instead, fmt.Sprintf(format, args...)))
}

func macroMessage(code, instead, message string) string {
	return macroErrorMark + code + macroErrorMark + message + macroErrorMark + instead
}

// splitMacroError takes the text of a macroError apart.
func splitMacroError(text string) (code, message, instead string, ok bool) {
	parts := strings.Split(text, macroErrorMark)
	if len(parts) != 4 || parts[0] != "" {
		return "", "", "", false
	}
	return parts[1], parts[2], parts[3], true
}

func arityError(form string) cel.MacroFactory {
	return func(eh cel.MacroExprFactory, target ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
		// The location of the call itself stands when the error has none.
		return nil, &common.Error{Message: macroMessage(issueArity, "write "+form, "wrong number of arguments")}
	}
}

// listMacro is a standard macro over a list or map that also refuses a loop variable which hides one of the language.
func listMacro(expand cel.MacroFactory) cel.MacroFactory {
	return func(eh cel.MacroExprFactory, target ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
		if err := checkLoopVariable(eh, args[0]); err != nil {
			return nil, err
		}
		return expand(eh, target, args)
	}
}

// checkLoopVariable refuses what is no simple name, and names that mean something else: hiding user or now changes what a rule says without
// a trace.
func checkLoopVariable(eh parser.ExprHelper, variable ast.Expr) *common.Error {
	if variable.Kind() != ast.IdentKind {
		return macroError(eh, variable, issueNotAllowed, "", "the name of the loop variable must be a simple name such as x")
	}
	switch name := variable.AsIdent(); name {
	case varUser, varRequest, varChannel, varNow, varEvents:
		return macroError(eh, variable, issueShadowed, "choose another name for the loop variable", "%q already means something else", name)
	}
	return nil
}

func expandHas(eh cel.MacroExprFactory, target ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
	if args[0].Kind() != ast.SelectKind || args[0].AsSelect().IsTestOnly() {
		return nil, macroError(eh, args[0], issueNotAllowed, "write has(user.name)", "has() asks whether an attribute is set")
	}
	return parser.MakeHas(eh, target, args)
}

func expandBucket(eh cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
	if _, ok := stringLiteral(args[0]); !ok {
		return nil, macroError(eh, args[0], issueNotAllowed, "write bucket('summer')", "the salt of bucket() must be written out")
	}
	return eh.NewCall(fnBucket, eh.NewIdent(varSubject), args[0]), nil
}

func stringLiteral(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}
