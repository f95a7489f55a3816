package admin_test

import (
	"strings"
	"testing"

	"eligibility/internal/access"
	"eligibility/internal/profile"
)

func TestPreviewOfADraft(t *testing.T) {
	p := newPlane(t)
	p.declare()
	p.user("shop", "ada", `{"country":"US"}`)
	p.user("shop", "ben", `{"country":"DE"}`)
	p.user("other", "eve", `{"country":"US"}`)
	p.publish("live", "user.country == 'US'")
	p.put("draft", "user.country == 'DE' && request.platform == 'ios'")
	path, key := shop+"/promotions/draft:preview", p.keys[access.Viewer]

	ben := p.want(p.do("POST", path, key, `{"userId":"ben","context":{"platform":"ios"}}`), 200)
	if ben.text("placements.0.messages.0.promotion") != "draft" || ben.at("verdict.eligible") != true ||
		ben.text("verdict.reason") != "eligible" {
		t.Errorf("ben: %s", ben.raw)
	}
	if ben.text("rejected.0.promotion") != "live" || ben.text("rejected.0.reason") != "outranked" || ben.text("asOf") == "" ||
		ben.at("validUntil") != nil || ben.at("degraded") != false {
		t.Errorf("ben: %s", ben.raw)
	}
	ada := p.want(p.do("POST", path, key, `{"userId":"ada"}`), 200)
	if ada.text("placements.0.messages.0.promotion") != "live" || ada.at("verdict.eligible") != false ||
		ada.text("verdict.rule.decisive") == "" ||
		ada.text("verdict.rule.root.parts.1.code") != "missing_attribute" {
		t.Errorf("ada: %s", ada.raw)
	}
	if live := p.live.Load("shop"); live == nil || live.Promotions.Len() != 1 {
		t.Errorf("the preview changed the live ruleset: %+v", live)
	}

	for name, tt := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"nobody":                    {`{}`, 400, "missing_field"},
		"an unknown user":           {`{"userId":"zoe"}`, 404, "user_not_found"},
		"a user of another project": {`{"userId":"eve"}`, 404, "user_not_found"},
		"a malformed user":          {`{"userId":"a\u0000"}`, 400, "invalid_user_id"},
		"an undeclared context":     {`{"userId":"ada","context":{"country":"DE"}}`, 400, "undeclared_context"},
		"a context of another type": {`{"userId":"ada","context":{"platform":7}}`, 400, "wrong_type"},
		"an unknown channel":        {`{"userId":"ada","channel":"fax"}`, 400, "invalid_value"},
		"an unknown revision":       {`{"userId":"ada","revision":9}`, 404, "revision_not_found"},
		"a year out of range":       {`{"userId":"ada","now":"9999-01-01T00:00:00Z"}`, 400, "out_of_range"},
	} {
		t.Run(name, func(t *testing.T) {
			p.t = t
			p.problem(p.do("POST", path, key, tt.body), tt.status, tt.code)
		})
	}
	p.t = t
	p.problem(p.do("POST", shop+"/promotions/nobody:preview", key, `{"userId":"ada"}`), 404, "promotion_not_found")
	p.put("broken", "user.contry == 'US'")
	p.problem(p.do("POST", shop+"/promotions/broken:preview", key, `{"userId":"ada"}`), 422, "rule_invalid")
}

// TestPreviewAtAnotherTime: an author sees before it happens what a schedule will do.
func TestPreviewAtAnotherTime(t *testing.T) {
	p := newPlane(t)
	p.declare()
	p.user("shop", "ada", `{"country":"US"}`)
	document := strings.Replace(promotion("June", "user.country == 'US'"), `"name"`,
		`"schedule":{"start":"2200-06-15T00:00:00Z","end":"2200-06-22T02:00:00+02:00"},"name"`, 1)
	p.want(p.do("PUT", shop+"/promotions/june", p.keys[access.Editor], document), 201)
	for now, want := range map[string]string{
		`"2200-06-14T23:59:59.999999999Z"`: "not_started", `"2200-06-15T00:00:00Z"`: "eligible",
		`"2200-06-21T23:59:59Z"`: "eligible", `"2200-06-22T00:00:00Z"`: "ended",
	} {
		r := p.want(p.do("POST", shop+"/promotions/june:preview", p.keys[access.Viewer], `{"userId":"ada","now":`+now+`}`), 200)
		if r.text("verdict.reason") != want {
			t.Errorf("at %s: %s, want %s", now, r.text("verdict.reason"), want)
		}
	}
	r := p.want(p.do("POST", shop+"/promotions/june:preview", p.keys[access.Viewer], `{"userId":"ada"}`), 200)
	if r.text("validUntil") != "2200-06-15T00:00:00Z" {
		t.Errorf("validUntil %q, want the start", r.text("validUntil"))
	}
}

