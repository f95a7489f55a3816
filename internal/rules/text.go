package rules

import (
	"math"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/parser"
)

// textOf is e as its author wrote it, on one line, but for blanks, brackets and the kind of quotes.
func textOf(e ast.Expr, info *ast.SourceInfo) string {
	text, err := parser.Unparse(e, info, parser.WrapOnColumn(math.MaxInt32))
	if err != nil { // only for trees that no source makes
		return ""
	}
	return text
}

// startOf is the offset at which the text of e begins: the earliest place of any node below it, those that a macro call was written with
// included.
func startOf(e ast.Expr, info *ast.SourceInfo) int32 {
	first := int32(math.MaxInt32)
	var visit func(node ast.Expr)
	visit = func(node ast.Expr) {
		if r, ok := info.GetOffsetRange(node.ID()); ok {
			first = min(first, r.Start)
		}
		if call, ok := info.GetMacroCall(node.ID()); ok && call.Kind() == ast.CallKind && call.AsCall().IsMemberFunction() {
			ast.PreOrderVisit(call.AsCall().Target(), ast.NewExprVisitor(visit))
		}
	}
	ast.PreOrderVisit(e, ast.NewExprVisitor(visit))
	if first == math.MaxInt32 {
		return 0
	}
	return first
}
