package rules

import (
	"reflect"
	"slices"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// mapValue is a map attribute: keys ascending. The library's own map iterates in Go's random order, which would make the order of a mapped
// list, and which of two errors is reported, a matter of chance.
type mapValue struct {
	keys   []ref.Val // of types.String
	values []ref.Val
}

var (
	_ traits.Mapper   = (*mapValue)(nil)
	_ traits.Foldable = (*mapValue)(nil)
)

// Find returns the value at the key.
func (m *mapValue) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return nil, false
	}
	i, ok := slices.BinarySearchFunc(m.keys, string(name), func(have ref.Val, want string) int {
		text, _ := have.(types.String)
		return strings.Compare(string(text), want)
	})
	if !ok {
		return nil, false
	}
	return m.values[i], true
}

// Get returns the value at the key, or an error that names the key.
func (m *mapValue) Get(key ref.Val) ref.Val {
	if value, ok := m.Find(key); ok {
		return value
	}
	return types.NewErr("no such key: %v", key)
}

// Contains reports whether there is a value at the key.
func (m *mapValue) Contains(key ref.Val) ref.Val {
	_, ok := m.Find(key)
	return types.Bool(ok)
}

// Size is the number of entries.
func (m *mapValue) Size() ref.Val { return types.Int(len(m.keys)) }

// Iterator goes over the keys.
func (m *mapValue) Iterator() traits.Iterator {
	return types.NewRefValList(types.DefaultTypeAdapter, m.keys).Iterator()
}

// Fold hands out key and value pairs until the folder has had enough.
func (m *mapValue) Fold(f traits.Folder) {
	for i := range m.keys {
		if !f.FoldEntry(m.keys[i], m.values[i]) {
			return
		}
	}
}

// Equal compares with another map, entry by entry.
func (m *mapValue) Equal(other ref.Val) ref.Val {
	o, ok := other.(traits.Mapper)
	if !ok || o.Size() != m.Size() {
		return types.False
	}
	for i := range m.keys {
		value, found := o.Find(m.keys[i])
		if !found || types.Equal(m.values[i], value) != types.True {
			return types.False
		}
	}
	return types.True
}

// ConvertToType returns the map itself, or its type.
func (m *mapValue) ConvertToType(typ ref.Type) ref.Val {
	switch typ {
	case types.MapType:
		return m
	case types.TypeType:
		return types.MapType
	}
	return types.NewErr("type conversion error from '%s' to '%s'", types.MapType, typ)
}

// ConvertToNative is not needed by anything a rule can do.
func (m *mapValue) ConvertToNative(reflect.Type) (any, error) { return nil, errOpaque }

// Type is the map type.
func (m *mapValue) Type() ref.Type { return types.MapType }

// Value is the map itself.
func (m *mapValue) Value() any { return m }