func TestExplainOverHTTP(t *testing.T) {
	p := newPlane(t)
	p.declare()
	p.user("shop", "ada", `{"country":"US"}`)
	if _, failed, err := p.store.PutEvents(t.Context(), "shop", []profile.NewEvent{{UserID: "ben", Name: "purchase"}}); err != nil ||
		len(failed) > 0 {
		t.Fatal(failed, err)
	}
	p.publish("first", "user.country == 'US' && request.platform in ['ios', 'android']")
	p.publish("second", "user.country == 'US'")
	explain := shop + "/explain?promotion="
	key := p.keys[access.Viewer]

	yes := p.want(p.do("GET", explain+"first&userId=ada&context.platform=ios", key, ""), 200)
	if yes.at("eligible") != true || yes.at("placements.0.shown") != true || yes.text("rule.outcome") != "true" ||
		yes.number("rulesVersion") < 5 {
		t.Errorf("eligible: %s", yes.raw)
	}
	if yes.text("rule.root.parts.0.reads.0.value") != "'US'" {
		t.Errorf("value of the country: %s", yes.raw)
	}
	no := p.want(p.do("GET", explain+"first&userId=ada", key, ""), 200)
	if no.at("eligible") != false || no.text("reason") != "missing_attribute" || no.text("placements.0.reason") != "missing_attribute" {
		t.Errorf("missing context: %s", no.raw)
	}
	outranked := p.want(p.do("GET", explain+"second&userId=ada&context.platform=ios", key, ""), 200)
	if outranked.at("eligible") != true || outranked.at("placements.0.shown") != false ||
		outranked.text("placements.0.reason") != "outranked" {
		t.Errorf("outranked: %s", outranked.raw)
	}
	p.publish("third", "user.country == 'XX'")
	if third := p.want(p.do("GET", explain+"third&userId=ada&context.platform=ios", key, ""), 200); third.text("reason") != "rule_false" ||
		third.text("placements.0.reason") != "rule_false" {
		t.Errorf("of another country, in a full placement: %s", third.raw)
	}
	if events := p.want(p.do("GET", explain+"second&userId=ben", key, ""), 200); events.text("rule.detail") != "user.country" {
		t.Errorf("a user of whom only an event is known: %s", events.raw)
	}
	p.want(p.do("POST", shop+"/promotions/second:pause", p.keys[access.Publisher], ""), 200)
	if paused := p.want(p.do("GET", explain+"second&userId=ada", key, ""), 200); paused.text("reason") != "paused" ||
		paused.text("rule.outcome") != "true" {
		t.Errorf("paused: %s", paused.raw)
	}
	if push := p.want(p.do("GET", explain+"first&userId=ada&channel=push", key, ""), 200); push.text("reason") != "not_targeted" {
		t.Errorf("another channel: %s", push.raw)
	}

	p.put("draft", "true")
	p.problem(p.do("GET", explain+"draft&userId=ada", key, ""), 409, "not_published")
	p.problem(p.do("GET", explain+"nobody&userId=ada", key, ""), 404, "promotion_not_found")
	p.problem(p.do("GET", explain+"first&userId=zoe", key, ""), 404, "user_not_found")
	p.problem(p.do("GET", explain+"first", key, ""), 400, "invalid_parameter")
	p.problem(p.do("GET", explain+"first&userId=ada&context.country=US", key, ""), 400, "undeclared_context")
}

