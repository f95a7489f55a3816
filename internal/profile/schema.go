package profile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of a schema.
const (
	MaxAttributes = 1000
	MaxEventTypes = 500
	MaxProperties = 60 // per event type: presence is one bit each beside the reserved ones
	MaxNameBytes  = 128
)

// Channels are the ways a message can reach a user. Consent is kept per channel.
var Channels = []string{"embedded", "push", "whatsapp", "email", "sms"}

// Attribute is one typed field of the profile. Its Slot is its place in every Snapshot of the project and is never used again for another
// attribute, even after it was retired.
type Attribute struct {
	Name       string `json:"name"` // dotted for nested fields: "address.city"
	Type       Type   `json:"type"`
	ServerOnly bool   `json:"serverOnly,omitzero"` // writes with a client key are refused
	Slot       int    `json:"slot"`
	Since      uint64 `json:"since"` // the schema version that brought it
	Builtin    bool   `json:"builtin,omitzero"`
}

// Property is one typed field of an event type.
type Property struct {
	Name string `json:"name"`
	Type Type   `json:"type"` // scalar only
	Slot int    `json:"slot"`
}

// EventType is a declared kind of user event with its typed properties.
type EventType struct {
	Name       string     `json:"name"`
	Properties []Property `json:"properties"`
	Slot       int        `json:"slot"`
	Since      uint64     `json:"since"`
	Reserved   bool       `json:"reserved,omitzero"` // written by the engine itself: embedded_impression and its kin
}

// Property returns the property named name.
func (e *EventType) Property(name string) (*Property, bool) {
	for i := range e.Properties {
		if e.Properties[i].Name == name {
			return &e.Properties[i], true
		}
	}
	return nil, false
}

// Schema is the immutable, versioned set of a project's attributes and event types. Change it with WithAttribute and WithEventType,
// which return a new Schema of the next version.
type Schema struct {
	Version    uint64      `json:"version"`
	Attributes []Attribute `json:"attributes"`
	EventTypes []EventType `json:"eventTypes"`

	attributes map[string]int // name → slot
	eventTypes map[string]int
	nested     map[string][]int // "address" → slots of "address.…"
}

// Slots of the built-in attributes. They exist in every schema, in this order, before any declared one.
const (
	SlotEmail = iota
	SlotTimeZone
	slotConsent // one slot for each of Channels
)

// SlotConsent is the slot of consent to the channel at index i of Channels.
func SlotConsent(i int) int { return slotConsent + i }

// Reserved event types: what a user did with an embedded message.
const (
	EventImpression = "embedded_impression"
	EventClick      = "embedded_click"
	EventDismiss    = "embedded_dismiss"
)

// EventSend is the reserved event type of a campaign's message that was sent to the user outside of the app. A confirmed send writes it, and
// nothing else does: caps of sends count it.
const EventSend = "campaign_send"

// ReservedEvents begins the names of all reserved event types, those of later versions too: they are written by engagement alone, because
// frequency caps count them.
const ReservedEvents = "embedded_"

// IsReserved reports whether events of this name are written by the engine alone.
func IsReserved(name string) bool {
	return name == EventSend || strings.HasPrefix(name, ReservedEvents)
}

// Slots of the reserved event types, in every schema.
const (
	SlotImpression = iota
	SlotClick
	SlotDismiss
)

// Properties of the reserved event types, at these slots.
const (
	PropPromotion  = iota // string: the promotion's id
	PropPlacement         // int
	PropCampaignID        // int
	PropCount             // int: how many times
)

// Properties of EventSend, at these slots. The type itself has no slot of its own: schemas that are older than it got it later, see WithSends.
const (
	PropSendPromotion  = iota // string: the promotion's id
	PropSendChannel           // string: one of Channels
	PropSendCampaignID        // int
)

// Reasons for which a schema change is refused.
var (
	ErrExists   = errors.New("already declared with another definition")
	ErrName     = errors.New("malformed name")
	ErrReserved = errors.New("reserved name")
	ErrTooMany  = errors.New("too many declarations")
	ErrType     = errors.New("type not allowed here")
)

