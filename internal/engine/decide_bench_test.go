package engine

import (
	"fmt"
	"testing"
	"time"

	"eligibility/internal/rules"
)

// BenchmarkDecideThousandPromotions is a decision in the worst case that a publish leaves behind: no answer may be reused, and no promotion of a thousand is
// for the user.
func BenchmarkDecideThousandPromotions(b *testing.B) {
	for _, tt := range []struct{ name, rule string }{
		{"attribute", "user.country == 'US' && events.count('buy', days(%d)) == 0"},
		{"events", "events.count('buy', days(%d)) >= 2 && user.country == 'US'"},
	} {
		var promotions []rules.LivePromotion
		for i := range 1000 {
			promotions = append(promotions, promotion(fmt.Sprintf("p%d", i), fmt.Sprintf(tt.rule, 1+i%30), int32(1+i)))
		}
		b.Run(tt.name, func(b *testing.B) {
			s := newShop(b, promotions...)
			snap := s.user("DE", event{"buy", time.Hour, `{"total":5}`})
			req := Request{Now: noon.UnixNano(), Channel: "embedded"}
			var d Decision
			b.ReportAllocs()
			for b.Loop() {
				Decide(s.rs, snap, &req, &d)
			}
		})
	}
}
