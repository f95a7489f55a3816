package rules

import (
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// constantCheck evaluates what does not depend on the user or the request: what fails there fails for everyone.
type constantCheck struct {
	*checking
	tree   *ast.AST
	values map[int64]ref.Val // of constant calls
	broken map[int64]bool    // constant calls that are an error
	faults []ast.Expr        // the innermost of those
}

func (c *checking) constants(tree *ast.AST) {
	k := &constantCheck{checking: c, tree: tree, values: make(map[int64]ref.Val), broken: make(map[int64]bool)}
	root := tree.Expr()
	k.fold(root)
	k.reportFaults(root)
	if !c.failed() {
		k.windows(root)
	}
}

// fold evaluates the constant calls in e, innermost first, and reports whether e itself is constant.
func (k *constantCheck) fold(e ast.Expr) bool {
	constant := e.Kind() != ast.IdentKind && e.Kind() != ast.ComprehensionKind
	inner := false
	for _, part := range parts(e) {
		constant = k.fold(part) && constant
		inner = inner || k.broken[part.ID()]
	}
	if !constant || e.Kind() != ast.CallKind {
		k.broken[e.ID()] = constant && inner
		return constant
	}
	name := e.AsCall().FunctionName()
	if strings.HasPrefix(name, "@") && name != operators.In {
		return false // a hidden function reads the user
	}
	if inner && !absorbs(name) {
		k.broken[e.ID()] = true // for the reason that is already noted
		return true
	}
	value, err := k.evaluate(e)
	if err != nil {
		k.broken[e.ID()] = true
		if !inner {
			k.faults = append(k.faults, e)
		}
		return true
	}
	k.values[e.ID()] = value
	return true
}

// absorbs reports whether the function may have a value although one of its arguments is an error.
func absorbs(function string) bool {
	switch function {
	case operators.LogicalAnd, operators.LogicalOr, operators.Conditional, operators.NotStrictlyFalse, fnMatches:
		return true
	}
	return false
}

// evaluate is the value of a constant call. The conversions of one literal, which is nearly all there is, are done without planning a
// program.
func (k *constantCheck) evaluate(e ast.Expr) (ref.Val, error) {
	call := e.AsCall()
	if args := call.Args(); len(args) == 1 && !call.IsMemberFunction() && args[0].Kind() == ast.LiteralKind {
		var value ref.Val
		switch literal := args[0].AsLiteral(); call.FunctionName() {
		case "duration":
			value = literal.ConvertToType(types.DurationType)
		case "timestamp":
			value = literal.ConvertToType(types.TimestampType)
		case fnVersion:
			value = versionOf(literal)
		case fnDays:
			value = spanOf(24 * time.Hour)(literal)
		case fnHours:
			value = spanOf(time.Hour)(literal)
		}
		if err, ok := value.(*types.Err); ok {
			return nil, err
		}
		if value != nil {
			return value, nil
		}
	}
	program, err := k.env.subProgram(k.tree, e)
	if err != nil {
		return nil, err
	}
	value, _, err := program.Eval(cel.NoVars())
	return value, err
}

// reportFaults says of every constant that is an error whether it keeps the rule from ever being true. A rule that can still be true is
// only warned about.
func (k *constantCheck) reportFaults(root ast.Expr) {
	if len(k.faults) == 0 {
		return
	}
	severity := SeverityWarning
	if canBeTrue, _ := k.outcomes(root); !canBeTrue {
		severity = SeverityError
	}
	for _, e := range k.faults {
		s := k.spans.of(e)
		if hint, ok := literalHints[e.AsCall().FunctionName()]; ok {
			k.add(SeverityError, s, issueLiteral, hint, k.text.text(s)+" is not valid")
			continue
		}
		k.add(severity, s, issueConstantError, "", "this is an error for every user: "+k.text.text(s))
	}
}

// literalHints are the conversions whose literal must be right wherever it stands, with what a right one looks like.
var literalHints = map[string]string{
	"duration":  "write it such as duration('90m') or duration('36h'); a day is days(1)",
	"timestamp": "write it such as timestamp('2026-06-15T00:00:00Z')",
	fnVersion:   "write it such as version('5.2.0')",
	fnDays:      "at most about 292 years",
	fnHours:     "at most about 292 years",
	"int":       "",
	"double":    "",
	"bool":      "write true or false",
}

// outcomes says whether e can be true and whether it can be false, given the constants that are errors. Of a value that is no condition
// both say whether there can be a value at all.
func (k *constantCheck) outcomes(e ast.Expr) (canBeTrue, canBeFalse bool) {
	if k.broken[e.ID()] {
		return false, false
	}
	if e.Kind() == ast.CallKind {
		args := e.AsCall().Args()
		switch e.AsCall().FunctionName() {
		case operators.LogicalAnd:
			leftTrue, leftFalse := k.outcomes(args[0])
			rightTrue, rightFalse := k.outcomes(args[1])
			return leftTrue && rightTrue, leftFalse || rightFalse
		case operators.LogicalOr:
			leftTrue, leftFalse := k.outcomes(args[0])
			rightTrue, rightFalse := k.outcomes(args[1])
			return leftTrue || rightTrue, leftFalse && rightFalse
		case operators.LogicalNot:
			isTrue, isFalse := k.outcomes(args[0])
			return isFalse, isTrue
		case operators.Conditional:
			condTrue, condFalse := k.outcomes(args[0])
			thenTrue, thenFalse := k.outcomes(args[1])
			elseTrue, elseFalse := k.outcomes(args[2])
			return condTrue && thenTrue || condFalse && elseTrue, condTrue && thenFalse || condFalse && elseFalse
		case operators.NotStrictlyFalse, fnMatches:
			return true, true
		}
	}
	if e.Kind() == ast.ComprehensionKind {
		alive, dead := k.outcomes(e.AsComprehension().IterRange())
		return alive || dead, alive || dead
	}
	for _, part := range parts(e) {
		if isTrue, isFalse := k.outcomes(part); !isTrue && !isFalse {
			return false, false
		}
	}
	return true, true
}

// windows makes sure that the length of every window is known and is one that the stored history covers.
func (k *constantCheck) windows(e ast.Expr) {
	if e.Kind() == ast.CallKind {
		overloads := k.tree.GetOverloadIDs(e.ID())
		if len(overloads) == 1 && windowed[overloads[0]] {
			args := e.AsCall().Args()
			k.window(args[len(args)-1])
		}
	}
	for _, part := range parts(e) {
		k.windows(part)
	}
}

// windowed are the overloads whose last argument is a window.
var windowed = map[string]bool{
	"event_count": true, "event_exists": true, "event_window": true,
	"event_sum_int": true, "event_min_int": true, "event_max_int": true, "event_avg_int": true,
	"event_sum_double": true, "event_min_double": true, "event_max_double": true, "event_avg_double": true,
}

func (k *constantCheck) window(e ast.Expr) {
	length, ok := k.values[e.ID()].(types.Duration)
	switch {
	case !ok:
		k.faultAt(e, issueWindowConstant, "write days(7), hours(24) or duration('90m')", "the length of a window must be written out")
	case length.Duration <= 0:
		k.faultAt(e, issueWindow, "", "a window must be longer than nothing")
	case length.Duration > k.limits.retention:
		days := int64(k.limits.retention / (24 * time.Hour))
		k.faultAt(e, issueWindow, "", "events are kept for %d days: a window cannot be longer", days)
	}
}
