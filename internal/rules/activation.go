package rules

import (
	"time"

	"eligibility/internal/profile"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// Variables of the rule language. Names with an @ cannot be typed by an author: macros write them.
const (
	varUser       = "user"
	varRequest    = "request"
	varChannel    = "channel"
	varNow        = "now"
	varEvents     = "events"  // not a variable of its own: only the receiver of the event macros
	varCatalog    = "@events" // fields are the declared event types
	varProperties = "@prop"   // fields are event types, whose fields are their numeric properties
	varSubject    = "@user"   // the user as the argument of bucket
)

// ContextValue is one attribute of a request at its declared slot. Bits holds a scalar as a snapshot's word does (bool 0 or 1, int, the
// bits of a double, a timestamp's wall nanoseconds); Text holds a string.
type ContextValue struct {
	Set  bool
	Bits uint64
	Text string
}

// Input is everything that a rule can see: one user at one instant in one request. The exported fields may be changed between evaluations;
// values that were boxed for the previous ones are then dropped. An Input is for one goroutine at a time, and it pays to keep and reuse it.
type Input struct {
	Snapshot *profile.Snapshot // never nil
	Context  []ContextValue    // by slot of the declared context; a shorter slice leaves the rest unset
	Channel  string            // "" when the request names none
	Now      int64             // wall nanoseconds since the epoch
	// Retention is for how many nanoseconds user events are kept: older ones do not count for first and last, though a cached snapshot may still hold
	// them. 0 is without bound.
	Retention int64

	// What follows are values boxed for the interpreter, each valid for the source that is noted beside it.
	owner    *Input // an Input that was copied must not share the memory below with the original
	boxedOf  *profile.Snapshot
	boxed    []ref.Val // attribute values by slot
	id       ref.Val
	nowOf    int64
	now      ref.Val
	channel  ref.Val
	chanText string
	streams  []eventStream // by slot of the event type
	boxes    boxes
}

var _ cel.Activation = (*Input)(nil)

// ResolveName returns the value of a variable. It is the interpreter's way in.
func (in *Input) ResolveName(name string) (any, bool) {
	switch name {
	case varUser, varSubject:
		return (*userObject)(in), true
	case varRequest:
		return (*requestObject)(in), true
	case varCatalog:
		return (*catalogObject)(in), true
	case varProperties:
		return propertiesObject{}, true
	case varNow:
		return in.boxedNow(), true
	case varChannel:
		return in.boxedChannel(), true
	}
	return nil, false
}

// Parent says that there is no outer scope.
func (in *Input) Parent() cel.Activation { return nil }

func (in *Input) boxedNow() ref.Val {
	in.own()
	if in.now == nil || in.nowOf != in.Now {
		in.now, in.nowOf = boxTime(in.Now), in.Now
	}
	return in.now
}

func (in *Input) boxedChannel() ref.Val {
	in.own()
	if in.channel == nil || in.chanText != in.Channel {
		in.channel, in.chanText = types.String(in.Channel), in.Channel
	}
	return in.channel
}

// own drops what was boxed for another Input that this one is a copy of.
func (in *Input) own() {
	if in.owner != in {
		in.owner = in
		in.boxedOf, in.boxed, in.id, in.now, in.channel, in.streams, in.boxes = nil, nil, nil, nil, nil, nil, boxes{}
	}
}

// cell returns where the boxed value of an attribute slot of the current snapshot is kept.
func (in *Input) cell(slot int) *ref.Val {
	in.own()
	if in.boxedOf != in.Snapshot {
		clear(in.boxed)
		in.boxedOf, in.id = in.Snapshot, nil
	}
	if slot >= len(in.boxed) {
		in.boxed = append(in.boxed, make([]ref.Val, slot+1-len(in.boxed))...)
	}
	return &in.boxed[slot]
}

func (in *Input) userID() ref.Val {
	in.own()
	if in.boxedOf != in.Snapshot {
		clear(in.boxed)
		in.boxedOf, in.id = in.Snapshot, nil
	}
	if in.id == nil {
		in.id = types.String(in.Snapshot.Key.User)
	}
	return in.id
}

// stream returns the user's events of the type at slot, cut being the failure that names the type. A stream holds no snapshot, so it stays
// good when the fields of the Input change.
func (in *Input) stream(slot int, cut *failure) *eventStream {
	in.own()
	if slot >= len(in.streams) {
		// Streams handed out earlier keep pointing into the old array, which says the same.
		grown := make([]eventStream, slot+1)
		for i := range grown {
			grown[i] = eventStream{in: in, slot: i}
		}
		in.streams = grown
	}
	in.streams[slot].cut = cut
	return &in.streams[slot]
}

func boxTime(wallNanos int64) ref.Val {
	return types.Timestamp{Time: time.Unix(0, wallNanos).UTC()}
}
