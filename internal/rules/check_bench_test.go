package rules_test

import (
	"slices"
	"testing"
	"time"

	"eligibility/internal/rules"
)

// BenchmarkCheckRule is what an author waits for while typing: everything that is said about one rule, findings included. p50 is the metric that has a goal.
func BenchmarkCheckRule(b *testing.B) {
	s := newAuthoring(b, openStore(b), rules.ServiceConfig{})
	for _, tt := range []struct{ name, rule string }{
		{"ordinary", "user.country == 'US' && events.count('purchase', days(30)) >= 1 && events.count('purchase', days(1)) == 0"},
		{"contradiction", "user.country == 'US' && user.country in ['DE', 'FR'] && events.exists('purchase', days(7))"},
		{"misspelt", "user.contry == 'US' && events.count('purchase', days(30)) >= 1"},
		{"conditions", "events.count('purchase', days(30), e, e.total > 50.0) >= 2 && events.sum('purchase', 'total', days(7)) > 100.0 && user.country != 'US'"},
	} {
		b.Run(tt.name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				begun := time.Now()
				if _, err := s.CheckRule(b.Context(), project, tt.rule); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(begun))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2])/float64(time.Millisecond), "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100])/float64(time.Millisecond), "p99-ms")
		})
	}
}
