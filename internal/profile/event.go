package profile

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"eligibility/internal/hlc"
)

// Limits of what is stored about one user.
const (
	MaxEventsPerType     = 200             // how many events of one type a snapshot holds, newest first
	MaxEngagementPerType = 1000            // the same for the reserved types, which frequency caps count
	DefaultRetention     = 720 * time.Hour // how long user events are kept
	MaxFuture            = 24 * time.Hour  // how far ahead of now an event may lie
	MaxAttributesBytes   = 64 << 10        // of one user's attributes as JSON
	MaxPropertiesBytes   = 8 << 10         // of one event's properties as JSON
	MaxEventIDBytes      = 512
)

// Attributes that subscriptions and registered devices are kept in. Of the lists of numbers, rules read those that the project declares; a device is an object
// {"token","platform","applicationName","endpointEnabled"}.
const (
	AttributeDevices         = "devices"
	AttributeChannelsOff     = "unsubscribedChannelIds"
	AttributeMessageTypesOff = "unsubscribedMessageTypeIds"
	AttributeMessageTypesOn  = "subscribedMessageTypeIds"
)

// Event is one behaviour fact about a user as it is stored.
type Event struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	OccurredAt time.Time       `json:"occurredAt"`
	Properties json.RawMessage `json:"properties,omitempty"` // a JSON object or nil
}

// NewEvent is a user event to be stored.
type NewEvent struct {
	UserID     string
	ID         string // empty: the store makes one; else the event replaces the one of the same (user, id)
	Name       string
	OccurredAt time.Time       // zero: the time stored for this id, else the commit's
	Properties json.RawMessage // a JSON object or nil
}

// Update is a change of one profile. Nil fields stay as they are.
type Update struct {
	UserID     string
	Email      *string                    // "" removes it; stored in lower case
	TimeZone   *string                    // "" removes it
	Attributes map[string]json.RawMessage // by top-level name; JSON null removes, an object value replaces
	Consent    map[string]*bool           // by channel; nil removes
}

// Record is a stored profile as a person may read it.
type Record struct {
	UserID     string                     `json:"userId"`
	Email      string                     `json:"email,omitempty"`
	TimeZone   string                     `json:"timeZone,omitempty"`
	Attributes map[string]json.RawMessage `json:"attributes"`
	Consent    map[string]bool            `json:"consent"`
	Events     []Event                    `json:"events"` // newest first
	AsOf       hlc.Timestamp              `json:"asOf"`
	Found      bool                       `json:"-"`
}

// ItemError says why one item of a batch was not stored. The other items were.
type ItemError struct {
	Index  int    `json:"index"`
	Code   string `json:"code"`
	Detail string `json:"message"`
}

// Errors that a store returns through these interfaces.
var (
	// ErrUnavailable: the store cannot answer now; a later try may succeed.
	ErrUnavailable = errors.New("store unavailable")
	// ErrNotDurable: the store could not make a write durable (a full or read-only disk); nothing was acknowledged.
	ErrNotDurable = errors.New("write not durable")
)

// Source loads users for the cache. Declared for its one consumer.
type Source interface {
	// Load fills dst[i] for keys[i], all read at one database timestamp, which is every snapshot's AsOf. An unknown user is an empty
	// snapshot, not an error. Errors: ErrUnavailable, ctx.Err().
	Load(ctx context.Context, keys []Key, dst []*Snapshot) error
	// Now returns the database's clock, a stamp after every commit acknowledged before the call.
	Now(ctx context.Context) (hlc.Timestamp, error)
}

// Writer stores what the ingest calls bring. Every call answers only after all it accepted is durable; the stamp is at or
// after its commit, so that a reader who demands it sees the write.
type Writer interface {
	PutUsers(ctx context.Context, project string, updates []Update) (hlc.Timestamp, []ItemError, error)
	PutEvents(ctx context.Context, project string, events []NewEvent) (hlc.Timestamp, []ItemError, error)
	// DeleteUser erases the profile, the events and the e-mail row. Erasing an unknown user is no error.
	DeleteUser(ctx context.Context, key Key) (hlc.Timestamp, error)
	// Observe notes the names and inferred types of undeclared attributes and event types that were stored.
	Observe(ctx context.Context, project string, seen []Observed) error
}

// Reader reads single users for people: the profile call, explain, preview.
type Reader interface {
	// ReadUser returns the stored row with at most maxEvents events. An unknown user is a Record with Found false.
	ReadUser(ctx context.Context, key Key, maxEvents int) (*Record, error)
	// UserByEmail returns the id of the user with this e-mail address (any case), or "".
	UserByEmail(ctx context.Context, project, email string) (string, error)
	// UserIDs lists user ids in order, after the given one.
	UserIDs(ctx context.Context, project, after string, limit int) ([]string, error)
	// Observations lists what Observe noted.
	Observations(ctx context.Context, project string) ([]Observed, error)
}

// Observed is an undeclared attribute, event type or property that arrived, with the type its values suggest.
type Observed struct {
	What string `json:"what"` // "attribute", "eventType" or "property"
	Name string `json:"name"` // a property is "<event type>.<property>"
	Type string `json:"type"` // as Type.String, or "mixed" or "object"
}
