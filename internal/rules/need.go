package rules

import (
	"encoding/json"
	"time"
)

// NeedKind says what a Need asks to become otherwise.
type NeedKind string

// The kinds. Those of one way are needed together.
const (
	NeedAttribute   NeedKind = "attribute"   // of the user
	NeedRequest     NeedKind = "request"     // an attribute of the request, or the channel
	NeedEvent       NeedKind = "event"       // something the user would have to do
	NeedTime        NeedKind = "time"        // waiting until At
	NeedCondition   NeedKind = "condition"   // a sub-expression that no single fact decides
	NeedSuppression NeedKind = "suppression" // something beside the rule withholds the promotion
)

// Need is one thing that would have to become otherwise for a verdict to turn.
type Need struct {
	Kind NeedKind `json:"kind"`
	Text string   `json:"text"` // for people

	// Of an attribute, the user's or the request's.
	Attribute string `json:"attribute,omitempty"` // as rules name it: user.lifetimeValue, request.platform, channel
	Now       string `json:"now,omitempty"`       // its value as the rule language writes it, "missing" or "invalid"
	Need      string `json:"need,omitempty"`      // what is asked of it: > 100.0
	Example   string `json:"example,omitempty"`   // a value that would do, near the present one; "missing" when it would have to go

	// Of an event.
	EventType  string          `json:"eventType,omitempty"`
	Count      int             `json:"count,omitempty"`      // how many more
	Properties json.RawMessage `json:"properties,omitempty"` // of each of them, when it matters: an example

	// At is until when to wait, or when the events would have to have happened.
	At *time.Time `json:"at,omitempty"`

	// Of a suppression.
	Reason Reason     `json:"reason,omitempty"`
	Until  *time.Time `json:"until,omitempty"` // nil: time alone does not end it
}

// Turn is the next instant at which a verdict changes by the passing of time alone, with all facts as they are.
type Turn struct {
	At time.Time `json:"at"`
	// NotBefore says that the verdict does not turn before At, and that nobody looked further.
	NotBefore bool   `json:"notBefore,omitempty"`
	Text      string `json:"text"`
}

// maxTurnSteps bounds how many edges are looked at for the one at which a verdict turns.
const maxTurnSteps = 64

// NextTurn walks from edge to edge until the verdict turns. verdict says for an instant what it is and until when, exclusive, passing time
// alone cannot change it. The instant is exact: one nanosecond before it the verdict is still the present one. turned is false when the walk
// gave up at an edge of which only that is known; ok is false when time alone never turns it.
func NextTurn(now int64, verdict func(at int64) (holds bool, until int64)) (at int64, turned, ok bool) {
	present, until := verdict(now)
	at = now
	for range maxTurnSteps {
		switch {
		case until == Forever:
			return 0, false, false
		case until <= at: // it may change at any moment
			return at, false, true
		}
		at = until
		var holds bool
		if holds, until = verdict(at); holds != present {
			return at, true, true
		}
	}
	return at, false, true
}

// instant is wall nanoseconds as a time for people and JSON.
func instant(wallNanos int64) *time.Time {
	t := time.Unix(0, wallNanos).UTC()
	return &t
}
