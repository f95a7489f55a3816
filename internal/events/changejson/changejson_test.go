package changejson

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
)

const (
	stampText = "1795376411571640292.0000000003"
	at        = `"updated": "` + stampText + `"}`
)

func stamp() hlc.Timestamp { return hlc.Timestamp{Wall: 1795376411571640292, Logical: 3} }

func TestRow(t *testing.T) {
	tenth := strings.Repeat(`{"updated": "9.0000000000", "resolved": "9.0000000000", "s": "\"updated\": \"9.0000000000\"}"},`, 2000)
	cases := []struct {
		name, table, key, value string
		want                    events.Change
		err                     error
	}{
		{"profile", "profiles", `["acme", "u1"]`, `{"after": {"a": 1}, ` + at, events.Change{Table: events.TableProfile, Project: "acme", Key: "u1", At: stamp()}, nil},
		{"deleted", "profiles", `["acme", "u1"]`, `{"after": null, ` + at, events.Change{Table: events.TableProfile, Project: "acme", Key: "u1", At: stamp()}, nil},
		{
			"full name", "eligibility.public.user_events", `["acme", "u1", "e"]`, `{"after": {}, ` + at,
			events.Change{Table: events.TableProfile, Project: "acme", Key: "u1", At: stamp()},
			nil,
		},
		{
			"escapes in the key", "profiles", `["acme", "u\"\\\u0001日"]`, `{"after": {}, ` + at,
			events.Change{Table: events.TableProfile, Project: "acme", Key: "u\"\\\x01日", At: stamp()},
			nil,
		},
		{
			"shard in front", "api_keys", `[5, "acme", "k"]`, `{"after": {}, ` + at,
			events.Change{Table: events.TableAccessKey, Project: "acme", Key: "k", At: stamp()},
			nil,
		},
		{
			"region in front", "emails", `["us-east1", "acme", "a@b"]`, `{"after": {}, ` + at,
			events.Change{Table: events.TableEmail, Project: "acme", Key: "a@b", At: stamp()},
			nil,
		},
		{"ruleset", "rulesets", `["acme"]`, `{"after": {}, ` + at, events.Change{Table: events.TableRuleset, Project: "acme", At: stamp()}, nil},
		{
			"200 kB with its own members of the name", "profiles", `["acme", "u1"]`, `{"after": {"attrs": [` + tenth + `0]}, "mvcc_timestamp": "8.0000000000", ` + at,
			events.Change{Table: events.TableProfile, Project: "acme", Key: "u1", At: stamp()},
			nil,
		},
		{
			"members behind", "profiles", `["acme", "u1"]`, `{"after": {}, "updated" : "` + stampText + `" , "x": -1.5E+7, "y": null, "z": true } `,
			events.Change{Table: events.TableProfile, Project: "acme", Key: "u1", At: stamp()},
			nil,
		},
		{
			"an object behind", "profiles", `["acme", "u1"]`, `{"after": {}, "updated": "` + stampText + `", "x": {"updated": "1.0000000000"}}`,
			events.Change{Table: events.TableProfile, Project: "acme", Key: "u1", At: stamp()},
			nil,
		},
		{"only a nested stamp", "profiles", `["acme", "u1"]`, `{"after": {"updated": "1.0000000000"}}`, events.Change{}, ErrUndated},
		{"a nested stamp at the very end", "profiles", `["acme", "u1"]`, `{"after": {` + at + `}`, events.Change{}, ErrUndated},
		{"a stamp that is none", "profiles", `["acme", "u1"]`, `{"updated": "yesterday"}`, events.Change{}, ErrUndated},
		{"a number", "profiles", `["acme", "u1"]`, `{"updated": 1795376411571640292.0000000003}`, events.Change{}, ErrUndated},
		{"no value", "profiles", `["acme", "u1"]`, ``, events.Change{}, ErrUndated},
		{"NULL key", "profiles", ``, `{"after": null, ` + at, events.Change{At: stamp()}, ErrUntold},
		{"too short", "profiles", `["acme"]`, `{"after": null, ` + at, events.Change{At: stamp()}, ErrUntold},
		{"too long", "profiles", `[1, 2, "acme", "u1"]`, `{"after": null, ` + at, events.Change{At: stamp()}, ErrUntold},
		{"a number for a user", "profiles", `["acme", 7]`, `{"after": null, ` + at, events.Change{At: stamp()}, ErrUntold},
		{"null for a user", "profiles", `["acme", null]`, `{"after": null, ` + at, events.Change{At: stamp()}, ErrUntold},
		{"another table", "orders", `["acme", "u1"]`, `{"after": null, ` + at, events.Change{At: stamp()}, ErrUntold},
	}
	d := New(Tables())
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := d.Row(c.table, []byte(c.key), []byte(c.value))
			if got != c.want || !errors.Is(err, c.err) {
				t.Errorf("got %+v, %v; want %+v, %v", got, err, c.want, c.err)
			}
		})
	}
}

