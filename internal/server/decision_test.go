package server

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"eligibility/internal/cache"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

func TestTheAnswerInFull(t *testing.T) {
	p := newPlane(t)
	p.put("ada%22", `{"attributes":{"country":"DE"}}`)
	a := p.decide(`{"userId":"ada\"","placements":[101,7],"explain":true}`)
	form := regexp.MustCompile(`^\{"userId":"ada\\"","placements":\[` +
		`\{"placement":101,"messages":\[\{"messageId":"[A-Za-z0-9_-]+","promotion":"german","revision":1,"priority":1,` +
		`"content":\{"title":"Title of german"\}\}\]\},` +
		`\{"placement":7,"messages":\[\]\}\],` +
		`"rejected":\[\{"promotion":"buyer","placement":101,"reason":"rule_false","detail":"[^"]*(\\"[^"]*)*"\}\],` +
		`"rulesVersion":[0-9]+,"asOf":"[0-9]+\.[0-9]{10}","validUntil":null,"degraded":false\}` + "\n$")
	if a.status != 200 || !form.Match(a.body) {
		t.Errorf("got  %s\nwant %s", a.body, form)
	}
	if got := a.header.Get("Content-Type"); got != contentJSON {
		t.Errorf("Content-Type %q", got)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Server": ""} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestUnknownUsersLookLikeThoseWhoQualifyForNothing(t *testing.T) {
	p := newPlane(t)
	p.put("eve", `{"attributes":{"country":"FR"}}`)
	known, unknown := p.decide(`{"userId":"eve"}`), p.decide(`{"userId":"xxx"}`)
	shape := regexp.MustCompile(`eve|xxx|[0-9]{10,}\.[0-9]{10}`)
	if a, b := shape.ReplaceAll(known.body, []byte("#")), shape.ReplaceAll(unknown.body, []byte("#")); string(a) != string(b) {
		t.Errorf("a known user: %s\nan unknown one: %s", a, b)
	}
}

func TestTheClientsLimitOnlyLowersThePlacements(t *testing.T) {
	p := newPlane(t)
	p.put("ada", `{"attributes":{"country":"DE"}}`)
	p.list("/v1/events", `{"userId":"ada","name":"purchase"}`)
	for limit, want := range map[int]int{1: 1, 2: 2, 100: 2} {
		if got := p.decide(fmt.Sprintf(`{"userId":"ada","placements":[101],"limit":%d}`, limit)).shown(101); len(got) != want {
			t.Errorf("limit %d: %v, want %d messages", limit, got, want)
		}
	}
}

func TestAnswersAreDegradedWhenAnythingIs(t *testing.T) {
	p := newPlane(t)
	p.put("ada", `{}`)
	if a := p.decide(`{"userId":"ada"}`); a.json["degraded"] != false {
		t.Fatalf("a healthy answer: %s", a.body)
	}
	whole := p.live.Load("shop")
	partial := *whole
	partial.Version++
	partial.Quarantined = []rules.Quarantine{{Promotion: "broken", Revision: 1}}
	p.live.Swap(&partial)
	if a := p.decide(`{"userId":"ada"}`); a.json["degraded"] != true {
		t.Errorf("with a quarantined promotion: %s", a.body)
	}
	if p.Stats().Degraded() != 1 {
		t.Errorf("Degraded = %d, want 1", p.Stats().Degraded())
	}
}

// stale is a ruleset source whose anti-entropy has failed.
type stale struct{ Rulesets }

func (s stale) LoadAt(project string, _ time.Time) (*rules.Ruleset, bool) {
	return s.Load(project), false
}

func TestAnOldRulesetIsDegraded(t *testing.T) {
	p := newPlane(t)
	p.deps.Rulesets = stale{p.live}
	if a := p.decide(`{"userId":"ada"}`); a.status != 200 || a.json["degraded"] != true {
		t.Errorf("got %s", a.body)
	}
}

func TestWithoutARulesetNothingIsAnswered(t *testing.T) {
	p := newPlane(t)
	p.deps.Rulesets = &rules.Live{}
	for path, body := range map[string]string{
		"/v1/eligibility": `{"userId":"ada"}`, "/v1/precheck": `{"promotion":"german","channel":"push","userIds":["ada"]}`,
		"/v1/events": `[{"userId":"ada","name":"x"}]`, "/v1/users:bulk": `[{"userId":"ada"}]`,
		"/v1/engagement": `{"userId":"ada","messageId":"x","kind":"click"}`,
	} {
		a := p.call("POST", path, serverKey, body)
		if a.status != 503 || a.code() != "ruleset_unavailable" || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

func TestTheStoreIsDown(t *testing.T) {
	p := newPlane(t, func(_ *Config, c *cache.Config) {
		c.Bound, c.LoadTimeout, c.WaitMax = 50*time.Millisecond, 100*time.Millisecond, 200*time.Millisecond
	})
	serve := *p.live.Load("shop")
	serve.Version++
	serve.Settings.OnStoreDown, serve.Settings.MaxStale = rules.ServeStale, rules.Duration(time.Hour)
	p.put("ada", `{"attributes":{"country":"DE"}}`)
	p.warm("ada")
	first := p.decide(`{"userId":"ada"}`)
	if first.status != 200 {
		t.Fatalf("while it is up: %s", first.body)
	}
	p.store.down.Store(true)
	waitFor(t, func() bool { // until the cached snapshot is beyond the bound
		_, ok := p.users.Hit(profile.Key{Project: "shop", User: "ada"}, &cache.Demand{})
		return !ok
	})
	ask, fresh := `{"userId":"ada"}`, `{"userId":"ada","minAsOf":"`+first.asOf()+`"}`
	if a := p.decide(ask); a.status != 503 || a.code() != "store_unavailable" || a.header.Get("Retry-After") == "" {
		t.Errorf("fail_closed: %d %s", a.status, a.body)
	}
	if a := p.call("POST", "/v1/precheck", serverKey, `{"promotion":"german","channel":"push","userIds":["ada"]}`); a.status != 503 {
		t.Errorf("a pre-check: %d %s", a.status, a.body)
	}
	p.live.Swap(&serve)
	if a := p.decide(ask); a.status != 200 || a.json["degraded"] != true || len(a.shown(101)) != 1 {
		t.Errorf("serve_stale: %d %s", a.status, a.body)
	}
	if a := p.decide(fresh); a.status != 503 {
		t.Errorf("serve_stale with minAsOf: %d %s", a.status, a.body)
	}
	if a := p.decide(`{"userId":"never-seen"}`); a.status != 503 {
		t.Errorf("serve_stale for a user that is not cached: %d %s", a.status, a.body)
	}
}

func TestEngagement(t *testing.T) {
	p := newPlane(t)
	p.put("ada", `{"attributes":{"age":30}}`)
	id := func() string {
		var answer struct {
			Placements []struct {
				Messages []struct{ MessageID, Promotion string }
			}
		}
		if err := json.Unmarshal(p.decide(`{"userId":"ada","placements":[102]}`).body, &answer); err != nil {
			t.Fatal(err)
		}
		return answer.Placements[0].Messages[0].MessageID
	}()
	report := func(key, body string) *answer { return p.call("POST", "/v1/engagement", key, body) }
	for _, c := range []struct {
		name, body  string
		status      int
		code, field string
	}{
		{"no user", `{"messageId":"x","kind":"click"}`, 400, "missing_field", "userId"},
		{"bad user", `{"userId":"","messageId":"x","kind":"click"}`, 400, "invalid_user_id", "userId"},
		{"no message", `{"userId":"ada","kind":"click"}`, 400, "missing_field", "messageId"},
		{"no kind", `{"userId":"ada","messageId":"x"}`, 400, "missing_field", "kind"},
		{"unknown kind", `{"userId":"ada","messageId":"x","kind":"purchase"}`, 400, "invalid_value", "kind"},
		{"count 0", `{"userId":"ada","messageId":"x","kind":"click","count":0}`, 400, "out_of_range", "count"},
		{"count 1001", `{"userId":"ada","messageId":"x","kind":"click","count":1001}`, 400, "out_of_range", "count"},
		{"count as text", `{"userId":"ada","messageId":"x","kind":"click","count":"1"}`, 400, "wrong_type", "count"},
		{"later than tomorrow", `{"userId":"ada","messageId":"x","kind":"click","at":"2200-01-01T00:00:00Z"}`, 400, "future_event", "at"},
		{"long id", `{"userId":"ada","messageId":"x","kind":"click","id":"` + strings.Repeat("x", 257) + `"}`, 400, "invalid_value", "id"},
		{"unknown field", `{"userId":"ada","messageId":"x","kind":"click","project":"other"}`, 400, "unknown_field", "project"},
		{"unknown message", `{"userId":"ada","messageId":"x","kind":"click"}`, 200, "", ""},
		{"promotion that is gone", `{"userId":"ada","messageId":"` + rules.MessageID("gone", 101) + `","kind":"click"}`, 200, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := report(openKey, c.body)
			if a.status != c.status || a.code() != c.code || a.field() != c.field || c.status == 200 && a.asOf() == "" {
				t.Errorf("%d %s at %q, want %d %s at %q\n%s", a.status, a.code(), a.field(), c.status, c.code, c.field, a.body)
			}
		})
	}
	if a := p.call("GET", "/v1/users/ada", serverKey, ""); a.contains("embedded_") {
		t.Fatalf("something of all this is stored: %s", a.body)
	}
	for range 3 { // the same id thrice is one impression
		if a := report(openKey, `{"userId":"ada","messageId":"`+id+`","kind":"impression","id":"i1"}`); a.status != 200 {
			t.Fatal(string(a.body))
		}
	}
	if got := p.decide(`{"userId":"ada"}`).shown(102); len(got) != 1 {
		t.Errorf("after one impression of two: %v", got)
	}
	at := time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)
	report(serverKey, `{"userId":"ada","messageId":"`+id+`","kind":"impression","count":5,"at":"`+at+`"}`)
	a := p.decide(`{"userId":"ada"}`)
	if got := a.shown(102); len(got) != 0 {
		t.Errorf("after six impressions of two: %v", got)
	}
	if until, err := time.Parse(time.RFC3339Nano, fmt.Sprint(a.json["validUntil"])); err != nil || until.Before(time.Now()) {
		t.Errorf("validUntil %v does not say when the cap ends", a.json["validUntil"])
	}
	stored := p.call("GET", "/v1/users/ada", serverKey, "")
	if !stored.contains(`"promotion":"capped","placement":102,"campaignId":`) || !stored.contains(`"count":5`) || !stored.contains(at) {
		t.Errorf("stored: %s", stored.body)
	}
	p.list("/v1/events", `{"id":"i1","userId":"ada","name":"purchase"}`)
	if stored := p.call("GET", "/v1/users/ada", serverKey, ""); strings.Count(string(stored.body), "embedded_impression") != 2 {
		t.Errorf("an event of the backend replaced an engagement with the same id: %s", stored.body)
	}
}
