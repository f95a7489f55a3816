package rules

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// fieldRule is the Field of issues of a rule's text.
const fieldRule = "rule"

func (d *document) rule(source string) {
	env, err := d.frame.language.get()
	if err != nil {
		// A schema that was accepted always makes a language; its author can do nothing about it here.
		d.fault(fieldRule, "internal_limit", "the project's rule language cannot be made")
		return
	}
	checked, issues := env.check(source, checkLimits{retention: d.retention})
	for _, issue := range issues {
		issue.Field = fieldRule
		d.issues = append(d.issues, issue)
	}
	if checked != nil && !Failed(issues) {
		d.constant(checked)
		d.compiled(env, checked, source)
	}
}

// compiled looks at what the rule becomes: where it waits for no computable instant, and what it always or never says.
func (d *document) compiled(env *env, checked *cel.Ast, source string) {
	b, _, err := buildRule(env, checked, d.retention)
	if err != nil {
		d.fault(fieldRule, "internal_limit", "the rule cannot be planned")
		return
	}
	d.opaqueTime(b)
	if constantTruth(checked.NativeRep().Expr()) == nil {
		d.issues = append(d.issues, meaning(b, source)...)
	}
}

// opaqueTime warns of uses of now whose next turn cannot be computed: an answer that hangs on one is never reused, which costs on every request.
func (d *document) opaqueTime(b *ruleBuilder) {
	seen := make(map[int64]bool) // a conditional brings its condition twice
	for _, use := range b.opaque {
		if seen[use.ID()] {
			continue
		}
		seen[use.ID()] = true
		part := b.part(use)
		d.issues = append(d.issues, Issue{
			Severity: SeverityWarning, Field: fieldRule, Line: int(part.Line), Column: int(part.Column), Length: len(varNow), Code: "time_opaque",
			Message:    "it cannot be told when this turns by time alone, so answers with this promotion are valid for no time at all",
			Suggestion: "compare now with one time, or ask for a window of events",
		})
	}
}

// constant warns of a rule that does not look at anything. Publishing one that is always true asks for confirmation: it reaches everybody.
func (d *document) constant(checked *cel.Ast) {
	code, message := codeNever, "this rule is false for every user"
	switch constantTruth(checked.NativeRep().Expr()) {
	case types.True:
		code, message = codeAlways, "this rule is true for every user: publishing it asks for confirmation"
	case types.False:
	default:
		return
	}
	d.issues = append(d.issues, Issue{Severity: SeverityWarning, Field: fieldRule, Line: 1, Column: 1, Code: code, Message: message})
}

// constantTruth is types.True or types.False for an expression that literals alone decide, whatever the rest of it says or fails with;
// else nil.
func constantTruth(e ast.Expr) any {
	switch e.Kind() {
	case ast.LiteralKind:
		if b, ok := e.AsLiteral().(types.Bool); ok {
			return b
		}
	case ast.CallKind:
		call := e.AsCall()
		switch call.FunctionName() {
		case operators.LogicalNot:
			if b, ok := constantTruth(call.Args()[0]).(types.Bool); ok {
				return !b
			}
		case operators.LogicalAnd:
			return junction(call.Args(), types.False)
		case operators.LogicalOr:
			return junction(call.Args(), types.True)
		case operators.Conditional:
			return branches(call.Args())
		}
	}
	return nil
}

// junction is && (decisive: false) or || (decisive: true): one decisive side settles it, over errors of the other too.
func junction(sides []ast.Expr, decisive types.Bool) any {
	all := true
	for _, side := range sides {
		truth := constantTruth(side)
		if truth == decisive {
			return decisive
		}
		all = all && truth == !decisive
	}
	if all {
		return !decisive
	}
	return nil
}

func branches(args []ast.Expr) any {
	switch constantTruth(args[0]) {
	case types.True:
		return constantTruth(args[1])
	case types.False:
		return constantTruth(args[2])
	}
	return nil
}
