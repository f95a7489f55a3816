package rules

import (
	"strings"

	"eligibility/internal/profile"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// fieldProvider tells the checker and the planner about our object types. Each field's getter has its slot built in, so that reading an
// attribute is an array access that was resolved when the program was planned. Whatever is not ours goes to the library's provider.
type fieldProvider struct {
	types.Provider
	objects map[string]*object
}

// object is one object type: its fields by name, and the names in the order they were declared.
type object struct {
	typ    *types.Type
	fields map[string]*types.FieldType
	names  []string
}

func (o *object) add(name string, field *types.FieldType) {
	o.fields[name] = field
	o.names = append(o.names, name)
}

func newFieldProvider(base types.Provider, schema *profile.Schema, context []ContextField) *fieldProvider {
	p := &fieldProvider{Provider: base, objects: make(map[string]*object)}
	p.addUser(schema)
	p.addRequest(context)
	p.addEvents(schema)
	return p
}

func (p *fieldProvider) object(typ *types.Type) *object {
	o, ok := p.objects[typ.TypeName()]
	if !ok {
		o = &object{typ: typ, fields: make(map[string]*types.FieldType)}
		p.objects[typ.TypeName()] = o
	}
	return o
}

// FindStructType returns one of our object types, or what the library knows.
func (p *fieldProvider) FindStructType(name string) (*types.Type, bool) {
	if o, ok := p.objects[name]; ok {
		return types.NewTypeTypeWithParam(o.typ), true
	}
	return p.Provider.FindStructType(name)
}

// FindStructFieldNames lists the fields of one of our object types.
func (p *fieldProvider) FindStructFieldNames(name string) ([]string, bool) {
	if o, ok := p.objects[name]; ok {
		return o.names, true
	}
	return p.Provider.FindStructFieldNames(name)
}

// FindStructFieldType returns a field of one of our object types.
func (p *fieldProvider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if o, ok := p.objects[name]; ok {
		f, ok := o.fields[field]
		return f, ok
	}
	return p.Provider.FindStructFieldType(name, field)
}

// NewValue makes no object of ours: authors cannot name their types.
func (p *fieldProvider) NewValue(name string, fields map[string]ref.Val) ref.Val {
	if _, ok := p.objects[name]; ok {
		return types.WrapErr(errOpaque)
	}
	return p.Provider.NewValue(name, fields)
}

func (p *fieldProvider) addUser(schema *profile.Schema) {
	root := p.object(userType)
	root.add("id", &types.FieldType{
		Type:  types.StringType,
		IsSet: func(any) bool { return true },
		GetFrom: func(operand any) (any, error) {
			user, err := as[*userObject](operand)
			if err != nil {
				return nil, err
			}
			return (*Input)(user).userID(), nil
		},
	})
	for i := range schema.Attributes {
		attr := &schema.Attributes[i]
		parent, name := p.parent(root, attr.Name, func(prefix string) *types.FieldType {
			return userNestField(schema.Nested(prefix))
		})
		parent.add(name, attributeField(attr))
	}
}

func (p *fieldProvider) addRequest(context []ContextField) {
	root := p.object(requestType)
	for slot, field := range context {
		parent, name := p.parent(root, field.Name, func(prefix string) *types.FieldType {
			return requestNestField(nestedContext(context, prefix))
		})
		parent.add(name, contextField(field, slot))
	}
}

// parent returns the object that the last part of a dotted path is a field of, making the objects on the way.
func (p *fieldProvider) parent(root *object, path string, nest func(prefix string) *types.FieldType) (*object, string) {
	at := root
	for from := 0; ; {
		dot := strings.IndexByte(path[from:], '.')
		if dot < 0 {
			return at, path[from:]
		}
		name, prefix := path[from:from+dot], path[:from+dot]
		typ := types.NewObjectType(root.typ.TypeName() + "." + prefix)
		if _, ok := at.fields[name]; !ok {
			field := nest(prefix)
			field.Type = typ
			at.add(name, field)
		}
		at = p.object(typ)
		from += dot + 1
	}
}

func nestedContext(context []ContextField, prefix string) []int {
	var slots []int
	for slot := range context {
		if strings.HasPrefix(context[slot].Name, prefix+".") {
			slots = append(slots, slot)
		}
	}
	return slots
}
