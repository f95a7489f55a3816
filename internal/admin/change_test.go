package admin_test

import (
	"strings"
	"testing"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/profile"
)

// TestExplainSaysWhatWouldChange: for a user who does not qualify the way there, with what withholds the promotion beside its rule; for one
// who does, what would end it.
func TestExplainSaysWhatWouldChange(t *testing.T) {
	p := newPlane(t)
	p.declare()
	p.user("shop", "ada", `{"country":"US"}`)
	p.user("shop", "ben", `{"country":"DE"}`)
	bought := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	if _, failed, err := p.store.PutEvents(t.Context(), "shop", []profile.NewEvent{
		{UserID: "ada", Name: "purchase", OccurredAt: bought, Properties: []byte(`{"total":80}`)},
		{UserID: "ada", Name: "purchase", OccurredAt: bought.Add(-time.Minute), Properties: []byte(`{"total":5}`)},
	}); err != nil || len(failed) > 0 {
		t.Fatal(failed, err)
	}
	p.publish("quiet", "user.country == 'US' && events.count('purchase', hours(24)) == 0")
	p.publish("buyers", "events.exists('purchase', days(7), e, e.total > 50.0)")
	key, explain := p.keys[access.Viewer], shop+"/explain?promotion="

	waits := p.want(p.do("GET", explain+"quiet&userId=ada", key, ""), 200)
	turn := bought.Add(24 * time.Hour).Format(time.RFC3339)
	if waits.text("changes.0.kind") != "time" || waits.text("changes.0.at") != turn || waits.text("turns.at") != turn ||
		!strings.Contains(waits.text("turns.text"), "when there was no purchase for 24h") || waits.text("validUntil") != bought.Add(24*time.Hour-time.Minute).Format(time.RFC3339) {
		t.Errorf("a window that has to pass: %s", waits.raw)
	}
	moves := p.want(p.do("GET", explain+"quiet&userId=ben", key, ""), 200)
	if moves.text("changes.0.kind") != "attribute" || moves.text("changes.0.attribute") != "user.country" || moves.text("changes.0.now") != "'DE'" ||
		moves.text("changes.0.need") != "== 'US'" || moves.body["turns"] != nil {
		t.Errorf("an attribute that has to change: %s", moves.raw)
	}
	buys := p.want(p.do("GET", explain+"buyers&userId=ben", key, ""), 200)
	if buys.text("changes.0.kind") != "event" || buys.text("changes.0.eventType") != "purchase" || buys.number("changes.0.count") != 1 ||
		buys.number("changes.0.properties.total") <= 50 {
		t.Errorf("an event that has to happen: %s", buys.raw)
	}
	bought7 := p.want(p.do("GET", explain+"buyers&userId=ada", key, ""), 200)
	if bought7.text("turns.at") != bought.Add(7*24*time.Hour).Format(time.RFC3339) || bought7.text("changes.0.kind") != "time" ||
		bought7.number("rule.root.events.total") != 1 || bought7.text("rule.root.events.shown.0.properties.total") != "80.0" {
		t.Errorf("what ends it, and the events that matched: %s", bought7.raw)
	}

	p.want(p.do("POST", shop+"/promotions/buyers:pause", p.keys[access.Publisher], ""), 200)
	paused := p.want(p.do("GET", explain+"buyers&userId=ada", key, ""), 200)
	if items := paused.items("changes"); len(items) != 1 || paused.text("changes.0.kind") != "suppression" || paused.text("changes.0.reason") != "paused" {
		t.Errorf("a pause is all that withholds it: %s", paused.raw)
	}
	both := p.want(p.do("GET", explain+"buyers&userId=ben", key, ""), 200)
	if both.text("changes.0.kind") != "event" || both.text("changes.1.reason") != "paused" {
		t.Errorf("a pause and the rule: %s", both.raw)
	}
}

// TestPreviewExplainsUnlessToldNotTo: the same for an unpublished revision at a chosen time.
func TestPreviewExplainsUnlessToldNotTo(t *testing.T) {
	p := newPlane(t)
	p.declare()
	p.user("shop", "ada", `{"country":"US"}`)
	document := strings.Replace(promotion("June", "user.country == 'US'"), `"name"`,
		`"schedule":{"start":"2200-06-15T00:00:00Z","end":"2200-06-22T00:00:00Z"},"name"`, 1)
	p.want(p.do("PUT", shop+"/promotions/june", p.keys[access.Editor], document), 201)
	path, key := shop+"/promotions/june:preview", p.keys[access.Viewer]
	early := p.want(p.do("POST", path, key, `{"userId":"ada","now":"2200-06-14T12:00:00Z","explain":true}`), 200)
	if early.text("verdict.changes.0.reason") != "not_started" || early.text("verdict.changes.0.until") != "2200-06-15T00:00:00Z" ||
		early.text("verdict.turns.text") != "in 12h, when its schedule begins" || early.at("verdict.rule") == nil {
		t.Errorf("before it starts: %s", early.raw)
	}
	running := p.want(p.do("POST", path, key, `{"userId":"ada","now":"2200-06-21T00:00:00Z"}`), 200)
	if running.text("verdict.turns.at") != "2200-06-22T00:00:00Z" || running.text("verdict.turns.text") != "in 24h, when its schedule ends" ||
		running.text("verdict.changes.0.need") != "!= 'US'" {
		t.Errorf("while it runs: %s", running.raw)
	}
	short := p.want(p.do("POST", path, key, `{"userId":"ada","explain":false}`), 200)
	if short.at("verdict.rule") != nil || short.at("verdict.changes") != nil || short.text("verdict.reason") != "not_started" {
		t.Errorf("without an explanation: %s", short.raw)
	}
}
