package strictjson

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"eligibility/internal/problem"
)

type request struct {
	UserID     string                     `json:"userId"`
	Placements []int32                    `json:"placements"`
	Attributes map[string]json.RawMessage `json:"attributes"`
	Nested     *struct {
		Percent float64 `json:"percent"`
	} `json:"nested"`
}

func TestUnmarshalRefusesWithCodeAndPlace(t *testing.T) {
	for _, c := range []struct{ name, body, code, field string }{
		{"truncated", `{`, "invalid_json", ""},
		{"empty", ``, "empty_body", ""},
		{"blank", " \n", "empty_body", ""},
		{"array for an object", `[]`, "invalid_json_type", ""},
		{"null for an object", ` null `, "invalid_json_type", ""},
		{"trailing data", `{}x`, "invalid_json", ""},
		{"two values", `{}{}`, "invalid_json", ""},
		{"duplicate name", `{"userId":"a","userId":"b"}`, "duplicate_key", "userId"},
		{"duplicate name inside a raw value", `{"attributes":{"x":{"a":1,"a":2}}}`, "duplicate_key", "attributes.x.a"},
		{"wrong case", `{"USERID":"a"}`, "unknown_field", "USERID"},
		{"unknown", `{"project":"other"}`, "unknown_field", "project"},
		{"unknown, nested", `{"nested":{"percents":1}}`, "unknown_field", "nested.percents"},
		{"ten thousand levels", strings.Repeat("[", 10_000), "too_deep", ""},
		{"seventeen levels", `{"attributes":{"x":` + strings.Repeat("[", 15) + strings.Repeat("]", 15) + `}}`, "too_deep", ""},
		{"bad UTF-8", "{\"userId\":\"a\xff\"}", "invalid_utf8", ""},
		{"lone surrogate", `{"userId":"\ud800"}`, "invalid_json", ""},
		{"number for a string", `{"userId":9007199254740993}`, "wrong_type", "userId"},
		{"string for a number", `{"placements":["x"]}`, "wrong_type", "placements[0]"},
		{"number beyond its type", `{"placements":[3000000000]}`, "wrong_type", "placements[0]"},
		{"infinite number", `{"nested":{"percent":1e400}}`, "wrong_type", "nested.percent"},
		{"not a number", `{"nested":{"percent":NaN}}`, "invalid_json", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r request
			err := Unmarshal([]byte(c.body), &r)
			var p *problem.Problem
			if !errors.As(err, &p) {
				t.Fatalf("Unmarshal(%.80q) = %v, want a problem", c.body, err)
			}
			if p.Code != c.code || c.field != "" && p.Field != c.field {
				t.Errorf("Unmarshal(%.80q) = %s at %q (%s); want %s at %q", c.body, p.Code, p.Field, p.Detail, c.code, c.field)
			}
		})
	}
}

func TestUnmarshalTakesWhatIsRight(t *testing.T) {
	var r request
	body := `{"userId":"ü","placements":[1,2],"attributes":{"a":{"b":[1e3]}},"nested":{"percent":-0}}`
	if err := Unmarshal([]byte(body), &r); err != nil {
		t.Fatal(err)
	}
	if r.UserID != "ü" || len(r.Placements) != 2 || string(r.Attributes["a"]) != `{"b":[1e3]}` {
		t.Errorf("got %+v", r)
	}
}

// FuzzUnmarshal compares with encoding/json: whatever we accept, it accepts too and understands the same way.
func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`{"userId":"a","placements":[1]}`))
	f.Add([]byte(`{"userId":"\u00e9","attributes":{"x":null}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var ours, theirs request
		if Unmarshal(data, &ours) != nil {
			return
		}
		if err := json.Unmarshal(data, &theirs); err != nil {
			t.Fatalf("accepted %q, which encoding/json refuses: %v", data, err)
		}
		if ours.UserID != theirs.UserID || len(ours.Placements) != len(theirs.Placements) {
			t.Fatalf("%q: %+v and %+v differ", data, ours, theirs)
		}
	})
}
