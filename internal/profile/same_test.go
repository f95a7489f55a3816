package profile

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"eligibility/internal/hlc"
)

// person is a row that a test builds snapshots from.
type person struct {
	missing    bool
	attributes string
	email      string
	events     []deed
	since      int64
}

type deed struct {
	at         int64
	properties string
}

func (p person) build(schema *Schema) *Snapshot {
	var b Builder
	b.Reset(schema, Key{"shop", "u"}, hlc.Timestamp{Wall: 1000})
	if !p.missing {
		b.Found()
		b.Email(p.email)
		b.Attributes([]byte(p.attributes))
	}
	for _, e := range p.events {
		b.Event("purchase", e.at, []byte(e.properties))
	}
	if p.since != 0 {
		b.Truncated("purchase", p.since)
	}
	return b.Build()
}

func TestDifferenceNamesWhereSnapshotsDiffer(t *testing.T) {
	base := person{
		attributes: `{"country":"DE","age":41,"tags":["a","b"],"scores":{"x":1.5},"address":{"city":"Köln"}}`,
		email:      "ada@example.com",
		events:     []deed{{100, `{"total":1,"category":"tools"}`}, {200, `{"total":2}`}, {200, `{"total":3}`}},
	}
	for _, tt := range []struct {
		name   string
		change func(*person)
		want   string
	}{
		{"nothing", func(*person) {}, ""},
		{"text before it in memory", func(p *person) {
			p.attributes = `{"undeclared":"x","country":"DE","age":41,"tags":["a","b"],"scores":{"x":1.5},"address":{"city":"Köln"}}`
		}, ""},
		{"events of one instant in another order", func(p *person) { p.events[1], p.events[2] = p.events[2], p.events[1] }, ""},
		{"an event older than what counts", func(p *person) { p.events = append(p.events, deed{at: 40}) }, ""},
		{"no row", func(p *person) { p.missing = true }, "profile"},
		{"a row that cannot be read", func(p *person) { p.attributes = `{` }, "readable profile"},
		{"another e-mail", func(p *person) { p.email = "ben@example.com" }, "attribute email"},
		{"another number", func(p *person) {
			p.attributes = `{"country":"DE","age":42,"tags":["a","b"],"scores":{"x":1.5},"address":{"city":"Köln"}}`
		}, "attribute age"},
		{"an unusable value", func(p *person) {
			p.attributes = `{"country":5,"age":41,"tags":["a","b"],"scores":{"x":1.5},"address":{"city":"Köln"}}`
		}, "attribute country"},
		{"a longer list", func(p *person) {
			p.attributes = `{"country":"DE","age":41,"tags":["a","b","c"],"scores":{"x":1.5},"address":{"city":"Köln"}}`
		}, "attribute tags"},
		{"another element", func(p *person) {
			p.attributes = `{"country":"DE","age":41,"tags":["a","x"],"scores":{"x":1.5},"address":{"city":"Köln"}}`
		}, "attribute tags"},
		{"another key of a map", func(p *person) {
			p.attributes = `{"country":"DE","age":41,"tags":["a","b"],"scores":{"y":1.5},"address":{"city":"Köln"}}`
		}, "attribute scores"},
		{"another value of a map", func(p *person) {
			p.attributes = `{"country":"DE","age":41,"tags":["a","b"],"scores":{"x":2.5},"address":{"city":"Köln"}}`
		}, "attribute scores"},
		{"one event less", func(p *person) { p.events = p.events[:2] }, "events purchase"},
		{"an event at another time", func(p *person) { p.events[0].at = 101 }, "events purchase"},
		{"another property", func(p *person) { p.events[0].properties = `{"total":1,"category":"garden"}` }, "events purchase"},
		{"a property less", func(p *person) { p.events[0].properties = `{"total":1}` }, "events purchase"},
		{"cut after the event that differs", func(p *person) { p.events, p.since = p.events[1:], 150 }, ""},
		{"cut before the event that differs", func(p *person) { p.events, p.since = p.events[1:], 90 }, "events purchase"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			schema := shopSchema(t)
			other := base
			other.events = append([]deed(nil), base.events...)
			tt.change(&other)
			a, b := base.build(schema), other.build(schema)
			if got := Difference(schema, a, b, 50); got != tt.want {
				t.Errorf("Difference is %q, want %q", got, tt.want)
			}
			if got := Difference(schema, b, a, 50); got != tt.want {
				t.Errorf("the other way round it is %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTheSameRowsInAnyOrderDoNotDiffer(t *testing.T) {
	schema := shopSchema(t)
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		p := person{attributes: `{}`}
		for range random.IntN(12) {
			p.events = append(p.events, deed{int64(random.IntN(5)), fmt.Sprintf(`{"total":%d,"items":%d}`, random.IntN(3), random.IntN(3))})
		}
		a := p.build(schema)
		random.Shuffle(len(p.events), func(i, j int) { p.events[i], p.events[j] = p.events[j], p.events[i] })
		if where := Difference(schema, a, p.build(schema), 0); where != "" {
			t.Fatalf("%v differs in %s", p.events, where)
		}
	}
}
