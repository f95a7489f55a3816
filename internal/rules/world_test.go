package rules

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

// worldRetention is how long the users of the generated world keep their events.
const worldRetention = 30 * 24 * time.Hour

// worldSchema has an attribute of every kind and shape, nested ones among them, and three event types.
func worldSchema(t testing.TB) *profile.Schema {
	t.Helper()
	s := profile.NewSchema()
	for _, a := range []string{
		"country string", "name string", "age int", "big int", "spent double", "vip bool", "seen timestamp", "tags list<string>", "sizes list<int>",
		"weights list<double>", "flags list<bool>", "visits list<timestamp>", "scores map<string,double>", "counts map<string,int>",
		"words map<string,string>", "address.city string", "address.geo.zip int",
	} {
		name, kind, _ := strings.Cut(a, " ")
		typ, err := profile.ParseType(kind)
		if err != nil {
			t.Fatal(err)
		}
		if s, err = s.WithAttribute(name, typ, false); err != nil {
			t.Fatal(err)
		}
	}
	for name, properties := range map[string]map[string]profile.Type{
		"buy": {
			"total": {Kind: profile.Double}, "qty": {Kind: profile.Int}, "kind": {Kind: profile.String}, "gift": {Kind: profile.Bool},
			"due": {Kind: profile.Timestamp},
		},
		"view": {"page": {Kind: profile.String}}, "cart updated": {},
	} {
		var err error
		if s, err = s.WithEventType(name, properties); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

var worldContext = []ContextField{
	{Name: "platform", Type: profile.Type{Kind: profile.String}},
	{Name: "beta", Type: profile.Type{Kind: profile.Bool}},
	{Name: "width", Type: profile.Type{Kind: profile.Int}},
	{Name: "scale", Type: profile.Type{Kind: profile.Double}},
	{Name: "appVersion", Type: profile.Type{Kind: profile.String}},
	{Name: "since", Type: profile.Type{Kind: profile.Timestamp}},
}

// bases are instants around which the world happens: an ordinary one, and some just before a clock somewhere is put forward or back, or a
// day, a month or a year ends.
func bases() []int64 {
	var out []int64
	for _, text := range []string{
		"2026-06-18T12:00:00Z", "2026-03-08T06:59:50Z", "2026-11-01T05:59:30Z", "2026-10-25T00:59:55Z", "2026-04-04T14:59:59.5Z",
		"2026-10-03T15:29:58Z", "2026-06-18T18:29:59.999999999Z", "2026-12-31T23:59:40Z", "2028-02-28T23:59:59Z",
	} {
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			panic(err)
		}
		out = append(out, at.UnixNano())
	}
	return out
}

// person is a user as a store would have one.
type person struct {
	base       int64
	zone       string
	email      string
	consent    map[string]bool
	attributes map[string]string // JSON by dotted name
	broken     bool              // the stored row is no JSON
	events     []happened
	keep       map[string]int // how many events of a type a snapshot holds; the newest
	context    []ContextValue
	channel    string
}

type happened struct {
	name       string
	at         int64
	properties string
}

// snapshot is the person as it is loaded, or with everything that ever happened.
func (p *person) snapshot(schema *profile.Schema, whole bool) *profile.Snapshot {
	return p.part(schema, whole, nil)
}

// part is the snapshot of what only asks for.
func (p *person) part(schema *profile.Schema, whole bool, only *profile.Projection) *profile.Snapshot {
	var b profile.Builder
	b.Reset(schema, profile.Key{Project: "p", User: "u"}, hlc.Timestamp{Wall: p.base})
	b.Only(only)
	b.Found()
	b.Email(p.email)
	b.TimeZone(p.zone)
	for channel, given := range p.consent {
		b.Consent(channel, given)
	}
	if p.broken {
		b.Attributes([]byte("?"))
	} else {
		b.Attributes([]byte(objectJSON(p.attributes)))
	}
	newest := slices.Clone(p.events)
	slices.SortStableFunc(newest, func(x, y happened) int { return int(min(max(y.at-x.at, -1), 1)) })
	kept := make(map[string]int)
	cut := make(map[string]bool)
	var stored []happened
	for _, e := range newest {
		if limit, limited := p.keep[e.name]; limited && !whole && kept[e.name] == limit {
			if !cut[e.name] {
				b.Truncated(e.name, e.at+1)
			}
			cut[e.name] = true
			continue
		}
		kept[e.name]++
		stored = append(stored, e)
	}
	slices.Reverse(stored)
	for _, e := range stored {
		b.Event(e.name, e.at, []byte(e.properties))
	}
	return b.Build()
}

func (p *person) input(schema *profile.Schema, whole bool) *Input {
	return &Input{
		Snapshot: p.snapshot(schema, whole), Context: p.context, Channel: p.channel, Now: p.base, Retention: int64(worldRetention),
	}
}

func objectJSON(attributes map[string]string) string {
	object := make(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		nest(object, name, []byte(attributes[name]))
	}
	return nestedJSON(object)
}

func nestedJSON(object map[string]any) string {
	var items []string
	for _, name := range slices.Sorted(maps.Keys(object)) {
		switch v := object[name].(type) {
		case map[string]any:
			items = append(items, stringJSON(name)+":"+nestedJSON(v))
		default:
			items = append(items, stringJSON(name)+":"+fmt.Sprintf("%s", v))
		}
	}
	return "{" + strings.Join(items, ",") + "}"
}

// world draws rules and users.
type world struct{ *rand.Rand }

func newWorld(seed uint64) world { return world{rand.New(rand.NewPCG(seed, 1))} }

func pick[T any](w world, from ...T) T { return from[w.IntN(len(from))] }

func (w world) one(of int) bool { return w.IntN(of) == 0 }

// ago is a distance at which windows of the rules have their edges, or near one.
func (w world) ago() time.Duration {
	near := pick(w, 0, 10*time.Second, time.Minute, time.Hour, 24*time.Hour, 7*24*time.Hour, worldRetention)
	return near + pick(w, 0, 0, -1, 1, time.Second, -time.Second, 17*time.Minute)
}

func (w world) person() *person {
	p := &person{
		base: pick(w, bases()...), channel: pick(w, "push", "embedded", ""), attributes: make(map[string]string), keep: make(map[string]int),
		zone: pick(w, "", "UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Nowhere/At_All"), email: pick(w, "", "a@b.example"),
		consent: make(map[string]bool), broken: w.one(60),
	}
	if w.one(2) {
		p.consent["push"] = w.one(2)
	}
	values := map[string][]string{
		"country":         {`"US"`, `"DE"`, `""`, `"Łódź"`, `"e\u0301"`, `"é"`, `5`, "null"},
		"name":            {`"Zoë"`, `"ﬀ"`, `"𝛼😀"`, `"\u0000"`, `"a b"`, `"'"`, `"US"`},
		"age":             {"0", "2", "3", "20", "60", "-1", "1.5", `"old"`, "19"},
		"big":             {"9007199254740993", "9007199254740992", "9223372036854775807", "-9223372036854775808", "9223372036854775806", "1e3"},
		"spent":           {"0", "-0.0", "2.5", "3", "1e308", "-1e308", "9007199254740992.0", "5e-324", "100.00000000000001", "true"},
		"vip":             {"true", "false", "1"},
		"seen":            {w.stamp(p.base), w.stamp(p.base), w.stamp(p.base), `"1700-01-01T00:00:00Z"`, `"2249-12-31T23:59:59.999999999Z"`, `"soon"`},
		"tags":            {`["a","b"]`, `[]`, `[1]`, `["Łódź"]`, `["a","a","a"]`},
		"sizes":           {`[1,2,3]`, `[]`, `[9007199254740993]`, `[-1]`, `[0,0]`},
		"weights":         {`[1.5]`, `[]`, `[-0.0,0]`, `[1e308,1e308]`},
		"flags":           {`[true,false]`, `[]`, `[true]`},
		"visits":          {"[" + w.stamp(p.base) + "]", `[]`},
		"scores":          {`{"a":1,"b":2.5}`, `{}`, `{"k":-0.0}`, `{"a":"x"}`, `[]`},
		"counts":          {`{"a":1}`, `{"k":9007199254740993}`, `{}`},
		"words":           {`{"a":"US"}`, `{"k":"é"}`, `{}`},
		"address.city":    {`"Bonn"`, `"Łódź"`, `7`},
		"address.geo.zip": {"53111", "0", `"x"`},
	}
	for _, name := range slices.Sorted(maps.Keys(values)) { // in order, so that a seed means one world
		if !w.one(4) {
			p.attributes[name] = pick(w, values[name]...)
		}
	}
	for range w.IntN(9) {
		name := pick(w, "buy", "buy", "buy", "view", "cart updated")
		p.events = append(p.events, happened{name: name, at: p.base - int64(w.ago())*pick(w, int64(1), 1, 1, -1), properties: w.properties(name, p.base)})
	}
	if w.one(2) {
		p.keep[pick(w, "buy", "view")] = w.IntN(3)
	}
	if !w.one(5) {
		p.context = w.context(p.base)
	}
	return p
}

func (w world) stamp(base int64) string {
	return stringJSON(time.Unix(0, base+int64(w.ago())*pick(w, int64(1), -1)).UTC().Format(time.RFC3339Nano))
}

func (w world) properties(event string, base int64) string {
	var items []string
	add := func(name string, values ...string) {
		if !w.one(4) {
			items = append(items, stringJSON(name)+":"+pick(w, values...))
		}
	}
	switch event {
	case "buy":
		add("total", "1.5", "3", "0.1", "-0.0", "1e308", `"x"`)
		add("qty", "1", "2", "9223372036854775807", "-3", "1.5")
		add("kind", `"tools"`, `"Łódź"`, `""`)
		add("gift", "true", "false")
		add("due", w.stamp(base))
	case "view":
		add("page", `"/"`, `"/cart"`)
	}
	return "{" + strings.Join(items, ",") + "}"
}

func (w world) context(base int64) []ContextValue {
	set := func(text string, bits uint64) ContextValue {
		return ContextValue{Set: !w.one(4), Text: text, Bits: bits}
	}
	return []ContextValue{
		set(pick(w, "ios", "android", ""), 0), set("", uint64(w.IntN(2))), set("", pick(w, uint64(0), 390, 1<<63-1)),
		set("", pick(w, uint64(0), 1<<63, 0x4004000000000000)), set(pick(w, "5.2.0", "5.2", "5.10.1-beta", "x", ""), 0), set("", uint64(base-int64(w.ago()))),
	}
}
