package embedded

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMergeAttributes(t *testing.T) {
	for _, c := range []struct {
		name, old, update, want string
	}{
		{name: "into nothing", old: "", update: `{"b":1,"a":2}`, want: `{"a":2,"b":1}`},
		{name: "nothing into nothing", old: "", update: `{}`, want: `{}`},
		{name: "nothing into something", old: `{"a":1}`, update: `{}`, want: `{"a":1}`},
		{name: "null alone", old: "", update: `{"a":null}`, want: `{}`},
		{name: "all are removed", old: `{"a":1,"b":2}`, update: `{"a":null,"b":null}`, want: `{}`},
		{name: "an object is replaced, not merged", old: `{"a":{"x":1,"y":2}}`, update: `{"a":{"y":3}}`, want: `{"a":{"y":3}}`},
		{name: "a nested null stays", old: ``, update: `{"a":{"x":null}}`, want: `{"a":{"x":null}}`},
		{name: "white space goes, spelling stays", old: ``, update: `{"a": [ 1.0 , "\u00e9" ] }`, want: `{"a":[1.0,"\u00e9"]}`},
		{name: "names with escapes", old: `{"q\"uote":1}`, update: `{"q\"uote":2,"new\n":3}`, want: `{"new\n":3,"q\"uote":2}`},
		{name: "a row in foreign order", old: `{"z":1, "a":2}`, update: `{"m":3}`, want: `{"a":2,"m":3,"z":1}`},
		{name: "a row with a repeated name", old: `{"b":1,"a":1,"b":2}`, update: `{"m":{}}`, want: `{"a":1,"b":2,"m":{}}`},
		{name: "a repeated name is replaced whole", old: `{"b":1,"a":1,"b":2}`, update: `{"b":null}`, want: `{"a":1}`},
		{name: "a row that is no object is repaired", old: `[1]`, update: `{"a":1}`, want: `{"a":1}`},
		{name: "a row that is no JSON is repaired", old: `{"a":`, update: `{"b":1}`, want: `{"b":1}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var update map[string]json.RawMessage
			if err := json.Unmarshal([]byte(c.update), &update); err != nil {
				t.Fatal(err)
			}
			got, err := mergeAttributes([]byte(c.old), update)
			if err != nil || string(got) != c.want {
				t.Errorf("%s into %q: got %s, %v; want %s", c.update, c.old, got, err, c.want)
			}
		})
	}
	for _, value := range []string{``, `{`, `1 2`, `{"a":1,"a":2}`, "\"\xff\""} {
		if got, err := mergeAttributes(nil, map[string]json.RawMessage{"a": json.RawMessage(value)}); err == nil {
			t.Errorf("the value %q was merged into %s", value, got)
		}
	}
}

func TestMergeAgreesWithAMap(t *testing.T) {
	name := rapid.StringMatching(`[a-d"\\é]{0,2}`)
	value := rapid.SampledFrom([]string{`null`, `1`, `"x"`, `{"a":[1]}`, `[]`, `true`})
	rapid.Check(t, func(t *rapid.T) {
		var row []byte
		model := map[string]string{}
		for range rapid.IntRange(1, 6).Draw(t, "updates") {
			update := map[string]json.RawMessage{}
			for n, v := range rapid.MapOfN(name, value, 0, 4).Draw(t, "update") {
				update[n] = json.RawMessage(v)
				if model[n] = v; v == "null" {
					delete(model, n)
				}
			}
			merged, err := mergeAttributes(row, update)
			if err != nil {
				t.Fatal(err)
			}
			row = merged
		}
		got := map[string]string{}
		list, err := members(row)
		if err != nil {
			t.Fatalf("members of %s: %v", row, err)
		}
		for _, m := range list {
			got[m.name] = string(m.value)
		}
		if !maps.Equal(got, model) || len(list) != len(got) || !json.Valid(row) {
			t.Fatalf("row %s, want %v", row, model)
		}
	})
}

func TestRowsReadBackAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := row{email: rapid.String().Draw(t, "email"), zone: rapid.String().Draw(t, "zone"), attributes: []byte(`{"a":1}`)}
		for _, channel := range slices.Sorted(maps.Keys(rapid.MapOfN(rapid.String(), rapid.Just(true), 0, 4).Draw(t, "channels"))) {
			want.consent = append(want.consent, consent{channel: channel, given: rapid.Bool().Draw(t, "given")})
		}
		encoded := want.encode(nil)
		var got row
		if err := got.decode(encoded); err != nil || got.email != want.email || got.zone != want.zone || string(got.attributes) != `{"a":1}` ||
			len(got.consent) != len(want.consent) || len(got.consent) > 0 && !reflect.DeepEqual(got.consent, want.consent) {
			t.Fatalf("got %+v, %v; want %+v", got, err, want)
		}
		// A row cut anywhere before its attributes is refused, not misread.
		cut := rapid.IntRange(0, len(encoded)-len(want.attributes)-1).Draw(t, "cut")
		if err := got.decode(encoded[:cut]); err == nil {
			t.Fatalf("a row cut to %d of %d bytes was read", cut, len(encoded))
		}
	})
}

func TestMembersOfALongObject(t *testing.T) {
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, `, "%04d%s" : %s`, i, strings.Repeat("x", i%300), strings.Repeat("1", 1+i%9))
	}
	list, err := members([]byte("{" + text.String()[1:] + "}"))
	if err != nil || len(list) != 1000 {
		t.Fatalf("%d members, %v", len(list), err)
	}
	for i, m := range list {
		if want := strings.Repeat("1", 1+i%9); string(m.value) != want {
			t.Fatalf("member %d is %q, want %q", i, m.value, want)
		}
	}
}
