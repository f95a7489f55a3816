package rules

import (
	"testing"
	"unicode/utf8"

	"eligibility/internal/profile"
)

// FuzzCheck holds any text against what the check promises: it never panics, a refusal has a place and a reason, and what it accepts can be
// planned and evaluated in every way with one answer.
func FuzzCheck(f *testing.F) {
	for _, rule := range exampleRules(f) {
		f.Add(rule)
	}
	e := languageEnv(f)
	users := readLanguage(f).Users
	var snapshots []*profile.Snapshot
	for _, name := range []string{"empty", "anna", "odd", "heavy"} {
		snapshots = append(snapshots, users[name].snapshot(e.schema, name))
	}
	f.Fuzz(func(t *testing.T, rule string) {
		tree, issues := e.check(rule, checkLimits{})
		if tree == nil && len(issues) == 0 {
			t.Fatal("refused without a reason")
		}
		runes := utf8.RuneCountInString(rule)
		for _, issue := range issues {
			if issue.Line < 1 || issue.Column < 1 || issue.Length < 0 || issue.Length > runes || issue.Code == "" || issue.Message == "" {
				t.Fatalf("an issue without a place or reason: %+v", issue)
			}
			if issue.Code == issueInternal {
				t.Fatalf("the check gave up: %+v", issue)
			}
			if tree != nil && issue.Severity == SeverityError {
				t.Fatalf("accepted with an error: %+v", issue)
			}
		}
		if tree == nil {
			return
		}
		plans := plans(t, e, tree)
		for _, snapshot := range snapshots {
			in := languageInput(snapshot)
			want := outcomeText(t, plans["plainly"], in)
			for kind, program := range plans {
				if got := outcomeText(t, program, in); got != want {
					t.Fatalf("%s: got %s, plainly %s", kind, got, want)
				}
			}
		}
	})
}
