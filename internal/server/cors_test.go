package server

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/audit"
)

// preflightOf asks as a browser does for a page of the origin.
func (p *plane) preflightOf(path, method, origin string) *answer {
	return p.call("OPTIONS", path, "", "", "Origin", origin, "Access-Control-Request-Method", method,
		"Access-Control-Request-Headers", "api-key,authorization,content-type")
}

func TestWebPagesMayMakeTheCallsOfClientKeys(t *testing.T) {
	p := newPlane(t)
	own := access.Credential{ID: "k9", Project: "shop", Kind: access.Client, Hash: access.Hash("web"), Origins: []string{"https://shop.example", "http://localhost:3000"}}
	if _, err := p.store.PutCredential(t.Context(), own, audit.Entry{Project: "shop", Action: "key.create", Target: own.ID}); err != nil {
		t.Fatal(err)
	}
	if err := p.keyring.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	const page, other = "https://shop.example", "https://evil.example"
	for _, c := range []struct{ name, key, method, path, body, origin, status, shared string }{
		{"any origin", openKey, "GET", pathMessages + "?userId=ada", "", page, "200", "*"},
		{"the key's origin", "web", "GET", pathMessages + "?userId=ada", "", page, "200", page},
		{"its second origin", "web", "POST", "/v1/eligibility", `{"userId":"ada"}`, "http://localhost:3000", "200", "http://localhost:3000"},
		{"another origin", "web", "GET", pathMessages + "?userId=ada", "", other, "403", ""},
		{"another origin, on the own call", "web", "POST", "/v1/eligibility", `{"userId":"ada"}`, other, "403", ""},
		{"an origin that begins alike", "web", "GET", pathMessages + "?userId=ada", "", page + ".evil.example", "403", ""},
		{"no origin: no page", "web", "GET", pathMessages + "?userId=ada", "", "", "200", ""},
		{"an error", openKey, "GET", pathMessages, "", page, "400", "*"},
		{"a bad key", "x", "GET", pathMessages + "?userId=ada", "", page, "401", "*"},
		{"no token", clientKey, "POST", "/api/users/update", `{"userId":"ada"}`, page, "401", "*"},
		{"a call that no client key makes", serverKey, "POST", "/v1/events", `[]`, page, "400", ""},
		{"a look-up", serverKey, "GET", "/api/users/getByEmail?email=a@b.c", "", page, "200", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var headers []string
			if c.origin != "" {
				headers = []string{"Origin", c.origin}
			}
			a := p.call(c.method, c.path, c.key, c.body, headers...)
			if got := a.header.Get("Access-Control-Allow-Origin"); strconv.Itoa(a.status) != c.status || got != c.shared {
				t.Errorf("status %d, shared with %q, want %s and %q: %s", a.status, got, c.status, c.shared, a.body)
			}
			if c.shared == page && a.header.Get("Vary") == "" {
				t.Error("an answer that depends on the origin does not say so")
			}
		})
	}
	before := p.Stats().Limited()
	for _, path := range []string{pathMessages, "/api/users/update", "/v1/eligibility", "/v1/engagement", "/v1/stream-tokens"} {
		a := p.preflightOf(path, "POST", page)
		h := a.header
		if a.status != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Max-Age") == "" ||
			!strings.Contains(strings.ToLower(h.Get("Access-Control-Allow-Headers")), "api-key, authorization, content-type") {
			t.Errorf("preflight of %s: %d %v", path, a.status, h)
		}
	}
	for _, path := range []string{"/v1/events", "/api/users/bulkUpdate"} {
		if a := p.preflightOf(path, "POST", page); a.status != http.StatusMethodNotAllowed {
			t.Errorf("preflight of %s: %d", path, a.status)
		}
	}
	if a := p.call("OPTIONS", pathMessages, "", ""); a.status != http.StatusMethodNotAllowed {
		t.Errorf("OPTIONS of no browser: %d", a.status)
	}
	if p.Stats().Limited() != before {
		t.Error("preflights count against the limit")
	}
}

func TestWhoHasTheAnswerIsNotSentItAgain(t *testing.T) {
	p := newPlane(t)
	p.put("ada", `{"attributes":{"country":"DE","age":30}}`)
	p.warm("ada")
	get := func(known string) *answer { _, a := p.sync(openKey, "userId=ada", "If-None-Match", known); return a }
	ask := func(known string) *answer {
		return p.call("POST", "/v1/eligibility", serverKey, `{"userId":"ada"}`, "If-None-Match", known)
	}
	for name, call := range map[string]func(string) *answer{"sdk": get, "own": ask} {
		t.Run(name, func(t *testing.T) {
			p.put("ada", `{"attributes":{"country":"DE"}}`)
			p.warm("ada")
			first := call("")
			tag := first.header.Get("ETag")
			if strings.HasPrefix(tag, "W/") != (name == "own") || len(tag) < 10 {
				t.Fatalf("tag %q", tag)
			}
			if got := first.header.Get("Cache-Control"); got != "private, no-cache" {
				t.Errorf("Cache-Control %q", got)
			}
			for range 3 {
				if again := call(tag); again.status != http.StatusNotModified || len(again.body) != 0 || again.header.Get("ETag") != tag {
					t.Errorf("again: %d %s", again.status, again.body)
				}
			}
			if again := call(`"x", ` + tag); again.status != http.StatusNotModified {
				t.Errorf("among others: %d", again.status)
			}
			if other := call(`"0000000000000000"`); other.status != http.StatusOK || other.header.Get("ETag") != tag {
				t.Errorf("with another tag: %d", other.status)
			}
			p.put("ada", `{"attributes":{"country":"FR"}}`)
			if changed := call(tag); changed.status != http.StatusOK || changed.header.Get("ETag") == tag {
				t.Errorf("after a change: %d %v", changed.status, changed.header)
			}
		})
	}
	p.list("/v1/events", `{"userId":"ada","name":"purchase"}`)
	until, err := time.Parse(time.RFC3339Nano, get("").header.Get(headerValidUntil))
	if left := time.Until(until); err != nil || left < 23*time.Hour || left > 24*time.Hour {
		t.Errorf("a rule of 24 h ends in %v, %v", left, err)
	}
	if a := p.call("POST", "/v1/eligibility", serverKey, `{"userId":"ada","explain":true}`); a.header.Get("ETag") != "" {
		t.Error("an explanation has a tag")
	}
}
