package rules

import (
	"math"
	"slices"
	"strings"

	"eligibility/internal/profile"

	"cel.dev/cel-go/common/ast"
)

// source is a scalar that a literal reads: an attribute, an attribute of the request, or the channel.
type source struct {
	kind profile.Kind
	from sourceFrom
	slot int
}

type sourceFrom uint8

const (
	fromUser sourceFrom = iota
	fromUserID
	fromRequest
	fromChannel
)

func (b *ruleBuilder) scalarSource(e ast.Expr) (source, bool) {
	if e.Kind() == ast.IdentKind && e.AsIdent() == varChannel {
		return source{kind: profile.String, from: fromChannel}, true
	}
	root, path, ok := selection(e)
	if !ok {
		return source{}, false
	}
	switch root {
	case varUser:
		if path == "id" {
			return source{kind: profile.String, from: fromUserID}, true
		}
		if attr, ok := b.schema.Attribute(path); ok && attr.Type.Shape == profile.Scalar {
			return source{kind: attr.Type.Kind, from: fromUser, slot: attr.Slot}, true
		}
	case varRequest:
		for slot, field := range b.context {
			if field.Name == path && field.Type.Shape == profile.Scalar {
				return source{kind: field.Type.Kind, from: fromRequest, slot: slot}, true
			}
		}
	}
	return source{}, false
}

// selection splits user.address.city into its root and "address.city".
func selection(e ast.Expr) (root, path string, ok bool) {
	var names []string
	for e.Kind() == ast.SelectKind {
		s := e.AsSelect()
		if s.IsTestOnly() {
			return "", "", false
		}
		names = append(names, s.FieldName())
		e = s.Operand()
	}
	if e.Kind() != ast.IdentKind || len(names) == 0 {
		return "", "", false
	}
	slices.Reverse(names)
	return e.AsIdent(), strings.Join(names, "."), true
}

// The readers of a source return its value of one Go type, or false when there is none to read: then the literal is an error.

func (s source) present(in *Input) bool {
	return s.slot < len(in.Context) && in.Context[s.slot].Set
}

func (s source) readText(in *Input) (string, bool) {
	switch {
	case s.from == fromUser:
		return in.Snapshot.Text(s.slot)
	case s.from == fromUserID:
		return in.Snapshot.Key.User, true
	case s.from == fromChannel:
		return in.Channel, true
	case !s.present(in):
		return "", false
	default:
		return in.Context[s.slot].Text, true
	}
}

func (s source) bits(in *Input) (uint64, bool) {
	if s.from == fromUser {
		return in.Snapshot.Bits(s.slot)
	}
	if !s.present(in) {
		return 0, false
	}
	return in.Context[s.slot].Bits, true
}

func (s source) readBool(in *Input) (value, ok bool) {
	bits, ok := s.bits(in)
	return bits != 0, ok
}

func (s source) readInt(in *Input) (int64, bool) {
	bits, ok := s.bits(in)
	return int64(bits), ok
}

func (s source) readIntAsDouble(in *Input) (float64, bool) {
	bits, ok := s.bits(in)
	return float64(int64(bits)), ok
}

func (s source) readDouble(in *Input) (float64, bool) {
	bits, ok := s.bits(in)
	return math.Float64frombits(bits), ok
}
