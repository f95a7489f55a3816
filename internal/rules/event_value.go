package rules

import (
	"reflect"

	"eligibility/internal/profile"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// No two of our object types can have the same name, whatever event types and attributes are called: those of attributes hold no blank but
// the one in their prefix, those of events and of properties end differently.
const (
	eventObjectSuffix    = " event"
	propertyObjectPrefix = "properties of “"
	propertyObjectSuffix = "”"

	streamTypeName   = "event stream"
	propertyTypeName = "event property"
)

// eventObjectType is the type of one event. Each event type has its own, so the checker knows the properties of each.
func eventObjectType(name string) *types.Type { return types.NewObjectType(name + eventObjectSuffix) }

// propertyObjectType is the type of the object whose fields are the properties of an event type, as values of propertyType.
func propertyObjectType(name string) *types.Type {
	return types.NewObjectType(propertyObjectPrefix + name + propertyObjectSuffix)
}

// streamType and propertyType are the types of what the event functions take: a stream of one event type is another type than that of the
// next.
func streamType(event *types.Type) *types.Type { return types.NewOpaqueType(streamTypeName, event) }
func propertyType(of *types.Type) *types.Type  { return types.NewOpaqueType(propertyTypeName, of) }

// The run-time types of the two: parameters are erased there.
var (
	anyStreamType   = types.NewOpaqueType(streamTypeName)
	anyPropertyType = types.NewOpaqueType(propertyTypeName)
	anyEventType    = types.NewObjectType("event")
)

// eventStream is all events of one type of the user of an Input.
type eventStream struct {
	in   *Input
	slot int
	cut  *failure // what it is to ask for events that the snapshot no longer holds
}

var _ ref.Val = (*eventStream)(nil)

func (s *eventStream) events() profile.Events { return s.in.Snapshot.Events(s.slot) }

func (*eventStream) ConvertToNative(reflect.Type) (any, error) { return nil, errOpaque }
func (*eventStream) ConvertToType(ref.Type) ref.Val            { return types.WrapErr(errOpaque) }
func (s *eventStream) Equal(other ref.Val) ref.Val             { return types.Bool(ref.Val(s) == other) }
func (*eventStream) Type() ref.Type                            { return anyStreamType }
func (s *eventStream) Value() any                              { return s }

// eventProperty names a property of an event type.
type eventProperty struct {
	slot int
	kind profile.Kind
}

var _ ref.Val = (*eventProperty)(nil)

func (*eventProperty) ConvertToNative(reflect.Type) (any, error) { return nil, errOpaque }
func (*eventProperty) ConvertToType(ref.Type) ref.Val            { return types.WrapErr(errOpaque) }
func (p *eventProperty) Equal(other ref.Val) ref.Val             { return types.Bool(ref.Val(p) == other) }
func (*eventProperty) Type() ref.Type                            { return anyPropertyType }
func (p *eventProperty) Value() any                              { return p }

// eventList is a range of the events of one type, oldest first: what a condition is asked of.
type eventList struct {
	events profile.Events
	values []eventValue
}

// eventValue is one event: the variable of a condition.
type eventValue struct {
	list  *eventList
	index int // in list.events
}

var (
	_ ref.Val         = (*eventValue)(nil)
	_ traits.Lister   = (*eventList)(nil)
	_ traits.Foldable = (*eventList)(nil)
)

func newEventList(events profile.Events, from, to int) *eventList {
	l := &eventList{events: events, values: make([]eventValue, to-from)}
	for i := range l.values {
		l.values[i] = eventValue{list: l, index: from + i}
	}
	return l
}

func (e *eventValue) at() int64 { return e.list.events.At(e.index) }

func (*eventValue) ConvertToNative(reflect.Type) (any, error) { return nil, errOpaque }
func (*eventValue) ConvertToType(ref.Type) ref.Val            { return types.WrapErr(errOpaque) }
func (e *eventValue) Equal(other ref.Val) ref.Val             { return types.Bool(ref.Val(e) == other) }
func (*eventValue) Type() ref.Type                            { return anyEventType }
func (e *eventValue) Value() any                              { return e }

// Fold hands out the events, oldest first, until the folder has had enough.
func (l *eventList) Fold(f traits.Folder) {
	for i := range l.values {
		if !f.FoldEntry(i, &l.values[i]) {
			return
		}
	}
}

// Get returns the event at an index.
func (l *eventList) Get(index ref.Val) ref.Val {
	i, ok := index.(types.Int)
	if !ok || i < 0 || int(i) >= len(l.values) {
		return types.NewErr("index out of bounds: %v", index)
	}
	return &l.values[i]
}

// Size is the number of events.
func (l *eventList) Size() ref.Val { return types.Int(len(l.values)) }

// The rest of a list's methods go through a list of the library: no rule reaches them but by a comprehension.
func (l *eventList) Add(other ref.Val) ref.Val      { return l.plain().Add(other) }
func (l *eventList) Contains(value ref.Val) ref.Val { return l.plain().Contains(value) }
func (l *eventList) Iterator() traits.Iterator      { return l.plain().Iterator() }
func (l *eventList) Equal(other ref.Val) ref.Val    { return l.plain().Equal(other) }

func (l *eventList) plain() traits.Lister {
	elems := make([]ref.Val, len(l.values))
	for i := range elems {
		elems[i] = &l.values[i]
	}
	return types.NewRefValList(types.DefaultTypeAdapter, elems)
}

// ConvertToNative is not needed by anything a rule can do.
func (*eventList) ConvertToNative(reflect.Type) (any, error) { return nil, errOpaque }

// ConvertToType is not needed by anything a rule can do.
func (*eventList) ConvertToType(ref.Type) ref.Val { return types.WrapErr(errOpaque) }

// Type is the list type.
func (*eventList) Type() ref.Type { return types.ListType }

// Value is the list itself.
func (l *eventList) Value() any { return l }
