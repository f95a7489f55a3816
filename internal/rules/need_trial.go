package rules

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"eligibility/internal/profile"
)

// facts are what is tried in place of what is known.
type facts struct {
	attributes map[int]string // JSON by slot, "" takes the value away
	fields     map[int]ContextValue
	channel    *string
	events     []tryEvent
}

// tryEvent is an event that did not happen, n times.
type tryEvent struct {
	slot       int
	at         int64
	n          int
	properties string // JSON
}

// trial makes inputs that differ from the real one in some facts. What it leaves out of a snapshot the literals that are asked do not read.
type trial struct {
	in      *Input
	schema  *profile.Schema
	builder profile.Builder
}

// only is the input with no more than the subject's facts, at an instant.
func (t *trial) only(s subject, f *facts, at int64) *Input {
	t.begin()
	switch s.kind {
	case subjectAttribute:
		t.attributes(f, []int{s.slot})
	case subjectStream:
		t.events(f, s.slot)
	}
	return t.input(f, at)
}

// all is the input with every fact, at an instant.
func (t *trial) all(f *facts, at int64) *Input {
	t.begin()
	slots := make([]int, len(t.schema.Attributes))
	for slot := range slots {
		slots[slot] = slot
	}
	t.attributes(f, slots)
	for i := range t.schema.EventTypes {
		t.events(f, t.schema.EventTypes[i].Slot)
	}
	return t.input(f, at)
}

func (t *trial) begin() {
	t.builder.Reset(t.schema, t.in.Snapshot.Key, t.in.Snapshot.AsOf)
	if t.in.Snapshot.Found {
		t.builder.Found()
	}
}

func (t *trial) input(f *facts, at int64) *Input {
	in := &Input{Snapshot: t.builder.Build(), Context: t.in.Context, Channel: t.in.Channel, Now: at, Retention: t.in.Retention}
	if len(f.fields) > 0 {
		in.Context = slices.Clone(in.Context)
		for slot, value := range f.fields {
			if slot >= len(in.Context) {
				in.Context = append(in.Context, make([]ContextValue, slot+1-len(in.Context))...)
			}
			in.Context[slot] = value
		}
	}
	if f.channel != nil {
		in.Channel = *f.channel
	}
	return in
}

func (t *trial) attributes(f *facts, slots []int) {
	object := make(map[string]any)
	for _, slot := range slots {
		attr := &t.schema.Attributes[slot]
		text, changed := f.attributes[slot]
		if !changed {
			text = attributeJSON(t.in.Snapshot, attr)
		}
		switch {
		case text == "":
		case attr.Builtin:
			t.builtin(attr, text)
		default:
			nest(object, attr.Name, json.RawMessage(text))
		}
	}
	if len(object) == 0 {
		return
	}
	if encoded, err := json.Marshal(object); err == nil { // made of JSON, so it is JSON
		t.builder.Attributes(encoded)
	}
}

func (t *trial) builtin(attr *profile.Attribute, text string) {
	if channel, ok := strings.CutPrefix(attr.Name, "consent."); ok {
		t.builder.Consent(channel, text == "true")
		return
	}
	var value string
	if json.Unmarshal([]byte(text), &value) != nil {
		return
	}
	switch attr.Slot {
	case profile.SlotEmail:
		t.builder.Email(value)
	case profile.SlotTimeZone:
		t.builder.TimeZone(value)
	}
}

// nest puts a value at a dotted name, as profiles are stored.
func nest(object map[string]any, name string, value json.RawMessage) {
	for {
		first, rest, more := strings.Cut(name, ".")
		if !more {
			object[name] = value
			return
		}
		below, ok := object[first].(map[string]any)
		if !ok {
			below = make(map[string]any)
			object[first] = below
		}
		object, name = below, rest
	}
}

func (t *trial) events(f *facts, slot int) {
	typ := &t.schema.EventTypes[slot]
	events := t.in.Snapshot.Events(slot)
	for i := range events.Len() {
		t.builder.Event(typ.Name, events.At(i), eventJSON(events, i, typ))
	}
	if since := events.Since(); since > 0 {
		t.builder.Truncated(typ.Name, since)
	}
	for _, e := range f.events {
		if e.slot != slot {
			continue
		}
		for range e.n {
			t.builder.Event(typ.Name, e.at, []byte(e.properties))
		}
	}
}

// attributeJSON is what is stored of the attribute, as its schema reads it: "" for nothing, and some JSON of no use for what is unreadable.
func attributeJSON(s *profile.Snapshot, attr *profile.Attribute) string {
	switch s.State(attr.Slot) {
	case profile.Absent:
		return ""
	case profile.Invalid:
		if attr.Type.Shape == profile.Map {
			return "[]"
		}
		return "{}"
	}
	switch attr.Type.Shape {
	case profile.List:
		values := s.Values(attr.Slot)
		items := make([]string, values.Len())
		for i := range items {
			items[i] = elementJSON(values, i, attr.Type.Kind)
		}
		return "[" + strings.Join(items, ",") + "]"
	case profile.Map:
		values := s.Values(attr.Slot)
		var items []string
		for i := 0; i < values.Len(); i += 2 {
			items = append(items, stringJSON(values.String(i))+":"+elementJSON(values, i+1, attr.Type.Kind))
		}
		return "{" + strings.Join(items, ",") + "}"
	}
	switch attr.Type.Kind {
	case profile.String:
		return stringJSON(s.String(attr.Slot))
	default:
		bits, _ := s.Bits(attr.Slot)
		return wordJSON(attr.Type.Kind, bits)
	}
}

func elementJSON(values profile.Values, i int, kind profile.Kind) string {
	if kind == profile.String {
		return stringJSON(values.String(i))
	}
	return wordJSON(kind, values.Bits(i))
}

func eventJSON(events profile.Events, i int, typ *profile.EventType) []byte {
	var items []string
	for j := range typ.Properties {
		p := &typ.Properties[j]
		if !events.Has(i, p.Slot) {
			continue
		}
		text := ""
		switch p.Type.Kind {
		case profile.String:
			text = stringJSON(events.String(i, p.Slot))
		default:
			text = wordJSON(p.Type.Kind, events.Bits(i, p.Slot, p.Type.Kind))
		}
		items = append(items, stringJSON(p.Name)+":"+text)
	}
	return []byte("{" + strings.Join(items, ",") + "}")
}

// wordJSON is a scalar but a string, given as a snapshot's word.
func wordJSON(kind profile.Kind, bits uint64) string {
	switch kind {
	case profile.Bool:
		return strconv.FormatBool(bits != 0)
	case profile.Int:
		return strconv.FormatInt(int64(bits), 10)
	case profile.Double:
		return strconv.FormatFloat(math.Float64frombits(bits), 'g', -1, 64)
	default:
		return stringJSON(time.Unix(0, int64(bits)).UTC().Format(time.RFC3339Nano))
	}
}

func stringJSON(s string) string {
	encoded, err := json.Marshal(s)
	if err != nil { // a string always encodes
		return `""`
	}
	return string(encoded)
}
