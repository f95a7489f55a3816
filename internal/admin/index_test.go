package admin_test

import (
	"testing"

	"eligibility/internal/access"
)

func TestIndexOverHTTP(t *testing.T) {
	p := sampled(t)
	viewer := p.keys[access.Viewer]
	p.publish("a", "user.country == 'DE' && user.country.startsWith('D')")
	r := p.want(p.do("GET", shop+"/promotions/a/index", viewer, ""), 200)
	for field, want := range map[string]float64{
		"sample": 40, "candidateRate": 0.25, "trueRate": 0.25, "screens.0.open": 1, "screens.0.passRate": 0.25, "revision": 1, "placements.0.rank": 1,
	} {
		if got := r.number(field); got != want {
			t.Errorf("%s is %v, want %v: %s", field, got, want, r.raw)
		}
	}
	if r.text("screens.0.axis") != "user.country" || r.text("literals.0.axis") != "user.country" || r.text("literals.1.axis") != "" {
		t.Errorf("axes: %s", r.raw)
	}
	sum := p.want(p.do("GET", shop+"/index", viewer, ""), 200)
	if sum.number("promotions") != 1 || sum.number("interpreted") != 1 || sum.text("parts.0.examples.0") != "a" || sum.number("widest.0.candidateRate") != 0.25 {
		t.Errorf("summary: %s", sum.raw)
	}
	p.put("draft", "true")
	p.problem(p.do("GET", shop+"/promotions/draft/index", viewer, ""), 409, "not_published")
	p.problem(p.do("GET", shop+"/promotions/nobody/index", viewer, ""), 404, "promotion_not_found")
	p.problem(p.do("GET", shop+"/index?promotion=a", viewer, ""), 400, "invalid_parameter")
}

// TestIndexWithoutASample: who cannot sample users gets the view without rates.
func TestIndexWithoutASample(t *testing.T) {
	p := newPlane(t)
	p.declare()
	p.publish("a", "user.country == 'DE'")
	r := p.want(p.do("GET", shop+"/promotions/a/index", p.keys[access.Viewer], ""), 200)
	if r.number("sample") != 0 || r.number("candidateRate") != 0 || r.number("screens.0.open") != 1 {
		t.Errorf("%s", r.raw)
	}
}
