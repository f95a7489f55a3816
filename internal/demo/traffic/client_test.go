package traffic

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// exchange lets a client speak to one handler.
func exchange(t *testing.T, handle http.HandlerFunc) *client {
	t.Helper()
	server := httptest.NewServer(handle)
	c := newClient(&Config{URL: server.URL + "/", ClientKey: "ck", ServerKey: "sk", Workers: 1}, newLatency(time.Now))
	t.Cleanup(func() {
		c.close()
		server.Close()
	})
	return c
}

func TestAskSendsOnlyWhatIsSaid(t *testing.T) {
	total := 12.5
	for _, c := range []struct {
		name string
		q    question
		key  string
		body string
	}{
		{"the least", question{UserID: "ada"}, "ck", `{"userId":"ada"}`},
		{
			"everything",
			question{
				UserID: "ada", Placements: []int32{101}, MinAsOf: "1.0000000000",
				Context: &circumstance{Platform: "ios", AppVersion: "5.4.1", CartTotal: &total},
			},
			"ck",
			`{"userId":"ada","placements":[101],"context":{"platform":"ios","appVersion":"5.4.1","cartTotal":12.5},"minAsOf":"1.0000000000"}`,
		},
		{"an explanation, which a client key may not ask for", question{UserID: "ada", Explain: true}, "sk", `{"userId":"ada","explain":true}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := exchange(t, func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || r.URL.Path != "/v1/eligibility" || r.Header.Get("Api-Key") != c.key || string(body) != c.body {
					t.Errorf("%s with key %s and %s (%v)\nwant key %s and %s", r.URL.Path, r.Header.Get("Api-Key"), body, err, c.key, c.body)
				}
				_, _ = io.WriteString(w, `{"rulesVersion":3,"validUntil":"2026-11-22T12:00:00.25Z","placements":[]}`)
			})
			a, err := client.ask(t.Context(), &c.q)
			if err != nil || a.RulesVersion != 3 || a.ValidUntil == nil || a.ValidUntil.Nanosecond() != 250_000_000 {
				t.Errorf("the answer is %+v (%v)", a, err)
			}
		})
	}
}

func TestAnswersThatAreNoSuccess(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"a problem", 503, `{"code":"store_unavailable"}`, "/v1/events answered 503 store_unavailable"},
		{"a page of somebody in between", 502, "<html>", "/v1/events answered 502"},
		{"an item that was refused", 200, `{"failed":[{"code":"future_event","message":"too far ahead"}]}`, "future_event: too far ahead"},
		{"no JSON", 200, "<html>", "decode /v1/events"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := exchange(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			_, err := client.tell(t.Context(), happening{UserID: "ada", Name: "search"})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			var r *refusal
			if errors.As(err, &r) != (c.status != 200) {
				t.Errorf("%v is a refusal: %v", err, r != nil)
			}
		})
	}
}

func TestAnAnswerIsNotReadForEver(t *testing.T) {
	client := exchange(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`"` + strings.Repeat("x", 2*maxAnswerBytes) + `"`))
	})
	if err := client.post(t.Context(), "/", "k", nil, new(string)); err == nil || !strings.Contains(err.Error(), "decode") {
		t.Errorf("an endless answer gave %v", err)
	}
}

func TestImpressionsGoWithTheClientKey(t *testing.T) {
	client := exchange(t, func(_ http.ResponseWriter, r *http.Request) {
		var body map[string]string
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body["kind"] != "impression" || body["messageId"] != "m1" ||
			r.Header.Get("Api-Key") != "ck" || r.URL.Path != "/v1/engagement" {
			t.Errorf("%s with %v (%v)", r.URL.Path, body, err)
		}
	})
	if err := client.shown(t.Context(), "ada", "m1"); err != nil {
		t.Error(err)
	}
}
