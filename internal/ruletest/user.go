package ruletest

import (
	"encoding/json"
	"maps"
	"math"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rulefile"
	"eligibility/internal/rules"

	"github.com/valyala/fastjson"
)

// snapshot makes the user as the store would at the present test's instant: at most as many events of a type as it keeps, and none that are past retention.
func (r *runner) snapshot(id string) (*profile.Snapshot, bool) {
	user, known := r.suite.Users[id]
	if !known {
		return nil, false
	}
	var b profile.Builder
	b.Reset(r.rs.Schema, profile.Key{Project: r.rs.Project, User: id}, hlc.FromTime(r.now))
	b.Found()
	b.Email(strings.ToLower(user.Email))
	b.TimeZone(user.TimeZone)
	for channel, given := range user.Consent {
		b.Consent(channel, given)
	}
	b.Attributes(object(user.Attributes))
	kept := make(map[string][]at)
	for i := range user.Events {
		e := &user.Events[i]
		if when := r.when(e); when.After(r.now.Add(-profile.DefaultRetention)) {
			kept[e.Name] = append(kept[e.Name], at{when, e})
		}
	}
	for name, events := range kept {
		most := profile.MaxEventsPerType
		if typ, ok := r.rs.Schema.EventType(name); ok && typ.Reserved {
			most = profile.MaxEngagementPerType
		}
		slices.SortStableFunc(events, func(x, y at) int { return x.when.Compare(y.when) })
		if cut := len(events) - most; cut > 0 {
			b.Truncated(name, events[cut-1].when.UnixNano()+1)
			events = events[cut:]
		}
		for _, e := range events {
			b.Event(name, e.when.UnixNano(), object(e.event.Properties))
		}
	}
	return b.Build(), true
}

// at is an event and when it happened.
type at struct {
	when  time.Time
	event *rulefile.Event
}

// when is the instant of an event: ago counts back from the suite's now, so that a test at another now meets the same history.
func (r *runner) when(e *rulefile.Event) time.Time {
	if e.OccurredAt != nil {
		return *e.OccurredAt
	}
	return r.suite.Now.Add(-time.Duration(*e.Ago))
}

func object(values map[string]json.RawMessage) []byte {
	if len(values) == 0 {
		return nil
	}
	encoded, err := json.Marshal(values)
	if err != nil { // they came from a decoder of JSON values
		panic("ruletest: " + err.Error())
	}
	return encoded
}

// checkUsers refuses what a server would not take, and names that nothing is declared by: in a test those are slips.
func (r *runner) checkUsers() {
	for _, id := range slices.Sorted(maps.Keys(r.suite.Users)) {
		user, steps := r.suite.Users[id], []string{"users", id}
		wrong := func(text string, more ...string) {
			r.faults = append(r.faults, r.suite.Wrong(append(slices.Clone(steps), more...), "%s", text))
		}
		if !profile.ValidUserID(id) {
			wrong(profile.ErrUserID.Error())
		}
		if _, err := mail.ParseAddress(user.Email); user.Email != "" && err != nil {
			wrong("this is no e-mail address", "email")
		}
		if _, err := time.LoadLocation(user.TimeZone); err != nil {
			wrong("use an IANA time zone such as Europe/Berlin", "timeZone")
		}
		for channel := range user.Consent {
			if !slices.Contains(profile.Channels, channel) {
				r.unknown([]string{"users", id, "consent", channel}, "channel", channel, profile.Channels)
			}
		}
		r.checkAttributes([]string{"users", id, "attributes"}, "", user.Attributes)
		for i := range user.Events {
			r.checkEvent([]string{"users", id, "events", strconv.Itoa(i)}, &user.Events[i])
		}
	}
}

