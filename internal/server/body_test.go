package server

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

func TestEligibilityRefuses(t *testing.T) {
	p := newPlane(t)
	long := strings.Repeat("x", 257)
	longer := strings.Repeat("x", 1025)
	fifty := make([]string, 51)
	for i := range fifty {
		fifty[i] = strconv.Itoa(i)
	}
	for _, c := range []struct {
		name, body  string
		status      int
		code, field string
	}{
		{"truncated", `{`, 400, "invalid_json", ""},
		{"empty", ``, 400, "empty_body", ""},
		{"blank", ` `, 400, "empty_body", ""},
		{"array", `[]`, 400, "invalid_json_type", ""},
		{"null", `null`, 400, "invalid_json_type", ""},
		{"trailing data", `{"userId":"a"}x`, 400, "invalid_json", ""},
		{"duplicate key", `{"userId":"a","userId":"b"}`, 400, "duplicate_key", "userId"},
		{"duplicate key, one escaped", `{"userId":"a","user\u0049d":"b"}`, 400, "duplicate_key", "userId"},
		{"duplicate key in context", `{"userId":"a","context":{"platform":"a","platform":"b"}}`, 400, "duplicate_key", "context.platform"},
		{"wrong case", `{"UserID":"a"}`, 400, "unknown_field", "UserID"},
		{"unknown field", `{"userId":"a","colour":1}`, 400, "unknown_field", "colour"},
		{"project in the body", `{"userId":"a","project":"other"}`, 400, "unknown_field", "project"},
		{"now in the body", `{"userId":"a","now":"2030-01-01T00:00:00Z"}`, 400, "unknown_field", "now"},
		{"ten thousand levels", strings.Repeat("[", 10_000), 400, "too_deep", ""},
		{"too large", `{"userId":"` + strings.Repeat("x", 64<<10) + `"}`, 413, "body_too_large", ""},
		{"invalid UTF-8", "{\"userId\":\"a\xff\"}", 400, "invalid_utf8", ""},
		{"lone surrogate", `{"userId":"\ud800"}`, 400, "invalid_json", ""},

		{"no user", `{}`, 400, "missing_field", "userId"},
		{"null user", `{"userId":null}`, 400, "missing_field", "userId"},
		{"empty user", `{"userId":""}`, 400, "invalid_user_id", "userId"},
		{"long user", `{"userId":"` + long + `"}`, 400, "invalid_user_id", "userId"},
		{"NUL in the user", `{"userId":"a\u0000"}`, 400, "invalid_user_id", "userId"},
		{"newline in the user", `{"userId":"a\nb"}`, 400, "invalid_user_id", "userId"},
		{"bidirectional control in the user", `{"userId":"a\u202eb"}`, 400, "invalid_user_id", "userId"},
		{"number for the user", `{"userId":9007199254740993}`, 400, "wrong_type", "userId"},

		{"no placements", `{"userId":"a","placements":[]}`, 400, "out_of_range", "placements"},
		{"51 placements", `{"userId":"a","placements":[` + strings.Join(fifty, ",") + `]}`, 400, "too_many", "placements"},
		{"placement as text", `{"userId":"a","placements":["101"]}`, 400, "wrong_type", "placements[0]"},
		{"placement with a fraction", `{"userId":"a","placements":[1.5]}`, 400, "wrong_type", "placements[0]"},
		{"placement null", `{"userId":"a","placements":[101,null]}`, 400, "wrong_type", "placements[1]"},
		{"placement beyond 32 bits", `{"userId":"a","placements":[4294967397]}`, 400, "wrong_type", "placements[0]"},
		{"limit 0", `{"userId":"a","limit":0}`, 400, "out_of_range", "limit"},
		{"limit 101", `{"userId":"a","limit":101}`, 400, "out_of_range", "limit"},
		{"limit as text", `{"userId":"a","limit":"1"}`, 400, "wrong_type", "limit"},
		{"explain as text", `{"userId":"a","explain":"yes"}`, 400, "wrong_type", "explain"},

		{"minAsOf garbage", `{"userId":"a","minAsOf":"yesterday"}`, 400, "invalid_as_of", "minAsOf"},
		{"minAsOf empty", `{"userId":"a","minAsOf":""}`, 400, "invalid_as_of", "minAsOf"},
		{"minAsOf negative", `{"userId":"a","minAsOf":"-1"}`, 400, "invalid_as_of", "minAsOf"},
		{"minAsOf in the far future", `{"userId":"a","minAsOf":"9000000000000000000.0000000000"}`, 400, "as_of_in_future", "minAsOf"},
		{"version of the future", `{"userId":"a","minRulesVersion":1000000}`, 503, "version_not_reached", ""},
		{"negative version", `{"userId":"a","minRulesVersion":-1}`, 400, "wrong_type", "minRulesVersion"},

		{"undeclared context", `{"userId":"a","context":{"colour":"red"}}`, 400, "undeclared_context", "context.colour"},
		{"context over the profile", `{"userId":"a","context":{"country":"DE"}}`, 400, "undeclared_context", "context.country"},
		{"context of the wrong type", `{"userId":"a","context":{"platform":7}}`, 400, "wrong_type", "context.platform"},
		{"context null", `{"userId":"a","context":{"platform":null}}`, 400, "wrong_type", "context.platform"},
		{"context object", `{"userId":"a","context":{"platform":{}}}`, 400, "wrong_type", "context.platform"},
		{"context int with a fraction", `{"userId":"a","context":{"visits":1.5}}`, 400, "wrong_type", "context.visits"},
		{"context int beyond 64 bits", `{"userId":"a","context":{"visits":99999999999999999999}}`, 400, "wrong_type", "context.visits"},
		{"context infinite", `{"userId":"a","context":{"ratio":1e400}}`, 400, "out_of_range", "context.ratio"},
		{"context NaN", `{"userId":"a","context":{"ratio":NaN}}`, 400, "invalid_json", ""},
		{"context bool as text", `{"userId":"a","context":{"beta":"true"}}`, 400, "wrong_type", "context.beta"},
		{"context time of the wrong form", `{"userId":"a","context":{"opened":"2026-06-15"}}`, 400, "wrong_type", "context.opened"},
		{"context time out of range", `{"userId":"a","context":{"opened":"9999-01-01T00:00:00Z"}}`, 400, "out_of_range", "context.opened"},
		{"context too long", `{"userId":"a","context":{"platform":"` + longer + `"}}`, 400, "out_of_range", "context.platform"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := p.call("POST", "/v1/eligibility", serverKey, c.body, "Content-Type", contentJSON)
			if a.status != c.status || a.code() != c.code || a.field() != c.field {
				t.Fatalf("body %.80q: %d %s at %q, want %d %s at %q\n%s",
					c.body, a.status, a.code(), a.field(), c.status, c.code, c.field, a.body)
			}
			if got := a.header.Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("Content-Type %q", got)
			}
			if a.json["requestId"] != a.header.Get(headerRequestID) || a.json["instance"] != "/v1/eligibility" {
				t.Errorf("the problem names request %v of %v", a.json["requestId"], a.json["instance"])
			}
			if len(a.body) > 600 {
				t.Errorf("the problem repeats too much of its cause: %s", a.body)
			}
			if c.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		})
	}
}

