package rules

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var rewriteCheck = flag.Bool("rewrite-check", false, "rewrite testdata/check.txt from what the check says now")

// TestCheckSays holds every message, code and position against testdata/check.txt.
func TestCheckSays(t *testing.T) {
	const path = "testdata/check.txt"
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	e := languageEnv(t)
	var got bytes.Buffer
	for block := range strings.SplitSeq(strings.TrimSpace(string(want)), "\n\n") {
		if got.Len() > 0 {
			got.WriteString("\n")
		}
		if rule, ok := ruleOf(block); ok {
			_, issues := e.check(rule, checkLimits{})
			got.WriteString(renderIssues(rule, issues))
		} else {
			got.WriteString(block + "\n")
		}
	}
	if *rewriteCheck {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	compareLines(t, strings.Split(got.String(), "\n"), strings.Split(string(want), "\n"))
}

// ruleOf is the rule of a block: its lines that begin with >.
func ruleOf(block string) (string, bool) {
	var lines []string
	for line := range strings.SplitSeq(block, "\n") {
		if text, ok := strings.CutPrefix(line, ">"); ok {
			lines = append(lines, strings.TrimPrefix(text, " "))
		}
	}
	return strings.Join(lines, "\n"), len(lines) > 0
}

func renderIssues(rule string, issues []Issue) string {
	var b strings.Builder
	for i, line := range strings.Split(rule, "\n") {
		b.WriteString(strings.TrimRight("> "+line, " ") + "\n")
		for _, issue := range issues {
			if issue.Line == i+1 && issue.Length > 0 && issue.Column-1+issue.Length <= len([]rune(line)) {
				b.WriteString("  " + strings.Repeat(" ", issue.Column-1) + strings.Repeat("^", issue.Length) + "\n")
			}
		}
	}
	for _, issue := range issues {
		fmt.Fprintf(&b, "%s %s %d:%d+%d %s", issue.Severity, issue.Code, issue.Line, issue.Column, issue.Length, issue.Message)
		if issue.Suggestion != "" {
			fmt.Fprintf(&b, " (%s)", issue.Suggestion)
		}
		b.WriteString("\n")
	}
	if len(issues) == 0 {
		b.WriteString("ok\n")
	}
	return b.String()
}

func compareLines(t *testing.T, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		var g, w string
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Fatalf("line %d:\n got %s\nwant %s", i+1, g, w)
		}
	}
}

// TestEveryIssueCodeHasAnExample keeps the file above complete.
func TestEveryIssueCodeHasAnExample(t *testing.T) {
	text, err := os.ReadFile("testdata/check.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{
		issueSyntax, issueTooComplex, issueNesting, issueMustBeBool, issueField, issueReference, issueEventType, issueTypes,
		issueArity, issueRegexTooLarge, issueRegexNotConstant, issueRegex, issueZone, issueZoneNotConstant, issueLiteral, issueWindow,
		issueWindowConstant, issueShadowed, issueNotAllowed, issueEmptyList, issueConstantError,
	} {
		if !bytes.Contains(text, []byte(" "+code+" ")) {
			t.Errorf("no example of %s", code)
		}
	}
}

func TestIssuesAreOrderedAndBounded(t *testing.T) {
	e := languageEnv(t)
	rule := strings.TrimSuffix(strings.Repeat("user.nope == 1 || ", 30), " || ")
	tree, issues := e.check(rule, checkLimits{})
	if tree != nil || len(issues) != maxIssues {
		t.Fatalf("got %d issues and a tree: %v; want %d and none", len(issues), tree != nil, maxIssues)
	}
	if !slices.IsSortedFunc(issues, func(a, b Issue) int { return a.Column - b.Column }) {
		t.Errorf("issues are not in the order of the text: %+v", issues)
	}
}

func TestRetentionBoundsWindows(t *testing.T) {
	e := languageEnv(t)
	for _, tt := range []struct {
		rule      string
		retention time.Duration
		ok        bool
	}{
		{"events.exists('purchase', days(30))", 0, true},
		{"events.exists('purchase', duration('720h0m0.000000001s'))", 0, false},
		{"events.exists('purchase', days(90))", 90 * 24 * time.Hour, true},
		{"events.exists('purchase', days(2))", 24 * time.Hour, false},
		{"events.exists('purchase', hours(1) + hours(23))", 24 * time.Hour, true},
	} {
		tree, issues := e.check(tt.rule, checkLimits{retention: tt.retention})
		if (tree != nil) != tt.ok {
			t.Errorf("%s with retention %v: got %+v, want ok %v", tt.rule, tt.retention, issues, tt.ok)
		}
	}
}
