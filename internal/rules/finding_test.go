package rules

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"eligibility/internal/profile"

	"pgregory.net/rapid"
)

// meaningOf is what the findings say of a rule of the language tests.
func meaningOf(t testing.TB, e *env, rule string) []Issue {
	t.Helper()
	checked, issues := e.check(rule, checkLimits{})
	if checked == nil {
		t.Fatalf("%s does not check: %+v", rule, issues)
	}
	b, _, err := buildRule(e, checked, 720*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return meaning(b, rule)
}

// marked is a finding as "severity code «the text it marks» suggestion".
func marked(rule string, i Issue) string {
	from := i.Column - 1
	text := string([]rune(rule)[from : from+i.Length])
	return strings.TrimSpace(fmt.Sprintf("%s %s «%s» %s", i.Severity, i.Code, text, i.Suggestion))
}

func TestMeaning(t *testing.T) {
	e := languageEnv(t)
	const out, presence = "leave it out", "to ask for no more than that, write has("
	for _, tt := range []struct {
		name, rule string
		want       []string
	}{
		{
			"nothing lies between two whole numbers", "user.age > 30 && user.age < 31",
			[]string{"error always_false «user.age > 30 && user.age < 31»"},
		},
		{"but between two others", "user.lifetimeValue > 30.0 && user.lifetimeValue < 31.0", nil},
		{
			"the clash is marked, not the rest", "user.vip && user.age > 30 && user.age < 20",
			[]string{"error always_false «user.age > 30 && user.age < 20»"},
		},
		{
			"two values at once", "user.country == 'US' && user.country == 'DE'",
			[]string{"error always_false «user.country == 'US' && user.country == 'DE'» to allow either, use ||"},
		},
		{
			"a value that the list lacks", "user.country == 'US' && user.country in ['DE']",
			[]string{"error always_false «user.country == 'US' && user.country in ['DE']»"},
		},
		{
			"unlike one or unlike the other", "user.country != 'US' || user.country != 'DE'",
			[]string{"warning true_when_set «user.country != 'US' || user.country != 'DE'» to exclude all of them, use &&"},
		},
		{"unlike one and unlike the other", "user.country != 'US' && user.country != 'DE'", nil},
		{
			"there and not there", "has(user.age) && !has(user.age)",
			[]string{"error always_false «has(user.age) && !has(user.age)»"},
		},
		{
			"there or not there", "has(user.age) || !has(user.age)",
			[]string{"warning always_true «has(user.age) || !has(user.age)»"},
		},
		{
			"compared where it is absent", "!has(user.age) && user.age > 3",
			[]string{"error always_false «!has(user.age) && user.age > 3»"},
		},
		{"guarded by has", "has(user.age) && user.age > 3", nil},
		{
			"a default that does not help", "user.?age.orValue(0) < 0 && user.age > 5",
			[]string{"error always_false «user.?age.orValue(0) < 0 && user.age > 5»"},
		},
		{"a default that decides for some", "user.?age.orValue(0) < 18", nil},
		{
			"a negated comparison", "!(user.lifetimeValue >= 10.0) && user.lifetimeValue > 20.0",
			[]string{"error always_false «!(user.lifetimeValue >= 10.0) && user.lifetimeValue > 20.0»"},
		},
		{
			"more in a day than in a week", "events.count('purchase', hours(24)) >= 1 && events.count('purchase', hours(168)) == 0",
			[]string{"error always_false «events.count('purchase', hours(24)) >= 1 && events.count('purchase', hours(168)) == 0»"},
		},
		{"bought, but not today", "events.count('purchase', days(30)) >= 1 && events.count('purchase', days(1)) == 0", nil},
		{
			"who bought today bought this week", "events.exists('purchase', days(1)) && events.exists('purchase', days(7))",
			[]string{"warning redundant «events.exists('purchase', days(7))» " + out},
		},
		{"other types are other events", "events.exists('purchase', days(1)) && !events.exists('cart updated', days(7))", nil},
		{
			"an alternative that cannot be", "user.vip && (user.age > 30 && user.age < 20 || user.country == 'DE')",
			[]string{"warning unreachable «user.age > 30 && user.age < 20»"},
		},
		{
			"an alternative that cannot be here", "user.age > 30 && (user.vip || user.age < 20)",
			[]string{"warning unreachable «user.age < 20»"},
		},
		{
			"an alternative that is always met here", "user.age > 30 && (user.vip || user.age > 20)",
			[]string{"warning redundant «user.vip || user.age > 20» " + out},
		},
		{"a branch that cannot be", "user.age > 30 ? user.age < 20 : user.vip", []string{"warning unreachable «user.age < 20»"}},
		{"a weaker condition", "user.age > 20 && user.vip && user.age > 30", []string{"warning redundant «user.age > 20» " + out}},
		{"a stronger alternative", "user.age > 5 || user.age > 10", []string{"warning redundant «user.age > 10» " + out}},
		{
			"a stronger alternative with more", "user.age > 5 || user.age > 10 && user.vip",
			[]string{"warning redundant «user.age > 10 && user.vip» " + out},
		},
		{"the same again", "user.vip && user.country == 'US' && user.vip", []string{"warning redundant «user.vip» " + out}},
		{
			"the same again, whatever it is", "user.email.endsWith('x') || user.vip || user.email.endsWith('x')",
			[]string{"warning redundant «user.email.endsWith('x')» " + out},
		},
		{
			"what is not understood, and its opposite", "user.email.endsWith('x') && !user.email.endsWith('x')",
			[]string{"error always_false «user.email.endsWith('x') && !user.email.endsWith('x')»"},
		},
		{"a comparison that all pass", "user.country >= ''", []string{"warning true_when_set «user.country >= ''» " + presence + "user.country)"}},
		{
			"that all pass, beside others", "user.vip && (user.age > 5 || user.age <= 5)",
			[]string{"warning true_when_set «user.age > 5 || user.age <= 5» " + presence + "user.age)"},
		},
		{"no such channel", "channel == 'whatsap'", []string{"error always_false «channel == 'whatsap'» did you mean 'whatsapp'?"}},
		{"no such hour", "now.getHours('UTC') > 24", []string{"error always_false «now.getHours('UTC') > 24»"}},
		{"all buckets", "bucket('x') < 10000", []string{"warning always_true «bucket('x') < 10000»"}},
		{"some buckets", "bucket('x') < 2500", nil},
		{"none is always at least none", "events.count('purchase', days(1)) >= 0", []string{"warning always_true «events.count('purchase', days(1)) >= 0»"}},
		{
			"a size", "size(user.tags) > 3 && size(user.tags) < 2",
			[]string{"error always_false «size(user.tags) > 3 && size(user.tags) < 2»"},
		},
		{
			"the request", "request.platform == 'ios' && request.platform == 'android'",
			[]string{"error always_false «request.platform == 'ios' && request.platform == 'android'» to allow either, use ||"},
		},
		{
			"an interval of time turned round", "now < timestamp('2026-01-01T00:00:00Z') && now >= timestamp('2026-02-01T00:00:00Z')",
			[]string{"error always_false «now < timestamp('2026-01-01T00:00:00Z') && now >= timestamp('2026-02-01T00:00:00Z')»"},
		},
		{
			"an age turned round", "now - user.signedUpAt < days(3) && now - user.signedUpAt > days(5)",
			[]string{"error always_false «now - user.signedUpAt < days(3) && now - user.signedUpAt > days(5)»"},
		},
		{"a negated clash", "!(user.age > 30 || user.age < 31)", []string{"error always_false «user.age > 30 || user.age < 31»"}},
		{"constants are the author's own", "user.vip || false", nil},
		{"a built-in attribute", "has(user.email) && user.consent.push && user.timeZone != 'UTC'", nil},
		{"one that cannot be empty", "user.email == ''", []string{"error always_false «user.email == ''»"}},
		{"on a second line", "user.vip &&\nuser.age > 3", nil},
		{"an ordinary rule", "user.country in ['US', 'CA'] && user.age >= 18 && user.age <= 65 && !(user.vip && 'x' in user.tags)", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, issue := range meaningOf(t, e, tt.rule) {
				got = append(got, marked(tt.rule, issue))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s\n got %q\nwant %q", tt.rule, got, tt.want)
			}
		})
	}
}

