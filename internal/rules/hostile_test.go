package rules

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestHostileRulesAreRefusedByCode holds shapes that were made to hurt against the code each must get. None may panic or take long.
func TestHostileRulesAreRefusedByCode(t *testing.T) {
	e := languageEnv(t)
	for _, tt := range []struct{ name, rule, code string }{
		{"thousands of brackets", strings.Repeat("(", 49_000), issueTooLong},
		{"as many brackets as fit", strings.Repeat("(", maxCodePoints), issueTooComplex},
		{"closed brackets", strings.Repeat("(", 2000) + "1" + strings.Repeat(")", 2000), issueTooComplex},
		{"negated brackets", strings.Repeat("!(", 1000) + "true" + strings.Repeat(")", 1000), issueTooComplex},
		{"nested lists", strings.Repeat("[", 200) + strings.Repeat("]", 200), issueTooComplex},
		{"chained comparison", strings.Repeat("a<", 2000) + "a", issueTooComplex},
		{"chained selection", "user" + strings.Repeat(".a", 400), issueTooComplex},
		{"chained sum", strings.Repeat("1+", 300) + "1 == 1", issueTooComplex},
		{"chained conditional", strings.Repeat("true?true:", 300) + "true", issueTooComplex},
		{"wide disjunction", strings.Repeat("true||", 600) + "true", issueTooComplex},
		{"wide list", "1 in [" + strings.Repeat("1,", 1500) + "1]", issueTooComplex},
		{"macros multiply nodes", strings.TrimSuffix(strings.Repeat("events.exists('purchase',days(1),e,e.gift)||", 60), "||"), issueTooComplex},
		{"long list literal", "'x' in [" + strings.Repeat("'abcdefgh',", 7000) + "'x']", issueTooLong},
		{"one character too many", strings.Repeat(" ", maxCodePoints-3) + "true", issueTooLong},
		{"many patterns", strings.TrimSuffix(strings.Repeat("user.email.matches('^a.*b$')&&", 60), "&&"), issueTooComplex},
		{
			"lists multiply", "(user.tags" + strings.Repeat("+user.tags", 5) + ").all(t," + strings.Repeat("t!='a'&&", 10) + "t!='b')",
			issueTooComplex,
		},
		{"nested quantifiers", "user.tags.all(a, user.tags.all(b, user.tags.all(c, a == b)))", issueNesting},
		{"exponential pattern", "user.email.matches('(a{0,500}b?){15}c$')", issueRegexTooLarge},
		{"pattern nested too deeply", "user.email.matches('" + strings.Repeat("(", 1500) + strings.Repeat(")", 1500) + "')", issueRegexTooLarge},
		{"optional list entry", "1 in [1, ?user.?age]", issueNotAllowed},
		{"optional map entry", "{'a': 1, ?'b': user.?age}['a'] == 1", issueNotAllowed},
		{"bytes in a list", "b'a' in [b'a']", issueNotAllowed},
		{"path for a zone", "now.getHours('../../../../etc/passwd') == 1", issueZone},
		{"not UTF-8", "user.country == '\xff'", issueSyntax},
		{"NUL", "user.country == \x00", issueSyntax},
		{"marks of our own messages", "user.country == \x00not_allowed\x00boo", issueSyntax},
		{"open quote at the end", "'", issueSyntax},
		{"open triple quote", "'''", issueSyntax},
		{"only quotes", strings.Repeat("'", 3001), issueSyntax},
		{"endless escapes", "'" + strings.Repeat("\\", 3000), issueSyntax},
		{"bad escape", `user.country == '\q'`, issueSyntax},
		{"hidden variable", "@events.purchase == 1", issueSyntax},
		{"hidden function", "@bucket(user, 'x') == 1", issueSyntax},
		{"reserved word", "package == 1", issueSyntax},
		{"number out of range", "user.age == 99999999999999999999", issueSyntax},
		{"right-to-left override", "user.country == 'a' \u202e&& true", issueSyntax},
	} {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Now()
			tree, issues := e.check(tt.rule, checkLimits{})
			if tree != nil || len(issues) == 0 {
				t.Fatalf("accepted; want %s", tt.code)
			}
			if issues[0].Code != tt.code || issues[0].Line < 1 || issues[0].Column < 1 || issues[0].Message == "" {
				t.Errorf("got %+v, want code %s", issues[0], tt.code)
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestLargestAcceptedRulesAreFast bounds what an accepted rule costs for a user who has as much of everything as is stored.
func TestLargestAcceptedRulesAreFast(t *testing.T) {
	e := languageEnv(t)
	var tags strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&tags, "%q,", fmt.Sprintf("tag-number-%d", i))
	}
	user := languageUser{Attributes: `{"country":"` + strings.Repeat("a", 190) + `","tags":[` + strings.TrimSuffix(tags.String(), ",") + `]}`}
	for i := range 200 {
		user.Events = append(user.Events, struct {
			Name, Properties string
			At               time.Time
		}{"purchase", fmt.Sprintf(`{"total":%d,"category":"category %d"}`, i, i), time.Unix(0, languageNow).Add(-time.Duration(i) * time.Hour)})
	}
	in := languageInput(user.snapshot(e.schema, "u"))
	for _, rule := range []string{
		"user.tags.all(t, !t.matches('^vip-(gold|silver)$'))",
		"user.tags.exists(t, t.startsWith('x') || t.contains('zzz') || t.endsWith('y'))",
		"events.count('purchase', days(30), e, e.category in user.tags) == 0",
		"events.count('purchase', days(30), e, e.category.matches('^cat.*9$') && e.total > 3.0) > 0",
		"user.country.matches('^(a|aa)+b$') || user.country.matches('(a*)*c')",
	} {
		tree, issues := e.check(rule, checkLimits{})
		if tree == nil {
			t.Errorf("%s: refused: %+v", rule, issues)
			continue
		}
		program, err := e.program(tree.NativeRep())
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		outcomeText(t, program, in)
		if took := time.Since(start); took > 2*time.Second { // it is milliseconds; this is for the race detector on a busy machine
			t.Errorf("%s took %v", rule, took)
		}
	}
}
