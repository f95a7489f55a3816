package rules

import (
	"strings"

	"cel.dev/cel-go/common/types"
)

// typeName says in an author's words what a type is.
func typeName(t *types.Type) string {
	switch t.Kind() {
	case types.BoolKind:
		return "true or false"
	case types.IntKind:
		return "a whole number"
	case types.DoubleKind:
		return "a number with decimals"
	case types.StringKind:
		return "text"
	case types.TimestampKind:
		return "a time"
	case types.DurationKind:
		return "a duration"
	case types.ListKind:
		return "a list" + ofElements(t.Parameters(), 0)
	case types.MapKind:
		return "a map" + ofElements(t.Parameters(), 1)
	case types.StructKind:
		return objectName(t.TypeName())
	case types.OpaqueKind:
		return opaqueName(t)
	case types.TypeKind:
		return "the name of a type"
	default:
		return "something unknown"
	}
}

func ofElements(parameters []*types.Type, i int) string {
	if i >= len(parameters) {
		return ""
	}
	switch parameters[i].Kind() {
	case types.BoolKind:
		return " of true or false"
	case types.IntKind:
		return " of whole numbers"
	case types.DoubleKind:
		return " of numbers with decimals"
	case types.StringKind:
		return " of texts"
	case types.TimestampKind:
		return " of times"
	case types.DurationKind:
		return " of durations"
	default:
		return ""
	}
}

func objectName(name string) string {
	if path, ok := strings.CutPrefix(name, userType.TypeName()+"."); ok {
		return "the object user." + path
	}
	if path, ok := strings.CutPrefix(name, requestType.TypeName()+"."); ok {
		return "the object request." + path
	}
	switch name {
	case userType.TypeName():
		return "the whole user"
	case requestType.TypeName():
		return "the whole request"
	default:
		return "a whole event"
	}
}

func opaqueName(t *types.Type) string {
	switch {
	case isOptional(t) && len(t.Parameters()) == 1:
		return "perhaps " + typeName(t.Parameters()[0])
	case t.TypeName() == versionTypeName:
		return "a version"
	default:
		return "events"
	}
}

func isOptional(t *types.Type) bool {
	return t.Kind() == types.OpaqueKind && t.TypeName() == types.OptionalType.TypeName()
}

func withoutOptional(t *types.Type) *types.Type {
	if isOptional(t) && len(t.Parameters()) == 1 {
		return t.Parameters()[0]
	}
	return t
}

func isNumber(t *types.Type) bool { return t.Kind() == types.IntKind || t.Kind() == types.DoubleKind }