func TestResolved(t *testing.T) {
	cases := []struct {
		name, value string
		want        hlc.Timestamp
		err         error
	}{
		{"plain", `{"resolved":"` + stampText + `"}`, stamp(), nil},
		{"nested", `{"__crdb__":{"resolved":"` + stampText + `"}}`, stamp(), nil},
		{"greatest logical", `{"resolved":"1.2147483647"}`, hlc.Timestamp{Wall: 1, Logical: hlc.MaxLogical}, nil},
		{"a row", `{"after":null}`, hlc.Timestamp{}, ErrMessage},
		{"empty", ``, hlc.Timestamp{}, ErrMessage},
		{"no stamp", `{"resolved":"soon"}`, hlc.Timestamp{}, ErrMessage},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got, err := Resolved([]byte(c.value)); got != c.want || !errors.Is(err, c.err) {
				t.Errorf("got %v, %v; want %v, %v", got, err, c.want, c.err)
			}
		})
	}
}

func TestDelivery(t *testing.T) {
	profile := events.Change{Table: events.TableProfile, Project: "acme", Key: "u1", At: stamp()}
	row := `{"after":{"payload":[1]},"key":["acme","u1"],"topic":"profiles","updated":"` + stampText + `"}`
	cases := []struct {
		name, body string
		changes    []events.Change
		resolved   hlc.Timestamp
		err        error
	}{
		{"rows", `{"payload":[` + row + `,` + row + `],"length":2}`, []events.Change{profile, profile}, hlc.Timestamp{}, nil},
		{"no rows", `{"payload":[],"length":0}`, nil, hlc.Timestamp{}, nil},
		{"resolved", `{"resolved":"` + stampText + `"}`, nil, stamp(), nil},
		{"a row that cannot be told", `{"payload":[{"key":null,"topic":"profiles","updated":"` + stampText + `"}]}`, []events.Change{{At: stamp()}}, hlc.Timestamp{}, nil},
		{"a row without a stamp", `{"payload":[{"key":["acme","u1"],"topic":"profiles"}]}`, []events.Change{{}}, hlc.Timestamp{}, nil},
		{"another table", `{"payload":[{"key":["acme","u1"],"topic":"orders","updated":"` + stampText + `"}]}`, []events.Change{{At: stamp()}}, hlc.Timestamp{}, nil},
		{"something else", `{"hello":1}`, nil, hlc.Timestamp{}, ErrMessage},
		{"cut", `{"payload":[` + row, nil, hlc.Timestamp{}, ErrMessage},
		{"an array", `[]`, nil, hlc.Timestamp{}, ErrMessage},
		{"nothing", ``, nil, hlc.Timestamp{}, ErrMessage},
	}
	d := New(Tables())
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := d.Delivery([]byte(c.body))
			if !errors.Is(err, c.err) || got.Resolved != c.resolved || len(got.Changes) != len(c.changes) {
				t.Fatalf("got %+v, %v; want %v, %v, %v", got, err, c.changes, c.resolved, c.err)
			}
			for i := range c.changes {
				if got.Changes[i] != c.changes[i] {
					t.Errorf("change %d: got %+v, want %+v", i, got.Changes[i], c.changes[i])
				}
			}
		})
	}
}

// FuzzUpdated compares reading from the end with decoding everything.
func FuzzUpdated(f *testing.F) {
	f.Add(`{"after": {}, "updated": "1.0000000000"}`)
	f.Add(`{"after": null, "updated": "\u0031.0000000000", "x": "\\"}`)
	f.Add(`{"\u0075pdated": "2.0000000000", "a": "\\\""}`)
	f.Add(`{"updated": "1.0000000000", "a\"updated": "2", "x": [1]}`)
	f.Add(`{"updated": 1, "updated": "1.0000000000"}`)
	f.Add(`{"a": "\\", "updated": "1"}`)
	f.Fuzz(func(t *testing.T, value string) {
		if !json.Valid([]byte(value)) {
			return
		}
		fast, ok := lastly([]byte(value))
		if !ok {
			return // the slow way decides
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(value), &members); err != nil {
			t.Fatalf("%q: found %q in no object", value, fast)
		}
		var text string
		if err := json.Unmarshal(members["updated"], &text); err != nil || text != strings.ToValidUTF8(string(fast), "\uFFFD") && text != string(fast) {
			t.Errorf("%q: found %q, want %q, %v", value, fast, text, err)
		}
	})
}

func BenchmarkRow(b *testing.B) {
	d := New(Tables())
	key := []byte(`["acme", "user-000001"]`)
	for name, image := range map[string]string{"100B": strings.Repeat("x", 100), "200kB": strings.Repeat("x", 200<<10)} {
		value := []byte(`{"after": {"attrs": "` + image + `"}, ` + at)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Row("profiles", key, value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