// checkAttributes holds attributes below a dotted prefix against the schema.
func (r *runner) checkAttributes(steps []string, prefix string, values map[string]json.RawMessage) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		here, path := append(slices.Clone(steps), name), prefix+name
		attribute, declared := r.rs.Schema.Attribute(path)
		var nested map[string]json.RawMessage
		switch {
		case declared && !attribute.Builtin:
			r.checkValue(here, attribute.Type, values[name])
		case len(r.rs.Schema.Nested(path)) > 0 && path != "consent" && json.Unmarshal(values[name], &nested) == nil:
			r.checkAttributes(here, path+".", nested)
		default:
			r.unknown(here, "attribute", path, r.attributes())
		}
	}
}

func (r *runner) attributes() []string {
	var names []string
	for i := range r.rs.Schema.Attributes {
		if a := &r.rs.Schema.Attributes[i]; !a.Builtin {
			names = append(names, a.Name)
		}
	}
	return names
}

func (r *runner) checkValue(steps []string, typ profile.Type, value json.RawMessage) {
	parsed, err := fastjson.ParseBytes(value)
	if err == nil {
		err = typ.CheckJSON(parsed)
	}
	if err != nil {
		r.faults = append(r.faults, r.suite.Wrong(steps, "%v", err))
	}
}

func (r *runner) checkEvent(steps []string, e *rulefile.Event) {
	typ, declared := r.rs.Schema.EventType(e.Name)
	if !declared {
		var names []string
		for i := range r.rs.Schema.EventTypes {
			names = append(names, r.rs.Schema.EventTypes[i].Name)
		}
		r.unknown(append(steps, "name"), "event type", e.Name, names)
		return
	}
	if when := r.when(e); when.Before(profile.MinTime) || !when.Before(profile.MaxTime) {
		r.faults = append(r.faults, r.suite.Wrong(steps, "a time lies between the years %d and %d", profile.MinTime.Year(), profile.MaxTime.Year()))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Properties)) {
		here := append(slices.Clone(steps), "properties", name)
		property, declared := typ.Property(name)
		if !declared {
			var names []string
			for i := range typ.Properties {
				names = append(names, typ.Properties[i].Name)
			}
			r.unknown(here, "property", name, names)
			continue
		}
		r.checkValue(here, property.Type, e.Properties[name])
	}
}

// context types what a request carries.
func (r *runner) context(given map[string]json.RawMessage, steps []string) []rules.ContextValue {
	values := make([]rules.ContextValue, len(r.rs.Context))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		here := append(slices.Clone(steps), name)
		slot, typ, declared := r.rs.ContextSlot(name)
		if !declared {
			var names []string
			for _, field := range r.rs.Context {
				names = append(names, field.Name)
			}
			r.unknown(here, "context field", name, names)
			continue
		}
		value, fits := contextValue(typ.Kind, given[name])
		if !fits {
			r.faults = append(r.faults, r.suite.Wrong(here, "want %s", typ))
		}
		values[slot] = value
	}
	return values
}

// contextValue reads one JSON value as the kind; null leaves it unset.
func contextValue(kind profile.Kind, text json.RawMessage) (v rules.ContextValue, fits bool) {
	if string(text) == "null" {
		return v, true
	}
	v.Set = true
	var err error
	switch kind {
	case profile.Bool:
		var b bool
		if err = json.Unmarshal(text, &b); b {
			v.Bits = 1
		}
	case profile.Int:
		var n int64
		n, err = strconv.ParseInt(string(text), 10, 64)
		v.Bits = uint64(n)
	case profile.Double:
		var f float64
		err = json.Unmarshal(text, &f)
		v.Bits = math.Float64bits(f)
	case profile.String:
		err = json.Unmarshal(text, &v.Text)
	case profile.Timestamp:
		var t time.Time
		err = json.Unmarshal(text, &t)
		if t.Before(profile.MinTime) || !t.Before(profile.MaxTime) {
			return v, false
		}
		v.Bits = uint64(t.UnixNano())
	default:
		return v, false
	}
	return v, err == nil
}
