package rules

import (
	"cmp"
	"slices"
	"strings"

	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// typing explains why the types of a rule do not fit. It checks the rule once more with the library's checker itself, which, unlike the
// environment, also hands out the types that it found: with them a message can say what there is instead.
type typing struct {
	*checking
	tree   *ast.AST
	nodes  map[int64]ast.Expr
	parent map[int64]ast.Expr
}

func (c *checking) types(source string) {
	diagnostic, err := c.env.diagnostic()
	if err != nil {
		return
	}
	parsed, failed := c.env.cel.Parse(source)
	if failed.Err() != nil {
		return
	}
	tree, errs := checker.Check(parsed.NativeRep(), common.NewTextSource(source), diagnostic)
	t := &typing{checking: c, tree: tree, nodes: make(map[int64]ast.Expr), parent: make(map[int64]ast.Expr)}
	c.spans = &spans{text: c.text, info: tree.SourceInfo()}
	t.index(tree.Expr())
	for _, err := range errs.GetErrors() {
		if e, ok := t.nodes[err.ExprID]; ok {
			t.explain(e, err.Message)
		} else {
			c.fault(span{}, issueTypes, "", "the rule cannot be evaluated as written")
		}
	}
}

// index notes every node and what it is part of. A node that macros use in two places keeps the first.
func (t *typing) index(e ast.Expr) {
	if _, ok := t.nodes[e.ID()]; !ok {
		t.nodes[e.ID()] = e
	}
	for _, child := range parts(e) {
		if _, ok := t.parent[child.ID()]; !ok {
			t.parent[child.ID()] = e
		}
		t.index(child)
	}
}

// parts are the direct sub-expressions of a node.
func parts(e ast.Expr) []ast.Expr {
	switch e.Kind() {
	case ast.SelectKind:
		return []ast.Expr{e.AsSelect().Operand()}
	case ast.CallKind:
		call := e.AsCall()
		if call.IsMemberFunction() {
			return append([]ast.Expr{call.Target()}, call.Args()...)
		}
		return call.Args()
	case ast.ListKind:
		return e.AsList().Elements()
	case ast.MapKind:
		var all []ast.Expr
		for _, entry := range e.AsMap().Entries() {
			all = append(all, entry.AsMapEntry().Key(), entry.AsMapEntry().Value())
		}
		return all
	case ast.ComprehensionKind:
		f := e.AsComprehension()
		return []ast.Expr{f.IterRange(), f.AccuInit(), f.LoopCondition(), f.LoopStep(), f.Result()}
	default:
		return nil
	}
}

func (t *typing) typeOf(e ast.Expr) *types.Type { return t.tree.GetType(e.ID()) }

// explain turns one of the checker's messages into ours. Its texts are recognised by their beginning; one that a new version of the library
// words otherwise still becomes an issue at the right place.
func (t *typing) explain(e ast.Expr, message string) {
	switch {
	case strings.HasPrefix(message, "undefined field"):
		t.undefinedField(e)
	case strings.HasPrefix(message, "undeclared reference"):
		t.undeclared(e)
	case strings.HasPrefix(message, "found no matching overload"):
		t.noOverload(e)
	case strings.HasPrefix(message, "expected type 'bool'"):
		t.notBool(e)
	case strings.Contains(message, "does not support field selection"):
		t.noFields(e)
	case strings.Contains(message, "cannot be range of a comprehension"):
		t.faultAt(e, issueTypes, "", "%s is %s: only lists and maps have elements", t.text.text(t.spans.of(e)), typeName(t.typeOf(e)))
	default:
		t.faultAt(e, issueTypes, "", "this cannot be evaluated as written")
	}
}

// selected is the object and field of a selection, plain or optional.
func selected(e ast.Expr) (operand ast.Expr, field string, ok bool) {
	if e.Kind() == ast.SelectKind {
		return e.AsSelect().Operand(), e.AsSelect().FieldName(), true
	}
	if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == "_?._" && len(e.AsCall().Args()) == 2 {
		field, ok = stringLiteral(e.AsCall().Args()[1])
		return e.AsCall().Args()[0], field, ok
	}
	return nil, "", false
}

func (t *typing) undefinedField(e ast.Expr) {
	operand, field, ok := selected(e)
	if !ok {
		t.faultAt(e, issueField, "", "there is no such field")
		return
	}
	typ := withoutOptional(t.typeOf(operand))
	o, ok := t.env.provider.objects[typ.TypeName()]
	if !ok {
		t.faultAt(e, issueField, "", "there is no field %q", field)
		return
	}
	at := t.spans.name(e)
	switch name := typ.TypeName(); {
	case name == catalogType.TypeName():
		t.fault(t.spans.of(e), issueEventType, quoteSuggestion(field, o.names), "there is no event type %q", field)
	case name == propertiesType.TypeName():
		// The event type is not declared, which is already said where it is written.
	case strings.HasPrefix(name, propertyObjectPrefix):
		t.fault(t.spans.of(e), issueField, quoteSuggestion(field, o.names), "%s events have no property %q", eventName(name), field)
	case isObjectOf(userType, name):
		t.fault(at, issueField, t.attributeSuggestion(operand, field, o.names), "there is no attribute %q", field)
	case isObjectOf(requestType, name):
		t.fault(at, issueField, t.pathSuggestion(operand, field, o.names), "requests have no attribute %q", field)
	default:
		t.fault(at, issueField, t.pathSuggestion(operand, field, o.names), "%s events have no property %q", eventName(name), field)
	}
}

// eventName is the event type that an object type belongs to.
func eventName(object string) string {
	if name, ok := strings.CutPrefix(object, propertyObjectPrefix); ok {
		return strings.TrimSuffix(name, propertyObjectSuffix)
	}
	return strings.TrimSuffix(object, eventObjectSuffix)
}

func quoteSuggestion(name string, names []string) string {
	if near, ok := nearest(name, names); ok {
		return didYouMean("'" + near + "'")
	}
	return ""
}

func (t *typing) pathSuggestion(operand ast.Expr, field string, names []string) string {
	if near, ok := nearest(field, names); ok {
		return didYouMean(t.path(operand) + "." + near)
	}
	return ""
}

// attributeSuggestion looks first among the fields of the same object, then for an attribute of that last name anywhere.
func (t *typing) attributeSuggestion(operand ast.Expr, field string, names []string) string {
	if suggestion := t.pathSuggestion(operand, field, names); suggestion != "" {
		return suggestion
	}
	for i := range t.env.schema.Attributes {
		name := t.env.schema.Attributes[i].Name
		if dot := strings.LastIndexByte(name, '.'); dot >= 0 && strings.EqualFold(name[dot+1:], field) {
			return didYouMean(varUser + "." + name)
		}
	}
	return ""
}

// path is a chain of selections as the author wrote it, without optional marks.
func (t *typing) path(e ast.Expr) string {
	return strings.ReplaceAll(string(t.text.runes[t.spans.of(e).from:t.spans.of(e).to]), "?", "")
}

func (t *typing) undeclared(e ast.Expr) {
	if e.Kind() == ast.CallKind {
		t.undeclaredFunction(e)
		return
	}
	name := ""
	if e.Kind() == ast.IdentKind {
		name = e.AsIdent()
	}
	if name == varEvents {
		if up, ok := t.parent[e.ID()]; ok && up.Kind() == ast.CallKind && up.AsCall().IsMemberFunction() && up.AsCall().Target().ID() == e.ID() {
			return // reported as an undeclared function of events
		}
		t.faultAt(e, issueReference, "write events.count('type', days(7))", "events is not a value and has no fields: ask it something")
		return
	}
	t.faultAt(e, issueReference, t.nameSuggestion(name), "%s is not known", name)
}

// nameSuggestion is for a bare name: an attribute without user in front, a misspelt variable, or text without quotes.
func (t *typing) nameSuggestion(name string) string {
	if foreign, ok := foreignWords[name]; ok {
		return "use " + foreign
	}
	user := t.env.provider.objects[userType.TypeName()]
	request := t.env.provider.objects[requestType.TypeName()]
	switch {
	case slices.Contains(user.names, name):
		return didYouMean(varUser + "." + name)
	case slices.Contains(request.names, name):
		return didYouMean(varRequest + "." + name)
	case name == "null" || name == "nil" || name == "none":
		return "write !has(user.name)"
	}
	if near, ok := nearest(name, []string{varUser, varRequest, varChannel, varNow, varEvents}); ok {
		return didYouMean(near)
	}
	if near, ok := nearest(name, user.names); ok {
		return didYouMean(varUser + "." + near)
	}
	return "if it is text, put it in quotes: '" + name + "'"
}

func (t *typing) undeclaredFunction(e ast.Expr) {
	call := e.AsCall()
	name := call.FunctionName()
	if call.IsMemberFunction() && isEvents(call.Target()) {
		names := make([]string, 0, len(eventForms))
		for form := range eventForms {
			names = append(names, form)
		}
		slices.Sort(names)
		suggestion := "use count, exists, sum, min, max, avg, first or last"
		if near, ok := nearest(name, names); ok {
			suggestion = didYouMean("events." + near)
		}
		t.fault(t.spans.name(e), issueReference, suggestion, "events has no function %s", name)
		return
	}
	if call.IsMemberFunction() && t.unknown(call.Target()) {
		return // reported where it stands
	}
	t.fault(t.spans.name(e), issueReference, t.functionSuggestion(name), "there is no function %s", name)
}

// unknown reports whether e, or what it is selected from, has no type because it is at fault itself.
func (t *typing) unknown(e ast.Expr) bool {
	for {
		if t.typeOf(e).Kind() == types.ErrorKind {
			return true
		}
		operand, _, ok := selected(e)
		if !ok {
			return false
		}
		e = operand
	}
}

// foreignFunctions are what authors know from elsewhere.
var foreignFunctions = map[string]string{
	"includes": "write 'x' in list", "indexOf": "use contains", "len": "use size", "length": "use size", "count": "use size",
	"toLowerCase": "texts are compared as they are stored", "lower": "texts are compared as they are stored",
	"isEmpty": "write size(…) == 0", "like": "use contains or matches", "date": "use timestamp('2026-01-31T00:00:00Z')", "today": "use now",
	"weeks": "use days(7)", "minutes": "use duration('30m')", "months": "use days(30)", "any": "use exists",
}

func (t *typing) functionSuggestion(name string) string {
	if known, ok := foreignFunctions[name]; ok {
		return known
	}
	names := []string{"has", "bucket", "all", "exists", "exists_one", "map", "filter"}
	for function := range t.env.cel.Functions() {
		if strings.IndexFunc(function, func(r rune) bool { return r == '_' || r == '@' || r == '.' }) < 0 {
			names = append(names, function)
		}
	}
	slices.SortFunc(names, cmp.Compare)
	if near, ok := nearest(name, names); ok {
		return didYouMean(near)
	}
	return ""
}
