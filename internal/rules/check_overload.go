package rules

import (
	"strconv"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// noOverload explains that a function or operator cannot be used on values of these types.
func (t *typing) noOverload(e ast.Expr) {
	if e.Kind() != ast.CallKind {
		t.faultAt(e, issueTypes, "", "this cannot be evaluated as written")
		return
	}
	call := e.AsCall()
	args := call.Args()
	if call.IsMemberFunction() {
		args = append([]ast.Expr{call.Target()}, args...)
	}
	name := call.FunctionName()
	switch {
	case name == fnMatches:
		t.faultAt(args[0], issueTypes, suggestComparison, "the condition must be true or false, but this is %s",
			typeName(t.typeOf(args[0])))
	case strings.HasPrefix(name, "@event_"):
		t.eventArguments(e, args)
	case t.optionalArgument(e, args):
	case t.mixedNumbers(e, name, args):
	case name == operators.Conditional:
		t.branches(e, args)
	case name == operators.In:
		t.membership(e, args)
	case name == operators.Index || name == operators.OptIndex:
		t.indexing(e, args)
	case operatorText(name) != "" && len(args) == 2:
		t.faultAt(e, issueTypes, quotedNumber(args, t.typeOf), "%s cannot be used between %s and %s", operatorText(name),
			typeName(t.typeOf(args[0])), typeName(t.typeOf(args[1])))
	case operatorText(name) != "":
		t.faultAt(e, issueTypes, "", "%s cannot be used on %s", operatorText(name), typeName(t.typeOf(args[0])))
	case !t.takes(name, len(args), call.IsMemberFunction()):
		t.fault(t.spans.name(e), issueArity, t.otherStyle(name, len(args), call.IsMemberFunction()), "wrong number of arguments for %s", name)
	default:
		all := make([]string, len(args))
		for i, arg := range args {
			all[i] = typeName(t.typeOf(arg))
		}
		t.fault(t.spans.name(e), issueTypes, "", "%s cannot be used on %s", name, strings.Join(all, ", "))
	}
}

// operatorText is how authors write an operator function, or "".
func operatorText(function string) string {
	if text, ok := operators.FindReverse(function); ok && text != "" {
		return text
	}
	return ""
}

// takes reports whether a function has a form with this many arguments, the receiver counted.
func (t *typing) takes(name string, n int, member bool) bool {
	function, ok := t.env.cel.Functions()[name]
	if !ok {
		return true
	}
	for _, overload := range function.OverloadDecls() {
		if len(overload.ArgTypes()) == n && overload.IsMemberFunction() == member {
			return true
		}
	}
	return false
}

func (t *typing) otherStyle(name string, n int, member bool) string {
	switch {
	case !t.takes(name, n, !member):
		return ""
	case member:
		return "write " + name + "(…)"
	default:
		return "write value." + name + "(…)"
	}
}

func (t *typing) eventArguments(e ast.Expr, args []ast.Expr) {
	for _, arg := range args {
		typ := t.typeOf(arg)
		if typ.Kind() == types.OpaqueKind && typ.TypeName() == propertyTypeName && len(typ.Parameters()) == 1 {
			if of := typ.Parameters()[0]; !isNumber(of) {
				name, _ := selectedName(arg)
				t.faultAt(arg, issueTypes, "", "the property %q is %s; only numbers can be added up or compared", name, typeName(of))
				return
			}
		}
	}
	last := args[len(args)-1]
	suggestion := "write days(7), hours(24) or duration('90m')"
	if n, ok := last.AsLiteral().(types.Int); ok && last.Kind() == ast.LiteralKind {
		suggestion = "write days(" + strconv.FormatInt(int64(n), 10) + ")"
	}
	if s, ok := stringLiteral(last); ok {
		suggestion = "write duration('" + s + "')"
	}
	t.faultAt(last, issueTypes, suggestion, "a window is a duration, but this is %s", typeName(t.typeOf(last)))
}

func selectedName(e ast.Expr) (string, bool) {
	_, name, ok := selected(e)
	return name, ok
}

// optionalArgument is the commonest slip with what may be absent: using it as if it were there.
func (t *typing) optionalArgument(e ast.Expr, args []ast.Expr) bool {
	for _, arg := range args {
		typ := t.typeOf(arg)
		if !isOptional(typ) {
			continue
		}
		value := "…"
		if len(typ.Parameters()) == 1 {
			value = zeroText(typ.Parameters()[0])
		}
		t.faultAt(arg, issueTypes, "add .orValue("+value+")", "there may be no value here")
		return true
	}
	return false
}

func zeroText(t *types.Type) string {
	switch t.Kind() {
	case types.BoolKind:
		return "false"
	case types.IntKind:
		return "0"
	case types.DoubleKind:
		return "0.0"
	case types.StringKind:
		return "''"
	default:
		return "…"
	}
}

// mixedNumbers is an int where a double is needed, or the other way round: order compares across the two, equality and arithmetic do not.
func (t *typing) mixedNumbers(e ast.Expr, name string, args []ast.Expr) bool {
	if len(args) != 2 || operatorText(name) == "" && name != operators.In {
		return false
	}
	right := t.typeOf(args[1])
	if name == operators.In && right.Kind() == types.ListKind && len(right.Parameters()) == 1 {
		right = right.Parameters()[0]
	}
	left := t.typeOf(args[0])
	var suggestion string
	switch {
	case left.Kind() == types.DoubleKind && right.Kind() == types.IntKind:
		suggestion = t.withDecimals(args[1])
	case left.Kind() == types.IntKind && right.Kind() == types.DoubleKind:
		suggestion = t.withDecimals(args[0])
		if args[0].Kind() != ast.LiteralKind {
			suggestion = t.withoutDecimals(args[1], args[0])
		}
	default:
		return false
	}
	operator := operatorText(name)
	if name == operators.In {
		operator = "in"
	}
	t.faultAt(e, issueTypes, suggestion, "%s needs two numbers of one kind, but one is %s and the other %s",
		operator, typeName(left), typeName(right))
	return true
}

func (t *typing) withDecimals(e ast.Expr) string {
	text := t.text.text(t.spans.of(e))
	switch e.Kind() {
	case ast.LiteralKind:
		return "write " + text + ".0"
	case ast.ListKind:
		return "write every number with decimals, such as 1.0"
	default:
		return "write double(" + text + ")"
	}
}

// withoutDecimals helps where e should be a whole number, as the other side is.
func (t *typing) withoutDecimals(e, other ast.Expr) string {
	if d, ok := literalDouble(e); ok && d == float64(int64(d)) {
		return "write " + strconv.FormatInt(int64(d), 10)
	}
	return "write double(" + t.text.text(t.spans.of(other)) + ")"
}

func literalDouble(e ast.Expr) (float64, bool) {
	if e.Kind() != ast.LiteralKind {
		return 0, false
	}
	d, ok := e.AsLiteral().(types.Double)
	return float64(d), ok
}

// quotedNumber helps where a number stands in quotes.
func quotedNumber(args []ast.Expr, typeOf func(ast.Expr) *types.Type) string {
	for i, arg := range args {
		text, ok := stringLiteral(arg)
		other := typeOf(args[1-i])
		if !ok || !isNumber(other) {
			continue
		}
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			return "write the number without quotes"
		}
	}
	return ""
}

