package rules

import "testing"

func BenchmarkCheck(b *testing.B) {
	e := languageEnv(b)
	const rule = "user.country == 'US' && user.lifetimeValue > 100.0 && events.count('purchase', duration('720h')) >= 1 && " +
		"events.count('purchase', duration('24h')) == 0"
	for _, tt := range []struct{ name, rule string }{{"accepted", rule}, {"refused", "user.agee > 3 && " + rule}} {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e.check(tt.rule, checkLimits{})
			}
		})
	}
}

func BenchmarkNewEnv(b *testing.B) {
	schema := languageSchema(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := newEnv(schema, languageContext); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkInterpret(b *testing.B) {
	e := languageEnv(b)
	in := languageInput(readLanguage(b).Users["anna"].snapshot(e.schema, "anna"))
	for _, tt := range []struct{ name, rule string }{
		{"equal", "user.country == 'DE'"},
		{"in", "user.country in ['AT', 'DE']"},
		{"contains", "'a' in user.tags"},
		{"has", "has(user.address)"},
		{"missing", "user.consent.sms"},
		{"count", "events.count('purchase', days(30)) >= 1"},
		{"exists_condition", "events.exists('purchase', days(30), e, e.total > 50.0)"},
		{"sum_condition", "events.sum('purchase', 'total', days(30), e, e.category == 'tools') > 5.0"},
		{"last", "events.last('purchase').value() > now - days(3)"},
		{"version", "version(request.appVersion) >= version('5.2.0')"},
		{"hours", "now.getHours('Europe/Berlin') < 20"},
		{"matches", "user.email.matches('@example')"},
		{"bucket", "bucket('s') < 5000"},
	} {
		program := mustPlan(b, e, tt.rule)
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				program.Eval(in)
			}
		})
	}
}

func BenchmarkBucket(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Bucket("shop", "fathers-day-2026", "01J9ZK3T6YB0S1Q8W3N5R7V2XD")
	}
}
