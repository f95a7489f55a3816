package admin_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"eligibility/internal/access"
)

// TestARequestUnderAnIdempotencyKeyTakesEffectOnce: its repetition gets the same answer, also after others changed what it is about.
func TestARequestUnderAnIdempotencyKeyTakesEffectOnce(t *testing.T) {
	p := newPlane(t)
	p.declare()
	editor, publisher, owner := p.keys[access.Editor], p.keys[access.Publisher], p.keys[access.Owner]
	document := promotion("One", "user.country == 'US'")
	for i, step := range []struct{ method, path, key, body string }{
		{"POST", shop + "/attributes", editor, `{"name":"age","type":"int"}`},
		{"POST", shop + "/event-types", editor, `{"name":"visit","properties":{"page":"string"}}`},
		{"POST", shop + "/context", editor, `{"name":"beta","type":"bool"}`},
		{"POST", shop + "/placements", editor, `{"placement":102,"name":"cards"}`},
		{"PUT", shop + "/placements/102", editor, `{"name":"cards","limit":2}`},
		{"PUT", shop, owner, `{"timeZone":"Europe/Berlin"}`},
		{"PUT", shop + "/promotions/a", editor, document},
		{"POST", shop + "/promotions/a:publish", publisher, `{"comment":"first"}`},
		{"POST", shop + "/promotions/a:pause", publisher, ""},
		{"POST", shop + "/promotions/a:resume", publisher, ""},
		{"PUT", shop + "/promotions/a", editor, promotion("Two", "user.country == 'DE'")},
		{"POST", shop + "/promotions/a:publish", publisher, ""},
		{"POST", shop + "/promotions/a:rollback", publisher, `{"revision":1}`},
		{"DELETE", shop + "/promotions/a", publisher, ""},
	} {
		t.Run(fmt.Sprint(i, " ", step.method, " ", step.path), func(t *testing.T) {
			p.t = t
			header := fmt.Sprintf("Idempotency-Key: step-%d", i)
			first := p.do(step.method, step.path, step.key, step.body, header)
			if first.status >= 300 || first.header.Get("Idempotent-Replayed") != "" {
				t.Fatalf("first: %d %s", first.status, first.raw)
			}
			version, entries := p.version(), len(p.entries("shop"))
			again := p.do(step.method, step.path, step.key, step.body, header)
			if again.status != first.status || timeless(again) != timeless(first) || again.header.Get("Etag") != first.header.Get("Etag") {
				t.Errorf("again: %d %s\nfirst: %d %s", again.status, again.raw, first.status, first.raw)
			}
			if again.header.Get("Idempotent-Replayed") != "true" {
				t.Error("a repetition does not say that it is one")
			}
			if p.version() != version || len(p.entries("shop")) != entries {
				t.Error("a repetition changed something")
			}
		})
	}
	p.t = t
	// Long after, with another draft and two more versions in between.
	late := p.want(p.do("POST", shop+"/promotions/a:publish", publisher, `{"comment":"first"}`, "Idempotency-Key: step-7"), 200)
	if late.number("revision") != 1 || late.text("state") != "published" || late.number("rulesVersion") >= p.version() {
		t.Errorf("a late repetition: %s", late.raw)
	}
	draft := p.want(p.do("PUT", shop+"/promotions/a", editor, document, "Idempotency-Key: step-6"), 201)
	if draft.text("promotion.name") != "One" || draft.number("revision") != 1 {
		t.Errorf("a late repetition of a draft: %s", draft.raw)
	}
}

// version is the project's ruleset version.
func (p *plane) version() float64 {
	p.t.Helper()
	return p.want(p.do("GET", shop, p.keys[access.Viewer], ""), 200).number("rulesVersion")
}

