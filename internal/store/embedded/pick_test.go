package embedded

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestPick(t *testing.T) {
	names := []string{"a", "ab", "b", "zz"}
	for _, c := range []struct{ object, want string }{
		{`{}`, `{}`},
		{`{"a":1}`, `{"a":1}`},
		{`{"aa":1,"ab":"x,}\"","c":2,"zz":[1,{"b":"]"}],"zzz":null}`, `{"ab":"x,}\"","zz":[1,{"b":"]"}]}`},
		{`{"A":"\\","a":"\\\"","b":"\\\\","x":-1.5e3,"zz":true}`, `{"a":"\\\"","b":"\\\\","zz":true}`},
		{`{"a\"b":1,"a\\":{"b":2},"b":{"b":2}}`, `{"b":{"b":2}}`},
		{`{"":1,"b":3}`, `{"b":3}`},
		{`{"x":1}`, `{}`},
		// What this package does not write.
		{`{"b":1,"a":2}`, ""},
		{`{"a":1,"a":2}`, ""},
		{`{ "a":1}`, ""},
		{`{"a" :1}`, ""},
		{`{"c":1`, ""},
		{`{"c":[1}`, ""},
		{`{"c":"`, ""},
		{`{"c`, ""},
		{`{"c":1}}`, ""},
		{`{"c":1]`, ""},
		{`[1]`, ""},
		{`{`, ""},
		{``, ""},
	} {
		got, ok := pick([]byte("before"), []byte(c.object), names)
		if ok != (c.want != "") || ok && string(got) != "before"+c.want || !ok && string(got[:6]) != "before" {
			t.Errorf("%s: %s, %v, want %s", c.object, got, ok, c.want)
		}
	}
}

// TestPickedMembersAreThoseOfTheObject holds pick against a decoder, over objects that mergeAttributes writes.
func TestPickedMembersAreThoseOfTheObject(t *testing.T) {
	draw := rand.New(rand.NewPCG(3, 4))
	names := []string{"a", "a.b", "ab", "b", "c", "quote\"d", "back\\slash", "back\\", "é", "zz", "~", "", "Z"}
	values := []string{`1`, `-1.5e+3`, `"x"`, `"\"}\\"`, `"a,b:{[\\\""`, `[]`, `[1,[2,"]"],{}]`, `{"a":{"b":"}"},"c":[","]}`, `true`, `false`, `"é\u0000"`}
	for range 3000 {
		update := make(map[string]json.RawMessage)
		for _, name := range names {
			if draw.IntN(2) == 0 {
				update[name] = json.RawMessage(values[draw.IntN(len(values))])
			}
		}
		object, err := mergeAttributes([]byte(`{"b":"old","kept":[1]}`), update)
		if err != nil {
			t.Fatal(err)
		}
		var asked []string
		for _, name := range []string{"a", "a.b", "ab", "b", "c", "kept", "zz", "Z", "absent"} {
			if draw.IntN(2) == 0 {
				asked = append(asked, name)
			}
		}
		slices.Sort(asked)
		picked, ok := pick(nil, object, asked)
		if !ok {
			t.Fatalf("%s is refused", object)
		}
		var got, all map[string]json.RawMessage
		if err := json.Unmarshal(picked, &got); err != nil {
			t.Fatalf("%s of %s: %v", picked, object, err)
		}
		if err := json.Unmarshal(object, &all); err != nil {
			t.Fatal(err)
		}
		for name, value := range all {
			if want := slices.Contains(asked, name); want != (got[name] != nil) || want && string(got[name]) != string(value) {
				t.Fatalf("%v of %s: %s", asked, object, picked)
			}
			delete(got, name)
		}
		if len(got) > 0 {
			t.Fatalf("%v of %s: %s", asked, object, picked)
		}
	}
}

func FuzzPick(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":[{"c":"\\\""}]}`))
	f.Add([]byte(`{"a":"`))
	f.Fuzz(func(t *testing.T, object []byte) {
		picked, ok := pick(nil, object, []string{"a", "b"})
		if ok && json.Valid(object) && !json.Valid(picked) {
			t.Errorf("%s of %s", picked, object)
		}
	})
}
