package changejson

import (
	"encoding/json"
	"fmt"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
)

// Delivery is what one request of a webhook changefeed says.
type Delivery struct {
	// Changes in the order of the request. One that cannot be told has no table; when it is not known either when it was made, its stamp is zero.
	Changes []events.Change
	// Resolved is zero in a request that holds rows.
	Resolved hlc.Timestamp
}

// envelope is the body of a request: rows, or a resolved stamp.
type envelope struct {
	Payload []struct {
		Topic   string
		Key     json.RawMessage
		Updated *string
	}
	stamps
}

// Delivery reads the body of a request and keeps nothing of it. ErrMessage when it is no request of a changefeed: nothing of it was taken in.
func (d *Decoder) Delivery(body []byte) (Delivery, error) {
	var said envelope
	if err := json.Unmarshal(body, &said); err != nil {
		return Delivery{}, fmt.Errorf("%w: the body is no JSON object of a changefeed", ErrMessage)
	}
	if said.Payload == nil {
		at, err := Resolved(body)
		return Delivery{Resolved: at}, err
	}
	delivery := Delivery{Changes: make([]events.Change, 0, len(said.Payload))}
	for i := range said.Payload {
		row := &said.Payload[i]
		change, err := d.identify(row.Topic, row.Key)
		if row.Updated != nil {
			change.At, _ = hlc.Parse(*row.Updated) //nolint:errcheck // a stamp that cannot be read stays zero, which says so
		}
		if err != nil || change.At.IsZero() {
			change = events.Change{At: change.At}
		}
		delivery.Changes = append(delivery.Changes, change)
	}
	return delivery, nil
}