// NewSchema is the schema of a new project, version 1: the built-in attributes and the reserved event types.
func NewSchema() *Schema {
	s := &Schema{Version: 1}
	add := func(name string, kind Kind) {
		s.Attributes = append(s.Attributes, Attribute{Name: name, Type: Type{Kind: kind}, Slot: len(s.Attributes), Since: 1, Builtin: true})
	}
	add("email", String)
	add("timeZone", String)
	for _, channel := range Channels {
		add("consent."+channel, Bool)
	}
	for _, name := range []string{EventImpression, EventClick, EventDismiss} {
		s.EventTypes = append(s.EventTypes, EventType{Name: name, Slot: len(s.EventTypes), Since: 1, Reserved: true, Properties: []Property{
			PropPromotion:  {Name: "promotion", Type: Type{Kind: String}, Slot: PropPromotion},
			PropPlacement:  {Name: "placement", Type: Type{Kind: Int}, Slot: PropPlacement},
			PropCampaignID: {Name: "campaignId", Type: Type{Kind: Int}, Slot: PropCampaignID},
			PropCount:      {Name: "count", Type: Type{Kind: Int}, Slot: PropCount},
		}})
	}
	s.EventTypes = append(s.EventTypes, sends(len(s.EventTypes), 1))
	s.Index()
	return s
}

// sends is the declaration of EventSend at a slot.
func sends(slot int, since uint64) EventType {
	return EventType{Name: EventSend, Slot: slot, Since: since, Reserved: true, Properties: []Property{
		PropSendPromotion:  {Name: "promotion", Type: Type{Kind: String}, Slot: PropSendPromotion},
		PropSendChannel:    {Name: "channel", Type: Type{Kind: String}, Slot: PropSendChannel},
		PropSendCampaignID: {Name: "campaignId", Type: Type{Kind: Int}, Slot: PropSendCampaignID},
	}}
}

// WithSends returns a schema that has EventSend: s itself, unless it was made before there was one. ErrExists when the project declared a type of
// that name while it could.
func (s *Schema) WithSends() (*Schema, error) {
	if old, ok := s.EventType(EventSend); ok {
		if !old.Reserved {
			return nil, fmt.Errorf("event type %q: %w: the name is the engine's own now", EventSend, ErrExists)
		}
		return s, nil
	}
	next := s.next()
	next.EventTypes = append(next.EventTypes, sends(len(next.EventTypes), next.Version))
	next.Index()
	return next, nil
}

// Index builds the look-up tables of a schema that was decoded from storage. It must be called once before any look-up.
func (s *Schema) Index() {
	s.attributes = make(map[string]int, len(s.Attributes))
	s.nested = make(map[string][]int)
	for i := range s.Attributes {
		name := s.Attributes[i].Name
		s.attributes[name] = i
		for dot := strings.IndexByte(name, '.'); dot >= 0; {
			s.nested[name[:dot]] = append(s.nested[name[:dot]], i)
			next := strings.IndexByte(name[dot+1:], '.')
			if next < 0 {
				break
			}
			dot += 1 + next
		}
	}
	s.eventTypes = make(map[string]int, len(s.EventTypes))
	for i := range s.EventTypes {
		s.eventTypes[s.EventTypes[i].Name] = i
	}
}

// Attribute returns the attribute named name, dots included.
func (s *Schema) Attribute(name string) (*Attribute, bool) {
	slot, ok := s.attributes[name]
	if !ok {
		return nil, false
	}
	return &s.Attributes[slot], true
}

// Nested returns the slots of the attributes below the dotted prefix: those of "address.city" and "address.zip" for "address".
func (s *Schema) Nested(prefix string) []int { return s.nested[prefix] }

// EventType returns the event type named name.
func (s *Schema) EventType(name string) (*EventType, bool) {
	slot, ok := s.eventTypes[name]
	if !ok {
		return nil, false
	}
	return &s.EventTypes[slot], true
}

// WithAttribute returns a schema that also has the attribute. Declaring what exists with the same definition returns s itself; a different
// one is ErrExists.
func (s *Schema) WithAttribute(name string, typ Type, serverOnly bool) (*Schema, error) {
	if old, ok := s.Attribute(name); ok {
		if old.Type == typ && old.ServerOnly == serverOnly {
			return s, nil
		}
		return nil, fmt.Errorf("attribute %q is %s: %w (a new type is a new attribute)", name, old.Type, ErrExists)
	}
	if !validPath(name) {
		return nil, fmt.Errorf("attribute %.64q: %w: use letters, digits and _, with dots between nested names", name, ErrName)
	}
	if root, _, _ := strings.Cut(name, "."); root == "id" || root == "consent" {
		return nil, fmt.Errorf("attribute %q: %w", name, ErrReserved)
	}
	if len(s.nested[name]) > 0 {
		return nil, fmt.Errorf("attribute %q: %w: %q lies below it", name, ErrExists, s.Attributes[s.nested[name][0]].Name)
	}
	for i := range len(name) {
		if name[i] == '.' {
			if _, ok := s.attributes[name[:i]]; ok {
				return nil, fmt.Errorf("attribute %q: %w: %q is a value, not an object", name, ErrExists, name[:i])
			}
		}
	}
	if len(s.Attributes) >= MaxAttributes {
		return nil, fmt.Errorf("%w: a project has at most %d attributes", ErrTooMany, MaxAttributes)
	}
	next := s.next()
	next.Attributes = append(next.Attributes, Attribute{Name: name, Type: typ, ServerOnly: serverOnly, Slot: len(s.Attributes), Since: next.Version})
	next.Index()
	return next, nil
}

