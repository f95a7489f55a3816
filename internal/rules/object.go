package rules

import (
	"errors"
	"fmt"
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// The object types of the language. A blank in the name keeps authors from naming them, and keeps user.address from being read as the name
// of a type.
var (
	userType       = types.NewObjectType("user profile")
	requestType    = types.NewObjectType("request context")
	catalogType    = types.NewObjectType("event catalog")
	propertiesType = types.NewObjectType("property catalog")
)

// errOpaque is what converting one of our objects into anything gives: the checker lets no rule get there.
var errOpaque = errors.New("objects of the rule language cannot be converted")

// userObject, requestObject and catalogObject are an Input seen as the value of a variable: a pointer, so that no evaluation allocates for
// it. An object below another, as user.address, is the same pointer: its fields know their slots.
type (
	userObject    Input
	requestObject Input
	catalogObject Input
)

// propertiesObject is the value of the property catalog and of each event type in it.
type propertiesObject struct{}

var (
	_ ref.Val = (*userObject)(nil)
	_ ref.Val = (*requestObject)(nil)
	_ ref.Val = (*catalogObject)(nil)
	_ ref.Val = propertiesObject{}
)

func (*userObject) ConvertToNative(reflect.Type) (any, error) { return nil, errOpaque }
func (*userObject) ConvertToType(ref.Type) ref.Val            { return types.WrapErr(errOpaque) }
func (o *userObject) Equal(other ref.Val) ref.Val             { return types.Bool(ref.Val(o) == other) }
func (*userObject) Type() ref.Type                            { return userType }
func (o *userObject) Value() any                              { return o }

func (*requestObject) ConvertToNative(reflect.Type) (any, error) { return nil, errOpaque }
func (*requestObject) ConvertToType(ref.Type) ref.Val            { return types.WrapErr(errOpaque) }
func (o *requestObject) Equal(other ref.Val) ref.Val             { return types.Bool(ref.Val(o) == other) }
func (*requestObject) Type() ref.Type                            { return requestType }
func (o *requestObject) Value() any                              { return o }

func (*catalogObject) ConvertToNative(reflect.Type) (any, error) { return nil, errOpaque }
func (*catalogObject) ConvertToType(ref.Type) ref.Val            { return types.WrapErr(errOpaque) }
func (o *catalogObject) Equal(other ref.Val) ref.Val             { return types.Bool(ref.Val(o) == other) }
func (*catalogObject) Type() ref.Type                            { return catalogType }
func (o *catalogObject) Value() any                              { return o }

func (propertiesObject) ConvertToNative(reflect.Type) (any, error) { return nil, errOpaque }
func (propertiesObject) ConvertToType(ref.Type) ref.Val            { return types.WrapErr(errOpaque) }

func (o propertiesObject) Equal(other ref.Val) ref.Val { return types.Bool(ref.Val(o) == other) }
func (propertiesObject) Type() ref.Type                { return propertiesType }
func (o propertiesObject) Value() any                  { return o }

// as unwraps the operand of a field selection. The checker has made sure of its type; a mismatch is a fault of this package.
func as[T any](operand any) (T, error) {
	object, ok := operand.(T)
	if !ok {
		return object, fmt.Errorf("select a field of %T", operand)
	}
	return object, nil
}