// timeless is the answer without how long it took, and without what a sample of the users had to say.
func timeless(r *reply) string {
	body := make(map[string]any)
	for name, value := range r.body {
		if name != "millis" && name != "blastRadius" && name != "issues" {
			body[name] = value
		}
	}
	text, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

func TestWhatChangesNothingIsRememberedToo(t *testing.T) {
	p := newPlane(t)
	p.declare()
	p.put("a", "user.country == 'US'")
	path, editor := shop+"/promotions/a", p.keys[access.Editor]
	same := promotion("Offer a", "user.country == 'US'")
	p.want(p.do("PUT", path, editor, same, "Idempotency-Key: k"), 200)
	p.put("a", "user.country == 'DE'")
	p.want(p.do("PUT", path, editor, same, "Idempotency-Key: k"), 200)
	if now := p.want(p.do("GET", path, editor, ""), 200); now.text("promotion.rule") != "user.country == 'DE'" {
		t.Errorf("a repetition overwrote what came after it: %s", now.raw)
	}
}

func TestAnotherRequestUnderTheKeyIsRefused(t *testing.T) {
	p := newPlane(t)
	p.declare()
	p.put("a", "user.country == 'US'")
	p.put("b", "user.country == 'US'")
	publisher := p.keys[access.Publisher]
	p.want(p.do("POST", shop+"/promotions/a:publish?wait=1s", publisher, "", "Idempotency-Key: k"), 200)
	for name, again := range map[string]*reply{
		"another body":      p.do("POST", shop+"/promotions/a:publish", publisher, `{"comment":"x"}`, "Idempotency-Key: k"),
		"another promotion": p.do("POST", shop+"/promotions/b:publish", publisher, "", "Idempotency-Key: k"),
		"another call":      p.do("POST", shop+"/promotions/a:pause", publisher, "", "Idempotency-Key: k"),
		"another If-Match":  p.do("POST", shop+"/promotions/a:publish", publisher, "", "Idempotency-Key: k", `If-Match: "1"`),
	} {
		t.Run(name, func(t *testing.T) {
			p.t = t
			p.problem(again, 409, "idempotency_mismatch")
		})
	}
	p.t = t
	// How long to wait is no part of what is asked for, and a failure leaves nothing behind.
	p.want(p.do("POST", shop+"/promotions/a:publish", publisher, "", "Idempotency-Key: k"), 200)
	p.problem(p.do("POST", shop+"/promotions/c:publish", publisher, "", "Idempotency-Key: f"), 404, "promotion_not_found")
	p.put("c", "user.country == 'US'")
	p.want(p.do("POST", shop+"/promotions/c:publish", publisher, "", "Idempotency-Key: f"), 200)

	for name, key := range map[string]string{"blanks": "a b", "control characters": "a\x01", "not ASCII": "ü", "too long": strings.Repeat("k", 129), "nothing": ""} {
		t.Run(name, func(t *testing.T) {
			p.t = t
			p.problem(p.do("POST", shop+"/promotions/b:publish", publisher, "", "Idempotency-Key: "+key), 400, "invalid_idempotency_key")
		})
	}
	p.t = t
	p.problem(p.do("POST", shop+"/keys", rootKey, `{"kind":"server"}`, "Idempotency-Key: k2"), 400, "invalid_idempotency_key")
	p.want(p.do("POST", shop+"/promotions/b:check", p.keys[access.Viewer], "", "Idempotency-Key: k"), 200)
}

// TestRacingRepetitions: of many at once one publishes, and all get its version.
func TestRacingRepetitions(t *testing.T) {
	p := newPlane(t)
	p.declare()
	p.put("a", "user.country == 'US'")
	before := p.version()
	answers := make([]*reply, 16)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() {
			answers[i] = p.do("POST", shop+"/promotions/a:publish", p.keys[access.Publisher], "", "Idempotency-Key: k")
		})
	}
	group.Wait()
	replayed := 0
	for _, a := range answers {
		if a.status != 200 || a.number("rulesVersion") != before+1 {
			t.Errorf("%d %s", a.status, a.raw)
		}
		if a.header.Get("Idempotent-Replayed") == "true" {
			replayed++
		}
	}
	if replayed != len(answers)-1 || p.version() != before+1 {
		t.Errorf("%d of %d are repetitions, version %v after %v", replayed, len(answers), p.version(), before)
	}
}
