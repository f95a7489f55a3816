package admin_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"eligibility/internal/access"
	"eligibility/internal/admin"
	"eligibility/internal/rules"
)

// sampled is a control plane whose users can be sampled, with 40 users of whom 10 are in DE.
func sampled(t *testing.T) *plane {
	t.Helper()
	var p *plane
	later := func(_ *admin.Config, d *admin.Deps) {
		// The store is that of the plane, which is made before its dependencies are used.
		store, ok := d.Observer.(rules.Repo)
		if !ok {
			t.Fatal("the observer is no store")
		}
		sampler, _ := d.Observer.(rules.Sampler)
		d.Authoring = rules.NewService(store, rules.ServiceConfig{Sampler: sampler})
	}
	p = newPlane(t, later)
	p.declare()
	for i := range 40 {
		country := "US"
		if i%4 == 0 {
			country = "DE"
		}
		p.user("shop", fmt.Sprintf("u%02d", i), `{"country":"`+country+`"}`)
	}
	return p
}

func body(v any) string {
	encoded, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(encoded)
}

func TestEstimateOverHTTP(t *testing.T) {
	p := sampled(t)
	path := shop + "/rules:estimate"
	viewer := p.keys[access.Viewer]
	r := p.want(p.do("POST", path, viewer, body(map[string]string{"rule": "user.country == 'DE'"})), 200)
	for field, want := range map[string]float64{
		"sample": 40, "users": 40, "matching": 10, "share": 0.25, "low": 0.25, "high": 0.25, "confidence": 0.95, "gains": 10, "losses": 0,
		"reasons.rule_false": 30,
	} {
		if got := r.number(field); got != want {
			t.Errorf("%s is %v, want %v: %s", field, got, want, r.raw)
		}
	}
	p.publish("a", "user.country == 'DE'")
	against := p.want(p.do("POST", path, viewer, body(map[string]string{"promotion": "a", "rule": "user.country == 'US'"})), 200)
	if against.number("gains") != 30 || against.number("losses") != 10 {
		t.Errorf("against what is in force: %s", against.raw)
	}
	p.want(p.do("POST", path, viewer, `{"promotion":"a"}`), 200)
	p.problem(p.do("POST", path, viewer, `{}`), 400, "missing_field")
	p.problem(p.do("POST", path, viewer, `{"promotion":"nobody"}`), 404, "promotion_not_found")
	if bad := p.problem(p.do("POST", path, viewer, `{"rule":"user.contry == 'DE'"}`), 422, "rule_invalid"); bad.text("issues.0.code") != "undeclared_field" {
		t.Errorf("issues: %s", bad.raw)
	}
	p.problem(newPlane(t).do("POST", path, rootKey, `{"rule":"true"}`), 503, "store_unavailable")
}

func TestPublishAnswersWhomItReaches(t *testing.T) {
	p := sampled(t)
	p.put("a", "user.country == 'DE'")
	r := p.want(p.do("POST", shop+"/promotions/a:publish", p.keys[access.Publisher], ""), 200)
	if r.number("blastRadius.matching") != 10 || r.number("blastRadius.gains") != 10 {
		t.Errorf("publish: %s", r.raw)
	}
	p.put("a", "user.country == 'FR'")
	asked := p.problem(p.do("POST", shop+"/promotions/a:publish", p.keys[access.Publisher], ""), 422, "confirm_required")
	const want = `the rule matches none of the 40 users sampled; with 95 % confidence that is 0.0 % to 0.0 % of all; repeat with {"confirm":true} if that is what you mean`
	if asked.text("detail") != want {
		t.Errorf("asked with %q, want %q", asked.text("detail"), want)
	}
	p.want(p.do("POST", shop+"/promotions/a:publish", p.keys[access.Publisher], `{"confirm":true}`), 200)
}

func TestCompleteOverHTTP(t *testing.T) {
	p := sampled(t)
	path, viewer := shop+"/rules:complete", p.keys[access.Viewer]
	r := p.want(p.do("POST", path, viewer, body(map[string]any{"rule": "user.country == '", "position": 17})), 200)
	if r.text("items.0.label") != "US" || r.text("items.0.kind") != "value" || r.text("items.0.insert") != "US'" || r.number("from") != 17 {
		t.Errorf("values: %s", r.raw)
	}
	p.problem(p.do("POST", path, viewer, `{"position":0}`), 400, "missing_field")
	p.problem(p.do("POST", path, viewer, `{"rule":""}`), 400, "missing_field")
	p.problem(p.do("POST", path, viewer, `{"rule":"user","position":9}`), 400, "invalid_value")
}

func TestAContradictionIsNotPublished(t *testing.T) {
	p := sampled(t)
	p.put("a", "user.country == 'DE' && user.country == 'US'")
	r := p.problem(p.do("POST", shop+"/promotions/a:publish", p.keys[access.Publisher], `{"confirm":true}`), 422, "rule_invalid")
	if r.text("issues.0.code") != "always_false" || r.number("issues.0.length") != 44 {
		t.Errorf("issues: %s", r.raw)
	}
}
