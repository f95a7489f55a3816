package profile

import (
	"fmt"
	"strings"
)

// Kind is a scalar type of the rule language.
type Kind uint8

// The scalar kinds. Timestamps are kept as nanoseconds since the epoch, within MinTime and MaxTime.
const (
	Bool Kind = iota + 1
	Int
	Double
	String
	Timestamp
)

var kindNames = [...]string{Bool: "bool", Int: "int", Double: "double", String: "string", Timestamp: "timestamp"}

// String is the kind's name in the rule language.
func (k Kind) String() string {
	if int(k) < len(kindNames) && k != 0 {
		return kindNames[k]
	}
	return "invalid"
}

// Shape says whether a type holds one value, a list of them, or values by string keys.
type Shape uint8

// The shapes.
const (
	Scalar Shape = iota
	List
	Map
)

// Type is the type of an attribute or property: "int", "list<string>", "map<string,double>".
type Type struct {
	Kind  Kind
	Shape Shape
}

// ParseType reads a type as String prints it.
func ParseType(text string) (Type, error) {
	shape, elem := Scalar, text
	if inner, ok := strings.CutPrefix(text, "list<"); ok && strings.HasSuffix(inner, ">") {
		shape, elem = List, inner[:len(inner)-1]
	} else if inner, ok := strings.CutPrefix(text, "map<string,"); ok && strings.HasSuffix(inner, ">") {
		shape, elem = Map, strings.TrimSpace(inner[:len(inner)-1])
	}
	for k := Bool; k <= Timestamp; k++ {
		if kindNames[k] == elem {
			return Type{Kind: k, Shape: shape}, nil
		}
	}
	return Type{}, fmt.Errorf("unknown type %.40q: use bool, int, double, string, timestamp, list<T> or map<string,T>", text)
}

// String is the type's name in the API.
func (t Type) String() string {
	switch t.Shape {
	case List:
		return "list<" + t.Kind.String() + ">"
	case Map:
		return "map<string," + t.Kind.String() + ">"
	default:
		return t.Kind.String()
	}
}

// MarshalText makes a type a JSON string.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (t *Type) UnmarshalText(text []byte) error {
	parsed, err := ParseType(string(text))
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}
