package rules

import "testing"

// FuzzRulesetAgreesWithCEL draws a small ruleset around a rule text, and users, and compares the index and its code with cel-go's plain programs.
func FuzzRulesetAgreesWithCEL(f *testing.F) {
	for _, rule := range []string{
		"user.age >= 18 && 'a' in user.tags", "(user.age > 5) != ('b' in user.tags)", "events.count('buy', days(7)) == 0 || has(user.spent)",
		"user.spent < 0.0 ? user.age > 1 : !(user.spent >= 10.0)", "user.tags.size() > 1 && user.name.startsWith('a')",
	} {
		f.Add(rule, uint64(1))
	}
	f.Fuzz(func(t *testing.T, rule string, seed uint64) {
		d := newWholeRulesets(t, seed)
		d.extra = rule
		if failure := d.round(8, 3); failure != "" {
			t.Error(failure)
		}
	})
}