// TestMeaningIsSo: what the findings say of a rule, or of a part of it, is so for every user: cel-go is asked.
func TestMeaningIsSo(t *testing.T) {
	schema := shop(t)
	c := NewCompiler(720 * time.Hour)
	e, err := c.env(schema, shopContext)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]int)
	rapid.Check(t, func(t *rapid.T) {
		source := ruleTexts().Draw(t, "rule")
		checked, _ := e.check(source, checkLimits{})
		if checked == nil {
			return
		}
		b, _, err := buildRule(e, checked, 720*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		issues := meaning(b, source)
		if len(issues) == 0 {
			return
		}
		whole := compileBoth(t, schema, source)
		var users []*Input
		for range 30 {
			users = append(users, inputs(schema).Draw(t, "input"))
		}
		for _, issue := range issues {
			found[issue.Code]++
			if !isSo(t, schema, whole, source, issue, users) {
				t.Fatalf("%s is flagged %+v, which is not so", source, issue)
			}
		}
	})
	t.Logf("findings: %v", found)
}

// isSo asks cel-go for every user. A part that never matters can be replaced by a constant, and nobody is told.
func isSo(t *rapid.T, schema *profile.Schema, whole bench, source string, issue Issue, users []*Input) bool {
	text := []rune(source)
	from, to := issue.Column-1, issue.Column-1+issue.Length
	same := func(replaced bench) bool {
		return !slices.ContainsFunc(users, func(in *Input) bool { return (replaced.oracleSays(in) == isTrue) != (whole.oracleSays(in) == isTrue) })
	}
	with := func(part string) bench {
		return compileBoth(t, schema, string(text[:from])+" "+part+" "+string(text[to:]))
	}
	switch issue.Code {
	case codeNever:
		return !slices.ContainsFunc(users, func(in *Input) bool { return whole.oracleSays(in) == isTrue })
	case codeAlways:
		return !slices.ContainsFunc(users, func(in *Input) bool { return whole.oracleSays(in) != isTrue })
	case issueUnreachable, issueRedundant:
		return same(with("true")) || same(with("false"))
	default: // true_when_set: the part has one value, or none
		part := compileBoth(t, schema, string(text[from:to]))
		said := make(map[outcome]bool)
		for _, in := range users {
			said[part.oracleSays(in)] = true
		}
		return !said[isTrue] || !said[isFalse]
	}
}

