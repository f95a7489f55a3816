package rules

import (
	"eligibility/internal/profile"

	"cel.dev/cel-go/common/ast"
)

// subject is the one fact that decides a literal at a given instant.
type subject struct {
	kind subjectKind
	slot int
}

type subjectKind uint8

const (
	subjectNone      subjectKind = iota // the instant alone, or what never changes
	subjectAttribute                    // of the user, by slot
	subjectField                        // of the request, by slot
	subjectChannel
	subjectStream // the user's events of the type at slot
	subjectMany   // more than one fact
)

// subjectFinder collects what an expression reads. Its user and events must be declared in the schema.
type subjectFinder struct {
	schema  *profile.Schema
	context []ContextField
	found   subject
	timed   bool // it mentions now, or a window
	reads   bool // it reads anything at all
}

// subjectOf says what e depends on beside the instant.
func subjectOf(schema *profile.Schema, context []ContextField, e ast.Expr) *subjectFinder {
	f := &subjectFinder{schema: schema, context: context}
	f.visit(e)
	return f
}

func (f *subjectFinder) visit(e ast.Expr) {
	if root, path, ok := pathOf(e); ok && f.path(root, path) {
		return
	}
	if e.Kind() == ast.IdentKind {
		switch e.AsIdent() {
		case varNow:
			f.reads, f.timed = true, true
		case varChannel:
			f.add(subject{kind: subjectChannel})
		case varUser, varSubject, varRequest, varCatalog: // in a form that has no path
			f.add(subject{kind: subjectMany})
		}
	}
	for _, part := range parts(e) {
		f.visit(part)
	}
}

// path takes a selection in when it leads to one fact.
func (f *subjectFinder) path(root, path string) bool {
	switch root {
	case varUser:
		if attr, ok := f.schema.Attribute(path); ok {
			f.add(subject{kind: subjectAttribute, slot: attr.Slot})
			return true
		}
	case varRequest:
		for slot, field := range f.context {
			if field.Name == path {
				f.add(subject{kind: subjectField, slot: slot})
				return true
			}
		}
	case varCatalog:
		if typ, ok := f.schema.EventType(path); ok {
			f.timed = true
			f.add(subject{kind: subjectStream, slot: typ.Slot})
			return true
		}
	case varProperties:
		return true // names a property, reads nothing
	}
	return false
}

func (f *subjectFinder) add(s subject) {
	if f.reads && f.found.kind != subjectNone && f.found != s {
		s = subject{kind: subjectMany}
	}
	f.reads, f.found = true, s
}

// pathOf is selection with optional steps and has() too.
func pathOf(e ast.Expr) (root, path string, ok bool) {
	operand, name, ok := selected(e)
	if !ok {
		return "", "", false
	}
	if operand.Kind() == ast.IdentKind {
		return operand.AsIdent(), name, true
	}
	root, above, ok := pathOf(operand)
	return root, above + "." + name, ok
}
