package rules

import (
	"slices"
	"strings"

	"eligibility/internal/profile"

	"cel.dev/cel-go/common/ast"
)

// read is one thing that a rule reads of a user: a slot and, above it, what of the slot. It is small, for there is a list of them with every rule.
type read uint16

const (
	readAttribute  = read(iota) << readKind // the attribute at the slot
	readTimes                               // when events of the type at the slot happened
	readEvents                              // those events with their properties
	readEverything                          // all that there is

	readKind = 14 // bits of a slot
)

// readsOf finds what an expression reads of a user, ascending. Nothing but the variables of the language leads to one; a mention of the user, or of his events, that
// is no plain path to an attribute or an event type counts as one of everything. The tree is a checked one, with its macros expanded.
func readsOf(schema *profile.Schema, e ast.Expr) []read {
	f := readFinder{schema: schema}
	f.visit(e)
	slices.Sort(f.found)
	return slices.Clone(slices.Compact(f.found))
}

type readFinder struct {
	schema *profile.Schema
	found  []read
}

func (f *readFinder) visit(e ast.Expr) {
	if root, path, ok := pathOf(e); ok && f.path(root, path) {
		return
	}
	if e.Kind() == ast.CallKind && f.call(e.AsCall()) {
		return
	}
	if e.Kind() == ast.IdentKind {
		switch strings.TrimPrefix(e.AsIdent(), ".") {
		case varUser, varSubject, varCatalog:
			f.found = append(f.found, readEverything)
		}
	}
	for _, part := range parts(e) {
		f.visit(part)
	}
}

// path takes in what a selection leads to.
func (f *readFinder) path(root, path string) bool {
	switch root {
	case varUser:
		nested := f.schema.Nested(path)
		for _, slot := range nested {
			f.found = append(f.found, readAttribute|read(slot))
		}
		if attr, known := f.schema.Attribute(path); known {
			f.found = append(f.found, readAttribute|read(attr.Slot))
			return true
		}
		return len(nested) > 0 || path == "id"
	case varCatalog:
		return f.events(path, readEvents)
	case varProperties:
		return true // names a property of a type that is named beside it
	}
	return false
}

func (f *readFinder) events(name string, what read) bool {
	typ, known := f.schema.EventType(name)
	if known {
		f.found = append(f.found, what|read(typ.Slot))
	}
	return known
}

// call takes in the functions that read less than their arguments say: a bucket is of the user's id, and the plain count of a window looks at nothing but the times.
func (f *readFinder) call(call ast.CallExpr) bool {
	args := call.Args()
	switch call.FunctionName() {
	case fnBucket:
		if args[0].Kind() != ast.IdentKind {
			return false
		}
	case fnCount, fnExists:
		root, path, ok := pathOf(args[0])
		if !ok || root != varCatalog || !f.events(path, readTimes) {
			return false
		}
	default:
		return false
	}
	for _, arg := range args[1:] {
		f.visit(arg)
	}
	return true
}

// Reads adds to p all that the rule can read of a user, for Eval and for Why.
func (r *Rule) Reads(p *profile.Projection) {
	for _, one := range r.reads {
		slot := int(one & (1<<readKind - 1))
		switch one >> readKind << readKind {
		case readAttribute:
			p.Attribute(slot)
		case readTimes:
			p.EventTimes(slot)
		case readEvents:
			p.Events(slot)
		default:
			p.Everything()
		}
	}
}
