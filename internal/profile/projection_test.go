package profile

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"eligibility/internal/hlc"
)

// built is a user as the builder makes him of what only asks for.
func built(schema *Schema, only *Projection, attributes string) *Snapshot {
	var b Builder
	b.Reset(schema, Key{"shop", "u"}, hlc.Timestamp{Wall: 7})
	b.Only(only)
	b.Found()
	b.Email("a@example.com")
	b.TimeZone("UTC")
	b.Consent("push", true)
	b.Consent("email", true)
	b.Attributes([]byte(attributes))
	b.Event("purchase", 2, []byte(`{"total":5,"category":"shoes"}`))
	b.Event(EventSend, 3, []byte(`{"promotion":"p","channel":"push"}`))
	b.Truncated("purchase", 1)
	b.Truncated(EventSend, 1)
	return b.Build()
}

func TestAProjectionLeavesTheRestOut(t *testing.T) {
	schema := shopSchema(t)
	const attributes = `{"age":41,"country":"DE","devices":[{"token":"x","endpointEnabled":true}],"address":{"city":"Bonn","geo":{"lat":50.9}},"tags":["a"]}`
	purchase, _ := schema.EventType("purchase")
	sends, _ := schema.EventType(EventSend)
	only := NewProjection(schema)
	only.Attribute(slot(t, schema, "age"))
	only.Attribute(slot(t, schema, "address.geo.lat"))
	only.Attribute(SlotConsent(slices.Index(Channels, "push")))
	only.EventTimes(purchase.Slot)
	if got := strings.Join(only.Members(), " "); got != "address address.geo address.geo.lat age" {
		t.Errorf("members %s", got)
	}
	s := built(schema, only, attributes)
	var there []string
	for i := range schema.Attributes {
		if s.State(i) != Absent {
			there = append(there, schema.Attributes[i].Name)
		}
	}
	if got := strings.Join(there, " "); got != "consent.push age address.geo.lat" || s.Devices != 0 || !s.Found || !s.Partial {
		t.Errorf("there is %s, %d devices, found %v, partial %v", got, s.Devices, s.Found, s.Partial)
	}
	if e := s.Events(purchase.Slot); e.Len() != 1 || e.At(0) != 2 || e.Since() != 1 || e.Has(0, 0) || e.Has(0, 1) || e.Has(0, 2) {
		t.Errorf("purchases: %d of them, since %d", e.Len(), e.Since())
	}
	if e := s.Events(sends.Slot); e.Len() != 0 || e.Since() != 0 {
		t.Errorf("sends: %d of them, since %d", e.Len(), e.Since())
	}
	only.Devices()
	only.Events(sends.Slot)
	only.EventTimes(sends.Slot) // less than what is read already
	s = built(schema, only, attributes)
	if e := s.Events(sends.Slot); s.Devices != 1 || e.Len() != 1 || e.String(0, PropSendChannel) != "push" || e.Since() != 1 {
		t.Errorf("%d devices, %d sends", s.Devices, e.Len())
	}
	for name, all := range map[string]*Projection{"none": nil, "everything": func() *Projection { p := NewProjection(schema); p.Everything(); return p }()} {
		if whole := built(schema, all, attributes); whole.Partial || Difference(schema, whole, built(schema, nil, attributes), 0) != "" {
			t.Errorf("%s: %+v", name, whole)
		}
	}
}

// TestAMemberThatIsTooDeepIsInvalidByItself is why those who leave members out find in the others what everybody finds.
func TestAMemberThatIsTooDeepIsInvalidByItself(t *testing.T) {
	schema := shopSchema(t)
	deep := strings.Repeat("[", 400) + strings.Repeat("]", 400)
	for _, c := range []struct {
		name, attributes, invalid string
	}{
		{"undeclared", `{"age":41,"other":` + deep + `,"country":"DE"}`, ""},
		{"an attribute", `{"age":41,"tags":` + deep + `,"country":"DE"}`, "tags"},
		{"the object of nested attributes", `{"age":41,"address":{"city":` + deep + `},"country":"DE"}`, "address.city address.geo.lat"},
		{"devices", `{"age":41,"devices":` + deep + `,"country":"DE"}`, ""},
	} {
		s := built(schema, nil, c.attributes)
		var invalid []string
		for i := range schema.Attributes {
			if s.State(i) == Invalid {
				invalid = append(invalid, schema.Attributes[i].Name)
			}
		}
		if got := strings.Join(invalid, " "); got != c.invalid || s.Broken || s.Int(slot(t, schema, "age")) != 41 || s.String(slot(t, schema, "country")) != "DE" {
			t.Errorf("%s: invalid %q, want %q; broken %v", c.name, got, c.invalid, s.Broken)
		}
	}
	for _, broken := range []string{`{"age":41,"other":` + deep, `{"age":` + deep + `}}`, deep, fmt.Sprintf(`{"age":41,"x":%s,"y":01}`, deep)} {
		if s := built(schema, nil, broken); !s.Broken {
			t.Errorf("%.20s… is not broken", broken)
		}
	}
}
