package engine

import (
	"fmt"
	"testing"
	"time"

	"eligibility/internal/rules"
)

// TestWithholdsListsEverythingBesideTheRule: a decision names the first reason, an explanation all of them.
func TestWithholdsListsEverythingBesideTheRule(t *testing.T) {
	later, earlier := noon.Add(time.Hour), noon.Add(-time.Hour)
	for name, tt := range map[string]struct {
		edit    func(p *rules.LivePromotion)
		channel string
		want    string
	}{
		"nothing":              {func(*rules.LivePromotion) {}, "embedded", "[]"},
		"a pause and the time": {func(p *rules.LivePromotion) { p.Paused, p.Promotion.Schedule = true, &rules.Schedule{Start: &later} }, "embedded", "[paused not_started in 1h0m0s]"},
		"the end":              {func(p *rules.LivePromotion) { p.Promotion.Schedule = &rules.Schedule{End: &earlier} }, "embedded", "[ended]"},
		"the holdout":          {func(p *rules.LivePromotion) { p.Promotion.Holdout = &rules.Holdout{Percent: 100, Salt: "s"} }, "embedded", "[held_out]"},
		"another channel":      {func(*rules.LivePromotion) {}, "push", "[not_targeted no_consent]"},
		"consent":              {func(p *rules.LivePromotion) { p.Promotion.Channels = []string{"whatsapp"} }, "whatsapp", "[no_consent]"},
		"the cap": {
			func(p *rules.LivePromotion) {
				p.Promotion.FrequencyCap = &rules.FrequencyCap{Impressions: 1, Per: rules.Duration(24 * time.Hour)}
			}, "embedded", "[frequency_cap in 23h0m0s]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, promotion("a", "true", 1, tt.edit))
			snap := s.user("US", event{"embedded_impression", time.Hour, `{"promotion":"a"}`})
			p, _ := s.rs.Promotion("a")
			req := Request{Now: noon.UnixNano(), Channel: tt.channel}
			var got []string
			for _, w := range Withholds(s.rs, snap, &req, p) {
				text := string(w.Reason)
				if w.Until != rules.Forever {
					text += " in " + time.Duration(w.Until-req.Now).String()
				}
				got = append(got, text)
			}
			if fmt.Sprint(got) != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
}