func TestEligibilityAccepts(t *testing.T) {
	p := newPlane(t)
	p.put("ada", `{"attributes":{"country":"DE","age":30}}`)
	for _, c := range []struct {
		name, body string
		want       []string // shown in 101 and then in 102
	}{
		{"all placements", `{"userId":"ada"}`, []string{"german", "capped"}},
		{"blanks and order", " {\t\"placements\" : [ 102 , 101 ] ,\r\n \"userId\":\"ada\" } ", []string{"german", "capped"}},
		{"escaped user", `{"userId":"\u0061da"}`, []string{"german", "capped"}},
		{"escaped name", `{"user\u0049d":"ada"}`, []string{"german", "capped"}},
		{"one placement", `{"userId":"ada","placements":[102]}`, []string{"capped"}},
		{"the same placement twice", `{"userId":"ada","placements":[102,102]}`, []string{"capped"}},
		{"an unknown placement", `{"userId":"ada","placements":[999]}`, nil},
		{"nulls are absent", `{"userId":"ada","placements":null,"context":null,"limit":null,"explain":null}`, []string{"german", "capped"}},
		{"context", `{"userId":"ada","context":{"platform":"ios"}}`, []string{"german", "ios"}},
		{"every kind of context", `{"userId":"ada","context":{"platform":"ios","visits":5.0,"ratio":-0,"beta":true,` +
			`"opened":"2026-06-15T00:00:00+02:00"}}`, []string{"german", "ios"}},
		{"empty context", `{"userId":"ada","context":{}}`, []string{"german", "capped"}},
		{"an unknown user", `{"userId":"nobody"}`, nil},
		{"an unknown user of another script", `{"userId":"Žofie 🙂"}`, nil},
		{"an old version", `{"userId":"ada","minRulesVersion":1}`, []string{"german", "capped"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := p.decide(c.body)
			got := append(a.shown(101), a.shown(102)...)
			if a.status != http.StatusOK || strings.Join(got, " ") != strings.Join(c.want, " ") {
				t.Fatalf("body %s: %d %v, want 200 %v\n%s", c.body, a.status, got, c.want, a.body)
			}
		})
	}
	if a := p.decide(`{"userId":"ada","placements":[102,999,102,101]}`); !a.contains(`"placements":[{"placement":102,`) ||
		!a.contains(`{"placement":999,"messages":[]},{"placement":101,`) {
		t.Errorf("placements are not answered once each in the order asked: %s", a.body)
	}
}
