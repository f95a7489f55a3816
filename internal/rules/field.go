package rules

import (
	"eligibility/internal/profile"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// attributeField is the field that reads one attribute of the user. An attribute that was never set is an error that names it; one whose
// stored value cannot be of the declared type is set, but an error to read.
func attributeField(attr *profile.Attribute) *types.FieldType {
	slot, typ := attr.Slot, attr.Type
	absent, unreadable := missing(varUser+"."+attr.Name), invalid(varUser+"."+attr.Name)
	return &types.FieldType{
		Type: celType(typ),
		IsSet: func(operand any) bool {
			user, err := as[*userObject](operand)
			return err == nil && user.Snapshot.State(slot) != profile.Absent
		},
		GetFrom: func(operand any) (any, error) {
			user, err := as[*userObject](operand)
			if err != nil {
				return nil, err
			}
			switch user.Snapshot.State(slot) {
			case profile.Present:
				cell := (*Input)(user).cell(slot)
				if *cell == nil {
					*cell = user.boxes.attribute(user.Snapshot, slot, typ)
				}
				return *cell, nil
			case profile.Invalid:
				return nil, unreadable
			default:
				return nil, absent
			}
		},
	}
}

// userNestField is user.address: set when any attribute below it is, and itself the user again.
func userNestField(slots []int) *types.FieldType {
	return &types.FieldType{
		IsSet: func(operand any) bool {
			user, err := as[*userObject](operand)
			if err != nil {
				return false
			}
			for _, slot := range slots {
				if user.Snapshot.State(slot) != profile.Absent {
					return true
				}
			}
			return false
		},
		GetFrom: func(operand any) (any, error) { return operand, nil },
	}
}

// contextField is the field that reads one attribute of the request.
func contextField(field ContextField, slot int) *types.FieldType {
	absent := missing(varRequest + "." + field.Name)
	isSet := func(request *requestObject) bool { return slot < len(request.Context) && request.Context[slot].Set }
	return &types.FieldType{
		Type: celType(field.Type),
		IsSet: func(operand any) bool {
			request, err := as[*requestObject](operand)
			return err == nil && isSet(request)
		},
		GetFrom: func(operand any) (any, error) {
			request, err := as[*requestObject](operand)
			if err != nil {
				return nil, err
			}
			if !isSet(request) {
				return nil, absent
			}
			value := &request.Context[slot]
			return boxScalar(field.Type.Kind, value.Bits, value.Text), nil
		},
	}
}

func requestNestField(slots []int) *types.FieldType {
	return &types.FieldType{
		IsSet: func(operand any) bool {
			request, err := as[*requestObject](operand)
			if err != nil {
				return false
			}
			for _, slot := range slots {
				if slot < len(request.Context) && request.Context[slot].Set {
					return true
				}
			}
			return false
		},
		GetFrom: func(operand any) (any, error) { return operand, nil },
	}
}

// addEvents declares the event catalog, the property catalog and, for each event type, the object that a condition's variable is.
func (p *fieldProvider) addEvents(schema *profile.Schema) {
	catalog, properties := p.object(catalogType), p.object(propertiesType)
	for i := range schema.EventTypes {
		typ := &schema.EventTypes[i]
		event := p.object(eventObjectType(typ.Name))
		catalog.add(typ.Name, streamField(typ, event.typ))
		ofType := p.object(propertyObjectType(typ.Name))
		properties.add(typ.Name, constantField(ofType.typ, propertiesObject{}))

		event.add("occurredAt", occurredAtField())
		for j := range typ.Properties {
			property := &typ.Properties[j]
			event.add(property.Name, propertyField(typ.Name, property))
			value := &eventProperty{slot: property.Slot, kind: property.Type.Kind}
			ofType.add(property.Name, constantField(propertyType(celType(property.Type)), value))
		}
	}
}

func streamField(typ *profile.EventType, event *types.Type) *types.FieldType {
	slot, cut := typ.Slot, &failure{code: ReasonEventsTruncated, detail: typ.Name}
	return &types.FieldType{
		Type:  streamType(event),
		IsSet: func(any) bool { return true },
		GetFrom: func(operand any) (any, error) {
			catalog, err := as[*catalogObject](operand)
			if err != nil {
				return nil, err
			}
			return (*Input)(catalog).stream(slot, cut), nil
		},
	}
}

func constantField(typ *types.Type, value ref.Val) *types.FieldType {
	return &types.FieldType{
		Type:    typ,
		IsSet:   func(any) bool { return true },
		GetFrom: func(any) (any, error) { return value, nil },
	}
}

func occurredAtField() *types.FieldType {
	return &types.FieldType{
		Type:  types.TimestampType,
		IsSet: func(any) bool { return true },
		GetFrom: func(operand any) (any, error) {
			event, err := as[*eventValue](operand)
			if err != nil {
				return nil, err
			}
			return boxTime(event.at()), nil
		},
	}
}

func propertyField(event string, property *profile.Property) *types.FieldType {
	slot, kind := property.Slot, property.Type.Kind
	absent := missing(event + "." + property.Name)
	return &types.FieldType{
		Type: celType(property.Type),
		IsSet: func(operand any) bool {
			e, err := as[*eventValue](operand)
			return err == nil && e.list.events.Has(e.index, slot)
		},
		GetFrom: func(operand any) (any, error) {
			e, err := as[*eventValue](operand)
			if err != nil {
				return nil, err
			}
			if !e.list.events.Has(e.index, slot) {
				return nil, absent
			}
			return boxProperty(e.list.events, e.index, slot, kind), nil
		},
	}
}
