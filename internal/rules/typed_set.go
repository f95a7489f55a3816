package rules

import (
	"slices"

	"eligibility/internal/profile"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// membership is source in [constants], and constant in user.list.
func (b *ruleBuilder) membership(call ast.CallExpr) typedLiteral {
	element, set := call.Args()[0], call.Args()[1]
	if src, ok := b.scalarSource(element); ok && set.Kind() == ast.ListKind && src.kind == profile.String {
		var constants []string
		for _, item := range set.AsList().Elements() {
			if item.Kind() != ast.LiteralKind {
				return nil
			}
			text, ok := item.AsLiteral().(types.String)
			if !ok {
				return nil
			}
			constants = append(constants, string(text))
		}
		slices.Sort(constants)
		return oneOf{from: src, constants: slices.Compact(constants)}
	}
	root, path, ok := selection(set)
	if !ok || root != varUser || element.Kind() != ast.LiteralKind {
		return nil
	}
	text, isText := element.AsLiteral().(types.String)
	attr, declared := b.schema.Attribute(path)
	if !isText || !declared || attr.Type != (profile.Type{Kind: profile.String, Shape: profile.List}) {
		return nil
	}
	return contains{slot: attr.Slot, constant: string(text)}
}

type oneOf struct {
	from      source
	constants []string // sorted
}

func (o oneOf) value(in *Input) outcome {
	got, ok := o.from.readText(in)
	if !ok {
		return isError
	}
	_, found := slices.BinarySearch(o.constants, got)
	return outcomeOf(found)
}

type contains struct {
	slot     int
	constant string
}

func (c contains) value(in *Input) outcome {
	if in.Snapshot.State(c.slot) != profile.Present {
		return isError
	}
	list := in.Snapshot.Values(c.slot)
	for i := range list.Len() {
		if list.String(i) == c.constant {
			return isTrue
		}
	}
	return isFalse
}