func TestContextOfEveryType(t *testing.T) {
	p := newPlane(t)
	p.declare()
	p.user("shop", "ada", `{}`)
	for name, typ := range map[string]string{"beta": "bool", "width": "int", "scale": "double", "installedAt": "timestamp"} {
		p.want(p.do("POST", shop+"/context", p.keys[access.Editor], `{"name":"`+name+`","type":"`+typ+`"}`), 201)
	}
	p.publish("a", "request.beta && request.width == 9007199254740993 && request.scale == 2.5 && request.platform == 'i\\\"os'"+
		" && request.installedAt == timestamp('2026-06-15T00:00:00Z')")
	r := p.want(p.do("GET", shop+"/explain?promotion=a&userId=ada&context.beta=true&context.width=9007199254740993&context.scale=2.5"+
		"&context.platform=i%22os&context.installedAt=2026-06-15T02:00:00%2B02:00", p.keys[access.Viewer], ""), 200)
	if r.at("eligible") != true {
		t.Errorf("explain: %s", r.raw)
	}
	p.want(p.do("GET", shop+"/explain?promotion=a&userId=ada&context.width=5e2", p.keys[access.Viewer], ""), 200) // as the decision plane takes it
	for _, bad := range []string{
		"beta=yes", "beta=1", "width=1.5", "width=null", "beta=null", "width=1e300", "width=9223372036854775808", "scale=1e400", "scale=NaN",
		"installedAt=today",
		"installedAt=0001-01-01T00:00:00Z",
	} {
		p.problem(p.do("GET", shop+"/explain?promotion=a&userId=ada&context."+bad, p.keys[access.Viewer], ""), 400, "wrong_type")
	}
}

func TestSchemaLists(t *testing.T) {
	p := newPlane(t)
	p.declare()
	key := p.keys[access.Editor]
	p.want(p.do("POST", shop+"/event-types", key, `{"name":"purchase","properties":{"category":"string"}}`), 201)
	same := p.want(p.do("POST", shop+"/event-types", key, `{"name":"purchase","properties":{"category":"string"}}`), 200)
	if same.text("properties.total") != "double" || same.text("properties.category") != "string" {
		t.Errorf("event type: %s", same.raw)
	}
	p.problem(p.do("POST", shop+"/event-types", key, `{"name":"purchase","properties":{"category":"int"}}`), 409, "exists")
	p.problem(p.do("POST", shop+"/event-types", key, `{"name":"embedded_click","properties":{"x":"int"}}`), 422, "schema_invalid")
	p.problem(p.do("POST", shop+"/placements", key, `{"placement":101,"name":"other"}`), 409, "exists")
	if put := p.want(p.do("PUT", shop+"/placements/101", key, `{"name":"banner","limit":3}`), 200); put.number("limit") != 3 {
		t.Errorf("placement: %s", put.raw)
	}
	p.problem(p.do("PUT", shop+"/placements/101", key, `{"placement":102,"name":"x"}`), 400, "invalid_value")
	p.problem(p.do("PUT", shop+"/placements/first", key, `{"name":"x"}`), 404, "not_found")
	if err := p.store.Observe(t.Context(), "shop", []profile.Observed{{What: "attribute", Name: "shoeSize", Type: "int"}}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/attributes": `{"name":"country","type":"string"}`, "/context": `{"name":"locale","type":"string"}`,
		"/placements": `{"placement":101,"name":"banner","limit":3}`, "/observed": `{"what":"attribute","name":"shoeSize","type":"int"}`,
		"/event-types": `"reserved":true`,
	} {
		if r := p.want(p.do("GET", shop+path, p.keys[access.Viewer], ""), 200); !strings.Contains(r.raw, want) {
			t.Errorf("%s: %s, want %s in it", path, r.raw, want)
		}
	}
	settings := p.want(p.do("PUT", shop, p.keys[access.Owner], `{"onStoreDown":"serve_stale","maxStale":"10m","timeZone":"Europe/Berlin"}`),
		200)
	if settings.text("maxStale") != "10m" || settings.text("onStoreDown") != "serve_stale" || settings.number("rulesVersion") < 5 {
		t.Errorf("settings: %s", settings.raw)
	}
	if again := p.want(p.do("POST", "/v1/projects", rootKey, `{"project":"shop"}`), 200); again.text("maxStale") != "10m" {
		t.Errorf("creating the project again: %s", again.raw)
	}
	projects := p.want(p.do("GET", "/v1/projects", rootKey, ""), 200)
	if projects.text("items.0.project") != "other" || projects.text("items.1.project") != "shop" {
		t.Errorf("projects: %s", projects.raw)
	}
}
