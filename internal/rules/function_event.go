package rules

import (
	"math"
	"time"

	"eligibility/internal/profile"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// The hidden functions that the event macros expand to. E is an event type.
//
//	@event_count(stream<E>, window) int              @event_exists(stream<E>, window) bool
//	@event_window(stream<E>, window) list<E>         the events in (now-window, now], oldest first
//	@event_all(stream<E>) list<E>                    the events up to now, oldest first
//	@event_matches(bool) bool                        a condition that failed is not met
//	@event_sum|min|max|avg(stream<E>, property<T>, window)
//	@event_sum|min|max|avg_of(property<T>, list<E>)  of the events that met a condition
//	@event_first|last(stream<E>)                     optional time
//	@event_first|last_of(stream<E>, list<E>)         the list is the events of the stream that met a condition
const (
	fnCount   = "@event_count"
	fnExists  = "@event_exists"
	fnWindow  = "@event_window"
	fnAll     = "@event_all"
	fnMatches = "@event_matches"
	fnFirst   = "@event_first"
	fnLast    = "@event_last"
	fnFirstOf = "@event_first_of"
	fnLastOf  = "@event_last_of"
)

// aggregates are the functions over a numeric property, by the name that authors write.
var aggregates = []string{"sum", "min", "max", "avg"}

func fnAggregate(name string) string   { return "@event_" + name }
func fnAggregateOf(name string) string { return "@event_" + name + "_of" }

func eventFunctions() []cel.EnvOption {
	e := types.NewTypeParamType("E")
	stream, list := streamType(e), types.NewListType(e)
	window, optTime := types.DurationType, types.NewOptionalType(types.TimestampType)
	options := []cel.EnvOption{
		cel.Function(fnCount, cel.Overload("event_count", []*types.Type{stream, window}, types.IntType, cel.BinaryBinding(eventCount))),
		cel.Function(fnExists, cel.Overload("event_exists", []*types.Type{stream, window}, types.BoolType, cel.BinaryBinding(eventExists))),
		cel.Function(fnWindow, cel.Overload("event_window", []*types.Type{stream, window}, list, cel.BinaryBinding(eventWindow))),
		cel.Function(fnAll, cel.Overload("event_all", []*types.Type{stream}, list, cel.UnaryBinding(eventAll))),
		cel.Function(fnMatches, cel.Overload("event_matches", []*types.Type{types.BoolType}, types.BoolType,
			cel.OverloadIsNonStrict(), cel.UnaryBinding(eventMatches))),
		cel.Function(fnFirst, cel.Overload("event_first", []*types.Type{stream}, optTime, cel.UnaryBinding(eventFirst))),
		cel.Function(fnLast, cel.Overload("event_last", []*types.Type{stream}, optTime, cel.UnaryBinding(eventLast))),
		cel.Function(fnFirstOf, cel.Overload("event_first_of", []*types.Type{stream, list}, optTime, cel.BinaryBinding(eventFirstOf))),
		cel.Function(fnLastOf, cel.Overload("event_last_of", []*types.Type{stream, list}, optTime, cel.BinaryBinding(eventLastOf))),
	}
	for _, name := range aggregates {
		result := func(t *types.Type) *types.Type {
			switch name {
			case "sum":
				return t
			case "avg":
				return types.NewOptionalType(types.DoubleType)
			default:
				return types.NewOptionalType(t)
			}
		}
		for _, kind := range []profile.Kind{profile.Int, profile.Double} {
			number := celType(profile.Type{Kind: kind})
			property := propertyType(number)
			id := "event_" + name + "_"
			options = append(options,
				cel.Function(fnAggregate(name), cel.Overload(id+kind.String(), []*types.Type{stream, property, window}, result(number),
					cel.FunctionBinding(aggregateStream(name)))),
				cel.Function(fnAggregateOf(name), cel.Overload(id+"of_"+kind.String(), []*types.Type{property, list}, result(number),
					cel.BinaryBinding(aggregateList(name)))))
		}
	}
	return options
}

// inWindow is the range of the stream's events in (now-window, now]. It fails when older events of that range may have been cut from the
// snapshot.
func (s *eventStream) inWindow(window time.Duration) (events profile.Events, from, to int, err error) {
	events = s.events()
	if truncated(events, s.in.Now, int64(window)) {
		return events, 0, 0, s.cut
	}
	from, to = events.Window(s.in.Now, int64(window))
	return events, from, to, nil
}

// truncated reports whether the snapshot does not hold all events in (now-window, now].
func truncated(events profile.Events, now, window int64) bool {
	since := events.Since()
	return since > 0 && now-window+1 < since
}

func streamAndWindow(stream, window ref.Val) (profile.Events, int, int, error) {
	s, ok := stream.(*eventStream)
	w, okWindow := window.(types.Duration)
	if !ok || !okWindow {
		return profile.Events{}, 0, 0, errOpaque
	}
	return s.inWindow(w.Duration)
}

func eventCount(stream, window ref.Val) ref.Val {
	_, from, to, err := streamAndWindow(stream, window)
	if err != nil {
		return types.WrapErr(err)
	}
	return types.Int(to - from)
}

// eventExists is settled by any event that was kept, whatever was cut.
func eventExists(stream, window ref.Val) ref.Val {
	s, ok := stream.(*eventStream)
	w, okWindow := window.(types.Duration)
	if !ok || !okWindow {
		return types.WrapErr(errOpaque)
	}
	if from, to := s.events().Window(s.in.Now, int64(w.Duration)); from < to {
		return types.True
	}
	if _, _, _, err := s.inWindow(w.Duration); err != nil {
		return types.WrapErr(err)
	}
	return types.False
}

func eventWindow(stream, window ref.Val) ref.Val {
	events, from, to, err := streamAndWindow(stream, window)
	if err != nil {
		return types.WrapErr(err)
	}
	return newEventList(events, from, to)
}

// eventAll never fails: whether a cut history matters depends on which end of it is asked for.
func eventAll(stream ref.Val) ref.Val {
	s, ok := stream.(*eventStream)
	if !ok {
		return types.WrapErr(errOpaque)
	}
	events, from, to, _ := s.all()
	return newEventList(events, from, to)
}

// all is the range of the stream's events that have happened and still count by retention. whole is false when older events of that range may have been cut
// from the snapshot.
func (s *eventStream) all() (events profile.Events, from, to int, whole bool) {
	events = s.events()
	life := s.in.Retention
	if life <= 0 {
		life = math.MaxInt64 / 2
	}
	from, to = events.Window(s.in.Now, life)
	return events, from, to, !truncated(events, s.in.Now, life)
}

func eventMatches(condition ref.Val) ref.Val { return types.Bool(condition == types.True) }

func eventFirst(stream ref.Val) ref.Val {
	s, ok := stream.(*eventStream)
	if !ok {
		return types.WrapErr(errOpaque)
	}
	events, from, to, whole := s.all()
	if !whole {
		return types.WrapErr(s.cut)
	}
	if from == to {
		return types.OptionalNone
	}
	return types.OptionalOf(boxTime(events.At(from)))
}

func eventLast(stream ref.Val) ref.Val {
	s, ok := stream.(*eventStream)
	if !ok {
		return types.WrapErr(errOpaque)
	}
	events, from, to, whole := s.all()
	if from < to {
		return types.OptionalOf(boxTime(events.At(to - 1)))
	}
	if !whole {
		return types.WrapErr(s.cut) // all that were kept lie ahead of now
	}
	return types.OptionalNone
}

func eventFirstOf(stream, list ref.Val) ref.Val { return endOf(stream, list, true) }
func eventLastOf(stream, list ref.Val) ref.Val  { return endOf(stream, list, false) }

// endOf is the time of the first or last event of a list that was filtered from the stream.
func endOf(stream, list ref.Val, first bool) ref.Val {
	s, ok := stream.(*eventStream)
	matched, okList := list.(traits.Lister)
	if !ok || !okList {
		return types.WrapErr(errOpaque)
	}
	size, _ := matched.Size().(types.Int)
	if _, _, _, whole := s.all(); !whole && (first || size == 0) {
		return types.WrapErr(s.cut)
	}
	if size == 0 {
		return types.OptionalNone
	}
	at := size - 1
	if first {
		at = 0
	}
	event, ok := matched.Get(at).(*eventValue)
	if !ok {
		return types.WrapErr(errOpaque)
	}
	return types.OptionalOf(boxTime(event.at()))
}
