package profile

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"eligibility/internal/hlc"
)

func shopSchema(t testing.TB) *Schema {
	t.Helper()
	s := NewSchema()
	for _, a := range []struct{ name, typ string }{
		{"country", "string"},
		{"age", "int"},
		{"lifetimeValue", "double"},
		{"vip", "bool"},
		{"signedUpAt", "timestamp"},
		{"tags", "list<string>"},
		{"scores", "map<string,double>"},
		{"address.city", "string"},
		{"address.geo.lat", "double"},
	} {
		typ, err := ParseType(a.typ)
		if err != nil {
			t.Fatal(err)
		}
		if s, err = s.WithAttribute(a.name, typ, false); err != nil {
			t.Fatal(err)
		}
	}
	s, err := s.WithEventType("purchase", map[string]Type{"total": {Kind: Double}, "category": {Kind: String}, "items": {Kind: Int}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func slot(t testing.TB, s *Schema, name string) int {
	t.Helper()
	a, ok := s.Attribute(name)
	if !ok {
		t.Fatalf("no attribute %q", name)
	}
	return a.Slot
}

func TestBuilderDecodesIntoTypedSlots(t *testing.T) {
	schema := shopSchema(t)
	var b Builder
	b.Reset(schema, Key{"shop", "u1"}, hlc.Timestamp{Wall: 7})
	b.Found()
	b.Email("a@example.com")
	b.Consent("whatsapp", true)
	b.Consent("pigeon", true)
	b.Attributes([]byte(`{"country":"DE","age":41.0,"lifetimeValue":120,"vip":true,"signedUpAt":"2026-01-02T03:04:05.5Z",
		"tags":["a","ü"],"scores":{"b":2,"a":1.5},"address":{"city":"Köln","geo":{"lat":50.9}},"undeclared":{"x":[1]}}`))
	b.Event("purchase", 200, []byte(`{"total":9.5,"category":"tools"}`))
	b.Event("purchase", 100, []byte(`{"total":"wrong type","items":3}`))
	b.Event("unknown", 100, nil)
	s := b.Build()
	b.Reset(schema, Key{"shop", "u2"}, hlc.Timestamp{}) // must not disturb s
	b.Attributes([]byte(`{"country":"XX"}`))
	b.Build()

	got := fmt.Sprintf("%s %d %g %t %s %s", s.String(slot(t, schema, "country")), s.Int(slot(t, schema, "age")),
		s.Double(slot(t, schema, "lifetimeValue")), s.Bool(slot(t, schema, "vip")),
		time.Unix(0, s.Timestamp(slot(t, schema, "signedUpAt"))).UTC().Format(time.RFC3339Nano), s.String(SlotEmail))
	if want := "DE 41 120 true 2026-01-02T03:04:05.5Z a@example.com"; got != want {
		t.Errorf("scalars: got %q, want %q", got, want)
	}
	tags, scores := s.Values(slot(t, schema, "tags")), s.Values(slot(t, schema, "scores"))
	if tags.Len() != 2 || tags.String(1) != "ü" || scores.Len() != 4 || scores.String(0) != "a" || scores.Double(1) != 1.5 {
		t.Errorf("lists and maps: got %v %v", tags, scores)
	}
	if s.String(slot(t, schema, "address.city")) != "Köln" || s.Double(slot(t, schema, "address.geo.lat")) != 50.9 {
		t.Errorf("nested attributes are not in their slots")
	}
	if s.State(SlotTimeZone) != Absent || s.State(SlotConsent(2)) != Present || s.State(10_000) != Absent {
		t.Errorf("states: time zone %v, consent %v, beyond %v", s.State(SlotTimeZone), s.State(SlotConsent(2)), s.State(10_000))
	}
	purchase, _ := schema.EventType("purchase")
	e := s.Events(purchase.Slot)
	total, _ := purchase.Property("total")
	items, _ := purchase.Property("items")
	if e.Len() != 2 || e.At(0) != 100 || e.Has(0, total.Slot) || !e.Has(0, items.Slot) || e.Double(1, total.Slot) != 9.5 {
		t.Errorf("events: got %d, times %v", e.Len(), e.At(0))
	}
	if s.Events(0).Len() != 0 || s.Events(999).Len() != 0 {
		t.Errorf("a type without events has some")
	}
}

func TestWindowIsOpenBelowAndClosedAbove(t *testing.T) {
	schema := shopSchema(t)
	var b Builder
	b.Reset(schema, Key{"shop", "u"}, hlc.Timestamp{})
	for _, at := range []int64{100, 200, 300, 300, 400} {
		b.Event("purchase", at, nil)
	}
	purchase, _ := schema.EventType("purchase")
	e := b.Build().Events(purchase.Slot)
	for _, c := range []struct {
		name         string
		now, w, want int64
	}{
		{"an event counts from its own instant", 300, 1, 2},
		{"and not an instant earlier", 299, 100, 1},
		{"up to its instant plus the window, exclusive", 400, 100, 1},
		{"one nanosecond before the edge it still counts", 399, 100, 2},
		{"future events do not count", 250, 1000, 2},
		{"nothing", 50, 10, 0},
	} {
		from, to := e.Window(c.now, c.w)
		if int64(to-from) != c.want {
			t.Errorf("%s: Window(%d, %d) holds %d events, want %d", c.name, c.now, c.w, to-from, c.want)
		}
	}
}

func TestUnusableValuesAreMarkedAndBreakNothing(t *testing.T) {
	schema := shopSchema(t)
	for _, c := range []struct {
		name, row, attr string
		want            State
		broken          bool
	}{
		{name: "out of double's range", row: `{"lifetimeValue":1E+400}`, attr: "lifetimeValue", want: Invalid},
		{name: "thirty digits for an int", row: `{"age":123456789012345678901234567890}`, attr: "age", want: Invalid},
		{name: "fraction for an int", row: `{"age":1.5}`, attr: "age", want: Invalid},
		{name: "number for a string", row: `{"country":5}`, attr: "country", want: Invalid},
		{name: "null is absent", row: `{"country":null}`, attr: "country", want: Absent},
		{name: "mixed list", row: `{"tags":["a",1]}`, attr: "tags", want: Invalid},
		{name: "object for a list", row: `{"tags":{}}`, attr: "tags", want: Invalid},
		{name: "year 1", row: `{"signedUpAt":"0001-01-01T00:00:00Z"}`, attr: "signedUpAt", want: Invalid},
		{name: "value where an object is nested", row: `{"address":5}`, attr: "address.city", want: Absent},
		{name: "ten thousand levels", row: `{"country":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`, attr: "age", want: Invalid, broken: true},
		{name: "not an object", row: `[1]`, attr: "age", want: Invalid, broken: true},
		{name: "not JSON", row: `{`, attr: "age", want: Invalid, broken: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b Builder
			b.Reset(schema, Key{"shop", "u"}, hlc.Timestamp{})
			b.Email("a@example.com")
			b.Attributes([]byte(c.row))
			b.Event("purchase", 1, []byte(`{`))
			s := b.Build()
			if got := s.State(slot(t, schema, c.attr)); got != c.want || s.Broken != c.broken {
				t.Errorf("state of %s is %d, broken %t; want %d, %t", c.attr, got, s.Broken, c.want, c.broken)
			}
			if s.State(SlotEmail) != Present {
				t.Error("the e-mail was lost with the attribute")
			}
		})
	}
}

func TestCutTypesSaySinceWhenTheyAreComplete(t *testing.T) {
	schema := shopSchema(t)
	var b Builder
	b.Reset(schema, Key{"shop", "u"}, hlc.Timestamp{})
	b.Event("purchase", 300, nil)
	b.Truncated("purchase", 250)
	b.Truncated(EventClick, 10)
	s := b.Build()
	purchase, _ := schema.EventType("purchase")
	click, _ := schema.EventType(EventClick)
	if got := s.Events(purchase.Slot).Since(); got != 250 {
		t.Errorf("since of purchase is %d, want 250", got)
	}
	if e := s.Events(click.Slot); e.Since() != 10 || e.Len() != 0 || e.Has(0, 0) {
		t.Errorf("since of click is %d with %d events, want 10 with none", e.Since(), e.Len())
	}
}

func TestBytesPerUserStayWithinTheGoal(t *testing.T) {
	schema := NewSchema()
	var row strings.Builder
	row.WriteByte('{')
	for i := range 40 {
		kind, value := String, fmt.Sprintf(`"value-%d"`, i)
		if i%2 == 0 {
			kind, value = Double, fmt.Sprint(i)
		}
		name := fmt.Sprintf("attribute%d", i)
		var err error
		if schema, err = schema.WithAttribute(name, Type{Kind: kind}, false); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			row.WriteByte(',')
		}
		fmt.Fprintf(&row, "%q:%s", name, value)
	}
	row.WriteByte('}')
	schema, err := schema.WithEventType("purchase", map[string]Type{"total": {Kind: Double}, "category": {Kind: String}, "items": {Kind: Int}})
	if err != nil {
		t.Fatal(err)
	}
	var b Builder
	b.Reset(schema, Key{"shop", "user-000001"}, hlc.Timestamp{})
	b.Attributes([]byte(row.String()))
	for i := range 50 {
		b.Event("purchase", int64(i), []byte(`{"total":19.5,"category":"garden tools","items":2}`))
	}
	s := b.Build()
	t.Logf("40 attributes and 50 events of 3 properties: %d bytes", s.SizeBytes())
	if s.SizeBytes() > 1<<10 {
		t.Errorf("a user costs %d bytes, want at most 1024", s.SizeBytes())
	}
}

func BenchmarkBuild(b *testing.B) {
	schema := shopSchema(b)
	row := []byte(`{"country":"DE","age":41,"lifetimeValue":120.5,"vip":true,"signedUpAt":"2026-01-02T03:04:05Z","tags":["a","b"]}`)
	props := []byte(`{"total":19.5,"category":"garden tools","items":2}`)
	var builder Builder
	b.ReportAllocs()
	for b.Loop() {
		builder.Reset(schema, Key{"shop", "u"}, hlc.Timestamp{Wall: 1})
		builder.Attributes(row)
		for i := range 50 {
			builder.Event("purchase", int64(i), props)
		}
		builder.Build()
	}
}

func TestNamesOfTheEngineAreReserved(t *testing.T) {
	for _, name := range []string{"embedded_", "embedded_view", EventClick} {
		schema := shopSchema(t)
		_, err := schema.WithEventType(name, map[string]Type{"total": {Kind: Double}})
		if !errors.Is(err, ErrReserved) {
			t.Errorf("event type %q: %v, want ErrReserved", name, err)
		}
	}
}