func (t *typing) branches(e ast.Expr, args []ast.Expr) {
	if condition := t.typeOf(args[0]); condition.Kind() != types.BoolKind {
		t.faultAt(args[0], issueTypes, suggestComparison, "the condition must be true or false, but this is %s",
			typeName(condition))
		return
	}
	t.faultAt(e, issueTypes, "", "both branches must be of one type, but one is %s and the other %s",
		typeName(t.typeOf(args[1])), typeName(t.typeOf(args[2])))
}

func (t *typing) membership(e ast.Expr, args []ast.Expr) {
	left, right := t.typeOf(args[0]), t.typeOf(args[1])
	if right.Kind() != types.ListKind && right.Kind() != types.MapKind {
		suggestion := "write [" + t.text.text(t.spans.of(args[1])) + "]"
		if left.Kind() == types.ListKind {
			suggestion = "turn it round: " + t.text.text(t.spans.of(args[1])) + " in " + t.text.text(t.spans.of(args[0]))
		}
		t.faultAt(args[1], issueTypes, suggestion, "in needs a list on its right, but this is %s", typeName(right))
		return
	}
	t.faultAt(e, issueTypes, "", "%s can never be in %s", typeName(left), typeName(right))
}

func (t *typing) indexing(e ast.Expr, args []ast.Expr) {
	typ := t.typeOf(args[0])
	if key, ok := stringLiteral(args[1]); ok && typ.Kind() == types.StructKind {
		t.faultAt(e, issueTypes, "write "+t.path(args[0])+"."+key, "attributes are read with a dot, so that each is checked")
		return
	}
	t.faultAt(e, issueTypes, "", "%s has no element at %s", typeName(typ), typeName(t.typeOf(args[1])))
}

// notBool is an operand of && or ||, or a condition on elements, that is no condition.
func (t *typing) notBool(e ast.Expr) {
	typ := t.typeOf(e)
	if isOptional(typ) {
		t.faultAt(e, issueTypes, "add .orValue(false)", "there may be no value here")
		return
	}
	t.faultAt(e, issueTypes, suggestComparison, "the condition must be true or false, but this is %s", typeName(typ))
}

func (t *typing) noFields(e ast.Expr) {
	operand, field, ok := selected(e)
	if !ok {
		t.faultAt(e, issueTypes, "", "this has no fields")
		return
	}
	typ := t.typeOf(operand)
	if isOptional(typ) {
		t.optionalArgument(e, []ast.Expr{operand})
		return
	}
	t.fault(t.spans.name(e), issueTypes, "", "%s is %s: it has no field %q", t.text.text(t.spans.of(operand)), typeName(typ), field)
}
