package workload

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"eligibility/internal/profile"
)

// What users have: the attributes that rules read.
const (
	wholes  = 5
	reals   = 4
	flags   = 4
	lists   = 2
	tags    = 200
	cohorts = 2000
)

// field is a text attribute and how many values it takes.
type field struct {
	name   string
	values int
}

func (f field) value(rank int) string { return fmt.Sprintf("%s-%d", f.name, rank) }

var texts = [...]field{
	{"country", 60}, {"plan", 4}, {"language", 25}, {"city", 500}, {"device", 6}, {"store", 200}, {"tier", 5}, {"source", 30},
}

var eventTypes = [...]string{"view", "cart_added", "purchase", "search", "login", "refund"}

func newSchema(extra int) (*profile.Schema, error) {
	type declared struct{ name, typ string }
	var all []declared
	for _, f := range texts {
		all = append(all, declared{f.name, "string"})
	}
	for _, numbered := range []struct {
		name, typ string
		n         int
	}{{"whole", "int", wholes}, {"real", "double", reals}, {"flag", "bool", flags}, {"tags", "list<string>", lists}, {"extra", "string", extra}} {
		for i := range numbered.n {
			all = append(all, declared{fmt.Sprintf("%s%d", numbered.name, i), numbered.typ})
		}
	}
	s := profile.NewSchema()
	for _, a := range append(all, declared{"cohort", "string"}) {
		typ, err := profile.ParseType(a.typ)
		if err != nil {
			return nil, fmt.Errorf("type of %s: %w", a.name, err)
		}
		if s, err = s.WithAttribute(a.name, typ, false); err != nil {
			return nil, fmt.Errorf("declare %s: %w", a.name, err)
		}
	}
	for _, name := range eventTypes {
		var err error
		properties := map[string]profile.Type{"total": {Kind: profile.Double}, "qty": {Kind: profile.Int}, "kind": {Kind: profile.String}}
		if s, err = s.WithEventType(name, properties); err != nil {
			return nil, fmt.Errorf("declare %s: %w", name, err)
		}
	}
	return s, nil
}

// user draws a user. One in ten lacks each attribute.
func (d *draw) user(i int) User {
	attributes := make(map[string]any)
	set := func(name string, value any) {
		if d.IntN(10) != 0 {
			attributes[name] = value
		}
	}
	for _, f := range texts {
		set(f.name, f.value(d.zipf(f.values)))
	}
	for i := range wholes {
		set(fmt.Sprintf("whole%d", i), d.IntN(100))
	}
	for i := range reals {
		set(fmt.Sprintf("real%d", i), float64(d.IntN(100_000))/100)
	}
	for i := range flags {
		set(fmt.Sprintf("flag%d", i), d.IntN(2) == 0)
	}
	for i := range lists {
		list := []string{}
		for range d.IntN(8) {
			list = append(list, fmt.Sprintf("tag-%d", d.zipf(tags)))
		}
		set(fmt.Sprintf("tags%d", i), list)
	}
	for i := range d.c.Extra {
		set(fmt.Sprintf("extra%d", i), fmt.Sprintf("value-%d", d.IntN(1000)))
	}
	attributes["cohort"] = fmt.Sprintf("cohort-%d", d.IntN(cohorts))
	text, err := json.Marshal(attributes)
	if err != nil {
		text = []byte("{}") // maps of strings and finite numbers always encode
	}
	u := User{ID: fmt.Sprintf("user-%06d", i), Attributes: string(text)}
	for range d.c.Events {
		u.Events = append(u.Events, Event{
			Name: eventTypes[d.zipf(len(eventTypes))], At: d.c.Now.Add(-time.Duration(d.Int64N(int64(30 * 24 * time.Hour)))),
			Properties: fmt.Sprintf(`{"total":%d.5,"qty":%d,"kind":"kind-%d"}`, d.IntN(200), 1+d.IntN(5), d.zipf(10)),
		})
	}
	slices.SortFunc(u.Events, func(x, y Event) int { return x.At.Compare(y.At) })
	return u
}
