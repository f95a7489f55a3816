package rules

import (
	"errors"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// treeCheck holds a tree of the right types against the rules of the language that types cannot express.
type treeCheck struct {
	*checking
	tree  *ast.AST
	joins int        // of texts and lists
	vague []ast.Expr // of a type that is not known: reported only when nothing else explains them
}

func (c *checking) tree(tree *ast.AST) {
	t := &treeCheck{checking: c, tree: tree}
	t.visit(tree.Expr(), nil, 0)
	if len(t.vague) > 0 && !c.failed() {
		c.faultAt(t.vague[0], issueNotAllowed, "", "the type of this is not known")
	}
}

// visit checks e, which is part of parent; depth is the number of comprehensions around it.
func (t *treeCheck) visit(e, parent ast.Expr, depth int) {
	t.typeAllowed(e, parent)
	switch e.Kind() {
	case ast.CallKind:
		t.call(e, depth)
	case ast.ListKind:
		t.sameTypes(e.AsList().Elements(), "the elements of a list")
	case ast.MapKind:
		var keys, values []ast.Expr
		for _, entry := range e.AsMap().Entries() {
			keys, values = append(keys, entry.AsMapEntry().Key()), append(values, entry.AsMapEntry().Value())
		}
		t.sameTypes(keys, "the keys of a map")
		t.sameTypes(values, "the values of a map")
	case ast.ComprehensionKind:
		t.comprehension(e, depth)
		return
	}
	if operand, _, ok := selected(e); ok {
		t.visit(operand, e, depth) // the name in an optional selection is a literal without a type
		return
	}
	for _, part := range parts(e) {
		t.visit(part, e, depth)
	}
}

func (t *treeCheck) comprehension(e ast.Expr, depth int) {
	if depth > 0 {
		t.faultAt(e, issueNesting, "ask both questions of one list, or use in", "a condition on elements or events cannot contain another one")
		return
	}
	f := e.AsComprehension()
	t.visit(f.IterRange(), e, depth)
	for _, part := range []ast.Expr{f.AccuInit(), f.LoopCondition(), f.LoopStep(), f.Result()} {
		t.visit(part, e, depth+1)
	}
}

// written reports whether the author wrote this node, and not a macro.
func (t *treeCheck) written(e ast.Expr) bool {
	r, ok := t.tree.SourceInfo().GetOffsetRange(e.ID())
	return ok && r.Stop > r.Start
}

// typeAllowed refuses values that only exist so that something can be selected from or asked of them, where they would be compared or kept.
func (t *treeCheck) typeAllowed(e, parent ast.Expr) {
	typ := t.tree.GetType(e.ID())
	switch typ.Kind() {
	case types.TypeKind:
		t.faultAt(e, issueNotAllowed, "", "%s is the name of a type, not a value", t.text.text(t.spans.of(e)))
	case types.DynKind:
		if t.written(e) {
			t.vague = append(t.vague, e)
		}
	case types.StructKind:
		if t.written(e) && parent != nil && !t.opens(parent, e) {
			t.faultAt(e, issueNotAllowed, "", "%s cannot be used as a value: name one attribute of it", typeName(typ))
		}
	case types.ListKind, types.MapKind, types.OpaqueKind:
		if holdsObject(typ) && !t.selectsFrom(parent, e) {
			t.faultAt(e, issueNotAllowed, "", "only single attributes can be kept in lists and maps")
		}
	}
}

// holdsObject reports whether the user or the request is inside of a value of the type. Lists of events occur only in what macros write.
func holdsObject(t *types.Type) bool {
	for _, p := range t.Parameters() {
		own := p.Kind() == types.StructKind && (isObjectOf(userType, p.TypeName()) || isObjectOf(requestType, p.TypeName()))
		if own || holdsObject(p) {
			return true
		}
	}
	return false
}

// opens reports whether parent is a selection from e, or something that a macro wrote around it.
func (t *treeCheck) opens(parent, e ast.Expr) bool {
	return t.selectsFrom(parent, e) || !t.written(parent) && parent.Kind() != ast.ListKind || t.filters(parent, e)
}

func (t *treeCheck) selectsFrom(parent, e ast.Expr) bool {
	if parent == nil {
		return false
	}
	operand, _, ok := selected(parent)
	return ok && operand.ID() == e.ID()
}

// filters reports whether parent is the one-element list in which the filter macro hands on the event it looks at.
func (t *treeCheck) filters(parent, e ast.Expr) bool {
	name := t.tree.GetType(e.ID()).TypeName()
	hands := !t.written(parent) && parent.Kind() == ast.ListKind && e.Kind() == ast.IdentKind
	return hands && !isObjectOf(userType, name) && !isObjectOf(requestType, name)
}

// isObjectOf reports whether an object type is root, or that of an object below it.
func isObjectOf(root *types.Type, name string) bool {
	return name == root.TypeName() || strings.HasPrefix(name, root.TypeName()+".")
}

func (t *treeCheck) sameTypes(elems []ast.Expr, what string) {
	for _, e := range elems[min(len(elems), 1):] {
		first, other := t.tree.GetType(elems[0].ID()), t.tree.GetType(e.ID())
		if !first.IsEquivalentType(other) {
			suggestion := ""
			if isNumber(first) && isNumber(other) {
				suggestion = "write every number with decimals, such as 1.0"
			}
			t.faultAt(e, issueTypes, suggestion, "%s must be of one type, but this is %s and the first is %s",
				what, typeName(other), typeName(first))
			return
		}
	}
}

// refusedFunctions are what the optional library declares and the language does without: its rules only ever read optional values.
var refusedFunctions = []string{"optional.of", "optional.none", "optional.ofNonZeroValue"}

func (t *treeCheck) call(e ast.Expr, depth int) {
	call := e.AsCall()
	name := call.FunctionName()
	if slices.Contains(refusedFunctions, name) {
		t.fault(t.spans.name(e), issueNotAllowed, "", "%s is not part of the rule language", name)
		return
	}
	switch name {
	case fnRegex:
		t.regex(call.Args()[len(call.Args())-1])
	case operators.Add:
		t.join(e, depth)
	}
	for _, id := range t.tree.GetOverloadIDs(e.ID()) {
		if strings.HasSuffix(id, zonedSuffix) {
			t.zone(call.Args()[len(call.Args())-1])
		}
	}
}

// maxJoins bounds how often a rule joins texts or lists: each join copies what the ones before it made.
const maxJoins = 8

func (t *treeCheck) join(e ast.Expr, depth int) {
	if kind := t.tree.GetType(e.ID()).Kind(); !t.written(e) || kind != types.StringKind && kind != types.ListKind {
		return
	}
	t.joins++
	switch {
	case depth > 0:
		t.faultAt(e, issueTooComplex, "", "texts and lists cannot be joined inside a condition on elements or events")
	case t.joins == maxJoins+1:
		t.faultAt(e, issueTooComplex, "", "a rule joins texts and lists at most %d times", maxJoins)
	}
}

func (t *treeCheck) regex(expr ast.Expr) {
	text, ok := stringLiteral(expr)
	if !ok {
		t.faultAt(expr, issueRegexNotConstant, "use contains, startsWith or endsWith", "the pattern must be written out as one text")
		return
	}
	_, err := t.env.patterns.get(text)
	switch {
	case errors.Is(err, errPatternSize):
		t.faultAt(expr, issueRegexTooLarge, "use fewer or smaller repetitions", "the pattern is too large")
	case err != nil:
		t.faultAt(expr, issueRegex, "", "the pattern is not a regular expression")
	}
}

// zone accepts a zone that is written out and, of all that is not, the user's own.
func (t *treeCheck) zone(expr ast.Expr) {
	if ident, path, ok := selection(expr); ok && ident == varUser && path == "timeZone" {
		return
	}
	name, ok := stringLiteral(expr)
	if !ok {
		t.faultAt(expr, issueZoneNotConstant, "write it out, such as 'Europe/Berlin', or use user.timeZone", "the time zone must be written out")
		return
	}
	if _, ok := t.env.zones.location(name); !ok {
		t.faultAt(expr, issueZone, "write a name such as 'Europe/Berlin' or 'America/New_York'", "there is no time zone of this name")
	}
}