// WithEventType returns a schema that also has the event type and all of these properties. Properties are only ever added; a property that
// exists with another type is ErrExists.
func (s *Schema) WithEventType(name string, properties map[string]Type) (*Schema, error) {
	if len(name) == 0 || len(name) > MaxNameBytes || !utf8.ValidString(name) || strings.ContainsFunc(name, isControl) {
		return nil, fmt.Errorf("event type %.64q: %w: 1 to %d bytes without control characters", name, ErrName, MaxNameBytes)
	}
	var base EventType
	if old, ok := s.EventType(name); ok {
		if old.Reserved {
			return nil, fmt.Errorf("event type %q: %w", name, ErrReserved)
		}
		base = *old
	} else {
		if IsReserved(name) {
			return nil, fmt.Errorf("event type %q: %w: this name, and those that begin with %q, are the engine's own", name, ErrReserved, ReservedEvents)
		}
		if len(s.EventTypes) >= MaxEventTypes {
			return nil, fmt.Errorf("%w: a project has at most %d event types", ErrTooMany, MaxEventTypes)
		}
		base = EventType{Name: name, Slot: len(s.EventTypes), Since: s.Version + 1}
	}
	base.Properties = slices.Clone(base.Properties)
	before := len(base.Properties)
	names := make([]string, 0, len(properties))
	for n := range properties {
		names = append(names, n)
	}
	slices.Sort(names) // slots must not depend on the order of a map
	for _, n := range names {
		typ := properties[n]
		if old, ok := base.Property(n); ok {
			if old.Type != typ {
				return nil, fmt.Errorf("property %q of event type %q is %s: %w", n, name, old.Type, ErrExists)
			}
			continue
		}
		if !validIdentifier(n) {
			return nil, fmt.Errorf("property %.64q: %w: use letters, digits and _", n, ErrName)
		}
		if n == "occurredAt" {
			return nil, fmt.Errorf("property %q: %w", n, ErrReserved)
		}
		if typ.Shape != Scalar {
			return nil, fmt.Errorf("property %q: %w: properties are bool, int, double, string or timestamp", n, ErrType)
		}
		if len(base.Properties) >= MaxProperties {
			return nil, fmt.Errorf("%w: an event type has at most %d properties", ErrTooMany, MaxProperties)
		}
		base.Properties = append(base.Properties, Property{Name: n, Type: typ, Slot: len(base.Properties)})
	}
	if base.Slot < len(s.EventTypes) && len(base.Properties) == before {
		return s, nil
	}
	next := s.next()
	if base.Slot < len(s.EventTypes) {
		base.Since = next.Version // a rule that reads the new property needs a snapshot that holds it
		next.EventTypes[base.Slot] = base
	} else {
		next.EventTypes = append(next.EventTypes, base)
	}
	next.Index()
	return next, nil
}

func (s *Schema) next() *Schema {
	return &Schema{Version: s.Version + 1, Attributes: slices.Clone(s.Attributes), EventTypes: slices.Clone(s.EventTypes)}
}

func validPath(name string) bool {
	if len(name) > MaxNameBytes {
		return false
	}
	for part := range strings.SplitSeq(name, ".") {
		if !validIdentifier(part) {
			return false
		}
	}
	return true
}

// celReserved are the words that the rule language cannot use as a field name.
var celReserved = map[string]bool{
	"as": true, "break": true, "const": true, "continue": true, "else": true, "false": true, "for": true, "function": true, "if": true,
	"import": true, "in": true, "let": true, "loop": true, "namespace": true, "null": true, "package": true, "return": true, "true": true,
	"var": true, "void": true, "while": true,
}

// validIdentifier reports whether name can be written after a dot in a rule.
func validIdentifier(name string) bool {
	if name == "" || len(name) > MaxNameBytes || celReserved[name] {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return true
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }
