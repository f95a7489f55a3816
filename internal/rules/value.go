package rules

import (
	"math"

	"eligibility/internal/profile"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// celType is the type of the rule language for a declared type.
func celType(t profile.Type) *types.Type {
	scalar := types.ErrorType
	switch t.Kind {
	case profile.Bool:
		scalar = types.BoolType
	case profile.Int:
		scalar = types.IntType
	case profile.Double:
		scalar = types.DoubleType
	case profile.String:
		scalar = types.StringType
	case profile.Timestamp:
		scalar = types.TimestampType
	}
	switch t.Shape {
	case profile.List:
		return types.NewListType(scalar)
	case profile.Map:
		return types.NewMapType(types.StringType, scalar)
	default:
		return scalar
	}
}

// boxScalar makes a value of the interpreter from a word, or from text for a string.
func boxScalar(kind profile.Kind, bits uint64, text string) ref.Val {
	switch kind {
	case profile.Bool:
		return types.Bool(bits != 0)
	case profile.Int:
		return types.Int(int64(bits))
	case profile.Double:
		return types.Double(math.Float64frombits(bits))
	case profile.Timestamp:
		return boxTime(int64(bits))
	default:
		return types.String(text)
	}
}

// boxAttribute makes a value of the interpreter from a slot whose state is Present.
func boxAttribute(s *profile.Snapshot, slot int, typ profile.Type) ref.Val {
	switch typ.Shape {
	case profile.List:
		values := s.Values(slot)
		elems := make([]ref.Val, values.Len())
		for i := range elems {
			elems[i] = boxElement(values, i, typ.Kind)
		}
		return types.NewRefValList(types.DefaultTypeAdapter, elems)
	case profile.Map:
		values := s.Values(slot)
		m := &mapValue{keys: make([]ref.Val, values.Len()/2), values: make([]ref.Val, values.Len()/2)}
		for i := range m.keys {
			m.keys[i], m.values[i] = types.String(values.String(2*i)), boxElement(values, 2*i+1, typ.Kind)
		}
		return m
	}
	switch typ.Kind {
	case profile.Bool:
		return types.Bool(s.Bool(slot))
	case profile.Int:
		return types.Int(s.Int(slot))
	case profile.Double:
		return types.Double(s.Double(slot))
	case profile.Timestamp:
		return boxTime(s.Timestamp(slot))
	default:
		return types.String(s.String(slot))
	}
}

func boxElement(values profile.Values, i int, kind profile.Kind) ref.Val {
	switch kind {
	case profile.Bool:
		return types.Bool(values.Bool(i))
	case profile.Int:
		return types.Int(values.Int(i))
	case profile.Double:
		return types.Double(values.Double(i))
	case profile.Timestamp:
		return boxTime(values.Timestamp(i))
	default:
		return types.String(values.String(i))
	}
}

// boxProperty makes a value of the interpreter from a property that the event has.
func boxProperty(events profile.Events, i, slot int, kind profile.Kind) ref.Val {
	switch kind {
	case profile.Bool:
		return types.Bool(events.Bool(i, slot))
	case profile.Int:
		return types.Int(events.Int(i, slot))
	case profile.Double:
		return types.Double(events.Double(i, slot))
	case profile.Timestamp:
		return boxTime(events.Timestamp(i, slot))
	default:
		return types.String(events.String(i, slot))
	}
}
