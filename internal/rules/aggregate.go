package rules

import (
	"eligibility/internal/profile"

	"cel.dev/cel-go/common/functions"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// tally collects one numeric property over events in their order. Events without the property are passed over. Doubles are added in that
// order and never subtracted, so that the same events give the same bits.
type tally struct {
	n              int
	ints           int64
	doubles        float64 // for ints too: the average is always a double
	minInt, maxInt int64
	min, max       float64
	overflow       bool
}

func (t *tally) add(events profile.Events, i int, property *eventProperty) {
	if !events.Has(i, property.slot) {
		return
	}
	if property.kind == profile.Int {
		t.addInt(events.Int(i, property.slot))
	} else {
		t.addDouble(events.Double(i, property.slot))
	}
	t.n++
}

func (t *tally) addInt(v int64) {
	sum := t.ints + v
	if (sum > t.ints) != (v > 0) && v != 0 {
		t.overflow = true
	}
	t.ints = sum
	t.doubles += float64(v)
	if t.n == 0 || v < t.minInt {
		t.minInt = v
	}
	if t.n == 0 || v > t.maxInt {
		t.maxInt = v
	}
}

func (t *tally) addDouble(v float64) {
	t.doubles += v
	if t.n == 0 || v < t.min {
		t.min = v
	}
	if t.n == 0 || v > t.max {
		t.max = v
	}
}

// result is the value of the aggregate named sum, min, max or avg: the sum of nothing is 0, of nothing there is no other.
func (t *tally) result(name string, kind profile.Kind) ref.Val {
	isInt := kind == profile.Int
	if name == "sum" {
		switch {
		case !isInt:
			return types.Double(t.doubles)
		case t.overflow:
			return types.WrapErr(errOverflow)
		default:
			return types.Int(t.ints)
		}
	}
	if t.n == 0 {
		return types.OptionalNone
	}
	switch {
	case name == "avg":
		return types.OptionalOf(types.Double(t.doubles / float64(t.n)))
	case name == "min" && isInt:
		return types.OptionalOf(types.Int(t.minInt))
	case name == "min":
		return types.OptionalOf(types.Double(t.min))
	case isInt:
		return types.OptionalOf(types.Int(t.maxInt))
	default:
		return types.OptionalOf(types.Double(t.max))
	}
}

// aggregateStream is sum, min, max or avg of (stream, property, window).
func aggregateStream(name string) functions.FunctionOp {
	return func(args ...ref.Val) ref.Val {
		property, ok := args[1].(*eventProperty)
		if !ok {
			return types.WrapErr(errOpaque)
		}
		events, from, to, err := streamAndWindow(args[0], args[2])
		if err != nil {
			return types.WrapErr(err)
		}
		var t tally
		for i := from; i < to; i++ {
			t.add(events, i, property)
		}
		return t.result(name, property.kind)
	}
}

// aggregateList is sum, min, max or avg of (property, list of events).
func aggregateList(name string) functions.BinaryOp {
	return func(propertyValue, list ref.Val) ref.Val {
		property, ok := propertyValue.(*eventProperty)
		matched, okList := list.(traits.Lister)
		if !ok || !okList {
			return types.WrapErr(errOpaque)
		}
		var t tally
		size, _ := matched.Size().(types.Int)
		for i := range size {
			event, ok := matched.Get(i).(*eventValue)
			if !ok {
				return types.WrapErr(errOpaque)
			}
			t.add(event.list.events, event.index, property)
		}
		return t.result(name, property.kind)
	}
}