// TestMeaningTakesLittle bounds the work on rules that were made to be much of it.
func TestMeaningTakesLittle(t *testing.T) {
	e := languageEnv(t)
	repeat := func(n int, format string) string {
		var parts []string
		for i := range n {
			parts = append(parts, strings.ReplaceAll(format, "#", fmt.Sprint(i)))
		}
		return strings.Join(parts, " && ")
	}
	for name, rule := range map[string]string{
		"an ordinary rule":    "user.country == 'US' && user.lifetimeValue > 100.0 && events.count('purchase', days(30)) >= 1 && events.count('purchase', days(1)) == 0",
		"many constants":      repeat(120, "user.age != #"),
		"many windows":        repeat(40, "events.exists('purchase', hours(1 + #))"),
		"many counts":         repeat(8, "events.count('purchase', hours(1 + #)) != 3#"),
		"a long list":         "user.country in ['" + strings.Join(strings.Split(repeat(250, "x#"), " && "), "','") + "']",
		"many unknown terms":  repeat(60, "user.email.contains('#')"),
		"deep alternatives":   strings.Repeat("(user.vip || user.age > 1 && ", 20) + "user.vip" + strings.Repeat(")", 20),
		"many alternatives":   strings.ReplaceAll(repeat(100, "user.age == # && user.vip"), "vip && user", "vip || user"),
		"nested conditionals": strings.Repeat("user.vip ? user.age > 1 : (", 7) + "user.vip" + strings.Repeat(")", 7),
	} {
		t.Run(name, func(t *testing.T) {
			checked, issues := e.check(rule, checkLimits{})
			if checked == nil {
				t.Fatalf("%+v", issues)
			}
			best := time.Hour
			for range 5 {
				b, _, err := buildRule(e, checked, 720*time.Hour)
				if err != nil {
					t.Fatal(err)
				}
				begun := time.Now()
				meaning(b, rule)
				best = min(best, time.Since(begun))
			}
			t.Logf("%v for %d characters", best, len(rule))
			if best > time.Second { // it takes milliseconds; what this is about grows exponentially, and a busy machine does not
				t.Errorf("took %v", best)
			}
		})
	}
}
