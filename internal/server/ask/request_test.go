package ask

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// FuzzParse holds the fast reader to the strict one: what it accepts, the strict one accepts and reads the same, and so does encoding/json.
func FuzzParse(f *testing.F) {
	for _, body := range []string{
		`{"userId":"ada"}`,
		`{"userId":"ada","placements":[101,-2,0],"limit":3,"explain":true,"minAsOf":"1.0000000000","minRulesVersion":7}`,
		`{"context":{"platform":"ios","n":-0.5e+10,"b":false,"t":"2026-06-15T00:00:00Z"}}`, ` { } `, `{"placements":[]}`, `{"context":{}}`,
		`{"userId":"a","userId":"b"}`, `{"context":{"a":1,"a":2}}`, `{"userId":"\u0061"}`, "{\"userId\":\"\xff\"}",
		`{"limit":01}`, `{"limit":1.0}`,
		`{"limit":-0}`, `{"minRulesVersion":9223372036854775807}`, `{"explain":tru}`, `{"userId":"a",}`,
		`{"userId":"a"}x`, `{"placements":[1,]}`,
		`{"context":{"a":-}}`, `{"context":{"a":1e}}`, `{"context":{"a":.5}}`, `{"context":{"a":null}}`, `{"userId":"Žofie 🙂"}`,
		"{\"userId\":\"a\x00\"}", `{"placements":[1,null]}`, `{"minAsOf":""}`, `{"minAsOf":null}`, `null`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var fast, strict Request
		if !fast.scan(body) {
			return
		}
		if p := strict.decode(body); p != nil {
			t.Fatalf("the fast reader accepts %q, which the strict one refuses: %v", body, p)
		}
		if got, want := plain(&fast), plain(&strict); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q is read as %+v, want %+v", body, got, want)
		}
		var reference struct {
			UserID     string         `json:"userId"`
			Placements []int32        `json:"placements"`
			Context    map[string]any `json:"context"`
		}
		if err := json.Unmarshal(body, &reference); err != nil {
			t.Fatalf("the fast reader accepts %q, which encoding/json refuses: %v", body, err)
		}
		same := reference.UserID == fast.UserID && len(reference.Placements) == len(fast.Placements)
		if !same || len(reference.Context) != len(fast.Context) {
			t.Fatalf("%q is read as %+v, and by encoding/json as %+v", body, plain(&fast), reference)
		}
	})
}

// plain is a request in a form that can be compared: the order of the context does not count.
func plain(r *Request) map[string]any {
	context := make(map[string]Item)
	for _, item := range r.Context {
		context[item.Name] = item
	}
	return map[string]any{
		"user": r.UserID, "hasUser": r.HasUser, "placements": append([]int32{}, r.Placements...), "hasPlacements": r.HasPlacements,
		"context": context,
		"limit":   r.Limit, "hasLimit": r.HasLimit, "explain": r.Explain, "minAsOf": r.MinAsOf, "hasMinAsOf": r.HasMinAsOf, "version": r.MinRulesVersion,
	}
}

func TestTheFastReaderTakesWhatSDKsSend(t *testing.T) {
	for _, body := range []string{
		`{"userId":"ada","placements":[101,102]}`,
		"{\n  \"userId\": \"Žofie 🙂\",\n  \"context\": {\"platform\": \"ios\", \"visits\": 12, \"ratio\": 0.5, \"beta\": false}\n}\n",
		`{"placements":[],"limit":5,"explain":false,"minAsOf":"1795376411571640292.0000000000","minRulesVersion":12}`,
	} {
		var r Request
		if !r.scan([]byte(body)) {
			t.Errorf("%s takes the slow way", body)
		}
	}
}

func TestARequestForgetsTheRequestBefore(t *testing.T) {
	var r Request
	for _, body := range []string{
		`{"userId":"ada","placements":[101],"context":{"platform":"ios"},"limit":5,"explain":true,"minAsOf":"1","minRulesVersion":3}`,
		`{"placements":[101],"context":{"platform":"ios"},"limit":5,"explain":true,"minAsOf":"1","userId":"ada","userId":"b"}`,
	} {
		_ = r.Parse([]byte(body))
		r.Reset()
		if p := r.Parse([]byte(`{}`)); p != nil {
			t.Fatal(p)
		}
		if got, want := plain(&r), plain(&Request{}); !reflect.DeepEqual(got, want) {
			t.Errorf("after %s: %+v", body, got)
		}
	}
	long := `{"userId":"` + strings.Repeat("x", 100) + `"`
	if p := r.Parse([]byte(long)); p == nil || p.Code != "invalid_json" {
		t.Errorf("a cut body: %v", p)
	}
}
