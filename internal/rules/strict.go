package rules

import (
	"slices"

	"eligibility/internal/profile"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// strictCall reports whether a function fails when any of its arguments does.
func strictCall(function string) bool {
	switch function {
	case operators.Add, operators.Subtract, operators.Multiply, operators.Divide, operators.Modulo, operators.Negate, operators.LogicalNot,
		operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals, operators.In,
		"size", "startsWith", "endsWith", "contains":
		return true
	}
	return false
}

// needs are the slots of the attributes without which e fails, whatever else is true: for most that is to know it without asking the interpreter, which makes
// an error value each time. Ascending.
func (b *ruleBuilder) needs(e ast.Expr) []int {
	var slots []int
	var walk func(e ast.Expr)
	walk = func(e ast.Expr) {
		switch e.Kind() {
		case ast.SelectKind:
			if root, path, ok := selection(e); ok && root == varUser {
				if attr, declared := b.schema.Attribute(path); declared {
					slots = append(slots, attr.Slot)
				}
			}
		case ast.CallKind:
			if strictCall(e.AsCall().FunctionName()) {
				for _, arg := range children(e) {
					walk(arg)
				}
			}
		}
	}
	walk(e)
	slices.Sort(slots)
	return slices.Compact(slots)
}

// lacks reports whether the user has no readable value in one of the slots.
func lacks(s *profile.Snapshot, slots []int) bool {
	for _, slot := range slots {
		if s.State(slot) != profile.Present {
			return true
		}
	}
	return false
}
