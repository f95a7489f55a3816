package profile

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/valyala/fastjson"
)

// MinTime and MaxTime bound every timestamp value: outside of them nanoseconds, or sums with a duration, leave int64.
var (
	MinTime = time.Date(1700, 1, 1, 0, 0, 0, 0, time.UTC)
	MaxTime = time.Date(2250, 1, 1, 0, 0, 0, 0, time.UTC)
)

// State says what a slot of a snapshot holds.
type State uint8

// The states of a slot.
const (
	Absent  State = iota // never set, or removed
	Present              // a value of the declared type
	Invalid              // the stored value cannot be of the declared type; a rule that reads it gets an error
)

// scalar decodes v as kind into 64 bits; strings are handed to intern, which returns theirs. ok is false when v is not of the kind.
func scalar(kind Kind, v *fastjson.Value, intern func([]byte) uint64, digits *[]byte) (bits uint64, ok bool) {
	switch kind {
	case Bool:
		b, err := v.Bool()
		if err != nil {
			return 0, false
		}
		if b {
			return 1, true
		}
		return 0, true
	case Int:
		n, ok := integer(v)
		return uint64(n), ok
	case Double:
		if v.Type() != fastjson.TypeNumber {
			return 0, false
		}
		// fastjson's own number parser is inexact beyond 15 digits; strconv is the law here.
		*digits = v.MarshalTo((*digits)[:0])
		f, err := strconv.ParseFloat(string(*digits), 64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return 0, false
		}
		return math.Float64bits(f), true
	case String:
		s, err := v.StringBytes()
		if err != nil {
			return 0, false
		}
		return intern(s), true
	case Timestamp:
		s, err := v.StringBytes()
		if err != nil {
			return 0, false
		}
		n, ok := parseInstant(s)
		return uint64(n), ok
	}
	return 0, false
}

// parseInstant reads a timestamp as it stands in JSON.
func parseInstant(text []byte) (nanos int64, ok bool) {
	t, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil || t.Before(MinTime) || !t.Before(MaxTime) {
		return 0, false
	}
	return t.UnixNano(), true
}

// integer accepts a JSON number without a fractional part that int64 holds: 5, and 5.0 or 5e2 as other writers print them.
func integer(v *fastjson.Value) (int64, bool) {
	if v.Type() != fastjson.TypeNumber {
		return 0, false
	}
	if n, err := v.Int64(); err == nil {
		return n, true
	}
	f, err := v.Float64()
	const exact = 1 << 53
	if err != nil || f != math.Trunc(f) || math.Abs(f) > exact {
		return 0, false
	}
	return int64(f), true
}

// noIntern is for checks that only ask whether a value would decode.
func noIntern([]byte) uint64 { return 0 }

// CheckJSON reports, in words for the caller, why the JSON value cannot be stored as typ. JSON null is always fine: it removes.
func (t Type) CheckJSON(v *fastjson.Value) error {
	if v.Type() == fastjson.TypeNull {
		return nil
	}
	fits := true
	switch t.Shape {
	case Scalar:
		_, fits = scalar(t.Kind, v, noIntern, new([]byte))
	case List:
		items, err := v.Array()
		fits = err == nil
		for _, item := range items {
			_, ok := scalar(t.Kind, item, noIntern, new([]byte))
			fits = fits && ok
		}
	case Map:
		object, err := v.Object()
		fits = err == nil
		if fits {
			object.Visit(func(_ []byte, item *fastjson.Value) {
				_, ok := scalar(t.Kind, item, noIntern, new([]byte))
				fits = fits && ok
			})
		}
	}
	if !fits {
		return fmt.Errorf("want %s", t)
	}
	return nil
}

// InferType names the type that an undeclared value suggests: as Type.String, or "object" or "mixed"; "" for null.
func InferType(v *fastjson.Value) string {
	switch v.Type() {
	case fastjson.TypeTrue, fastjson.TypeFalse:
		return Bool.String()
	case fastjson.TypeNumber:
		if _, ok := integer(v); ok {
			return Int.String()
		}
		return Double.String()
	case fastjson.TypeString:
		if _, ok := scalar(Timestamp, v, noIntern, new([]byte)); ok {
			return Timestamp.String()
		}
		return String.String()
	case fastjson.TypeArray:
		elem := ""
		for _, item := range v.GetArray() {
			kind := InferType(item)
			if elem == "" {
				elem = kind
			}
			if kind != elem || kind == "object" || kind == "mixed" {
				return "mixed"
			}
		}
		if elem == "" {
			return "mixed"
		}
		return "list<" + elem + ">"
	case fastjson.TypeObject:
		return "object"
	default:
		return ""
	}
}
