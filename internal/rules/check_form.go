package rules

import (
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// form refuses what the language leaves out of CEL although it parses. It runs before the types are checked: some of it makes the library
// panic later.
func (c *checking) form(tree *ast.AST) {
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.LiteralKind:
			c.literalForm(e)
		case ast.ListKind:
			if len(e.AsList().OptionalIndices()) > 0 {
				c.faultAt(e, issueNotAllowed, "leave out the ?", "a list cannot have optional elements")
			}
		case ast.MapKind:
			for _, entry := range e.AsMap().Entries() {
				if entry.AsMapEntry().IsOptional() {
					c.faultAt(e, issueNotAllowed, "leave out the ?", "a map cannot have optional entries")
				}
			}
		case ast.StructKind:
			c.faultAt(e, issueNotAllowed, "", "a rule cannot make objects")
		case ast.CallKind:
			call := e.AsCall()
			if call.FunctionName() == "@in" && len(call.Args()) == 2 && emptyList(call.Args()[1]) {
				c.faultAt(e, issueEmptyList, "put the values into the list", "nothing is in an empty list")
			}
		}
	}))
}

func emptyList(e ast.Expr) bool { return e.Kind() == ast.ListKind && e.AsList().Size() == 0 }

func (c *checking) literalForm(e ast.Expr) {
	switch e.AsLiteral().(type) {
	case types.Null:
		c.faultAt(e, issueNotAllowed, "write !has(user.name)", "there is no null: an attribute is set or it is not")
	case types.Bytes:
		c.faultAt(e, issueNotAllowed, "leave out the b", "there are no byte strings: no attribute holds one")
	case types.Uint:
		c.faultAt(e, issueNotAllowed, "leave out the u", "there are no unsigned numbers: no attribute holds one")
	}
}
