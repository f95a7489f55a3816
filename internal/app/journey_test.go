package app

import (
	"strings"
	"testing"
	"time"

	"eligibility/internal/hlc"
)

// TestJourney is what a newcomer does: declare, publish, send a user and events, and watch the answer change.
func TestJourney(t *testing.T) {
	r := start(t).shop()
	r.publish("abandoned-cart", "events.exists('cart_added', hours(24)) && !events.exists('purchase', hours(24))", "")
	r.publish("welcome", "user.country == 'US' && user.age >= 18", `,"campaignId":7`)

	r.must(200, "decision", "PUT", "/v1/users/ada", r.keys["server"], `{"email":"Ada@example.com","attributes":{"country":"US","age":36,"shoeSize":38}}`)
	cart := r.must(200, "decision", "POST", "/v1/events", r.keys["server"], `[{"userId":"ada","name":"cart_added","properties":{"sku":"mug"}}]`).json(t)
	shown, before := r.decide("ada", cart["asOf"])
	if shown != "101:abandoned-cart 102:" {
		t.Fatalf("with a cart: %s", shown)
	}
	bought := r.must(200, "decision", "POST", "/v1/events", r.keys["server"], `[{"userId":"ada","name":"purchase","properties":{"total":12.5}}]`).json(t)
	shown, after := r.decide("ada", nil)
	if shown != "101:welcome 102:" {
		t.Fatalf("after the purchase: %s", shown)
	}
	if !stamp(t, after["asOf"]).After(stamp(t, before["asOf"])) || stamp(t, after["asOf"]).Before(stamp(t, bought["asOf"])) {
		t.Errorf("asOf went from %v over the commit %v to %v", before["asOf"], bought["asOf"], after["asOf"])
	}
	if after["degraded"] != false || before["degraded"] != false {
		t.Error("a healthy replica answers degraded")
	}
	user := r.must(200, "decision", "GET", "/v1/users/ada", r.keys["server"], nil).json(t)
	if user["email"] != "ada@example.com" || user["attributes"].(map[string]any)["shoeSize"] != 38.0 || len(user["events"].([]any)) != 2 {
		t.Errorf("stored user: %v", user)
	}
	r.must(200, "decision", "DELETE", "/v1/users/ada", r.keys["server"], nil)
	if shown, _ = r.decide("ada", nil); shown != "101: 102:" {
		t.Errorf("after the erasure: %s", shown)
	}
}

func stamp(t testing.TB, v any) hlc.Timestamp {
	t.Helper()
	text, _ := v.(string)
	s, err := hlc.Parse(text)
	if err != nil {
		t.Fatalf("asOf %v: %v", v, err)
	}
	return s
}

// TestTimeAloneChangesTheAnswerAtTheAnnouncedInstant waits with no write for the instant that the answer announced.
func TestTimeAloneChangesTheAnswerAtTheAnnouncedInstant(t *testing.T) {
	r := start(t).shop()
	r.publish("thanks", "events.exists('cart_added', hours(1)) && !events.exists('cart_added', duration('2s'))", "")
	r.must(200, "decision", "POST", "/v1/events", r.keys["server"], `[{"userId":"ben","name":"cart_added"}]`)
	shown, answer := r.decide("ben", nil)
	if shown != "101: 102:" {
		t.Fatalf("at once: %s", shown)
	}
	announced, err := time.Parse(time.RFC3339Nano, answer["validUntil"].(string))
	if err != nil {
		t.Fatal(err)
	}
	var last time.Time // a time of the database at which the message was surely not shown yet
	for {
		shown, answer = r.decide("ben", nil)
		if shown != "101: 102:" {
			break
		}
		last = stamp(t, answer["asOf"]).Time()
		if time.Since(announced) > 5*time.Second {
			t.Fatalf("announced for %v, not there at %v", announced, last)
		}
	}
	if !last.Before(announced) {
		t.Errorf("at %v the message was still missing, announced for %v", last, announced)
	}
	if asOf := stamp(t, answer["asOf"]).Time(); asOf.Before(announced.Add(-time.Second)) {
		t.Errorf("the message came with asOf %v, long before the announced %v", asOf, announced)
	}
}

func TestExplainNamesReasonAndSubExpression(t *testing.T) {
	r := start(t).shop()
	r.publish("adults", "user.country == 'US' && user.age >= 18", "")
	r.publish("buyers", "events.count('purchase', days(7)) >= 2", "")
	r.must(200, "decision", "PUT", "/v1/users/kid", r.keys["server"], `{"attributes":{"country":"US","age":9}}`)
	answer := r.must(200, "decision", "POST", "/v1/eligibility", r.keys["server"], `{"userId":"kid","explain":true}`)
	for _, want := range []string{`"promotion":"adults"`, `"reason":"rule_false"`, `user.age >= 18`, `"promotion":"buyers"`, `events.count(`} {
		if !strings.Contains(string(answer.body), want) {
			t.Errorf("%s lacks %s", answer.body, want)
		}
	}
	if got := r.call("decision", "POST", "/v1/eligibility", r.keys["client"], `{"userId":"kid","explain":true}`); got.status != 403 || got.json(t)["code"] != "explain_not_allowed" {
		t.Errorf("a client key asked for explanations: %d %s", got.status, got.body)
	}
}

func TestPublishRefusesAMisspeltAttributeWithThePlace(t *testing.T) {
	r := start(t).shop()
	body := `{"id":"typo","name":"Typo","rule":"user.agee > 3","placements":[{"placement":101,"priority":1}],"content":{"title":"x"}}`
	r.must(201, "control", "PUT", "/v1/projects/shop/promotions/typo", r.keys["admin"], body)
	refused := r.must(422, "control", "POST", "/v1/projects/shop/promotions/typo:publish", r.keys["admin"], nil).json(t)
	issue := refused["issues"].([]any)[0].(map[string]any)
	if refused["code"] != "rule_invalid" || issue["line"] != 1.0 || issue["column"] != 6.0 || issue["length"] != 4.0 || issue["suggestion"] != "did you mean user.age?" {
		t.Errorf("refused with %v", refused)
	}
	if shown, _ := r.decide("anyone", nil); shown != "101: 102:" {
		t.Errorf("a refused promotion is shown: %s", shown)
	}
}

func TestLifeCycleIsLiveWhenItAnswers(t *testing.T) {
	r := start(t).shop()
	r.publish("sale", "true", "")
	if shown, _ := r.decide("u", nil); shown != "101:sale 102:" {
		t.Fatalf("published: %s", shown)
	}
	verb := func(v, body string) {
		t.Helper()
		r.must(200, "control", "POST", "/v1/projects/shop/promotions/sale:"+v+"?wait=5s", r.keys["admin"], body)
	}
	verb("pause", "")
	if shown, _ := r.decide("u", nil); shown != "101: 102:" {
		t.Errorf("paused: %s", shown)
	}
	verb("resume", "")
	r.publish("sale", "user.country == 'DE'", "")
	if shown, _ := r.decide("u", nil); shown != "101: 102:" {
		t.Errorf("second revision: %s", shown)
	}
	verb("rollback", `{"revision":1,"confirm":true}`)
	if shown, _ := r.decide("u", nil); shown != "101:sale 102:" {
		t.Errorf("rolled back: %s", shown)
	}
	status := r.must(200, "control", "GET", "/v1/projects/shop/status", r.keys["admin"], nil).json(t)
	if len(status["replicas"].([]any)) != 1 {
		t.Errorf("status: %v", status)
	}
}
