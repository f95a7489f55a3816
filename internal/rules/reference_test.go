package rules

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

//go:generate go test -run TestRuleReferenceIsCurrent -update-reference .

var updateReference = flag.Bool("update-reference", false, "rewrite the rule reference")

const ruleReference = "../../docs/reference/rules.md"

// referenceUser is the user of testdata/language.yaml that examples are about.
const referenceUser = "anna"

func TestExamplesOfTheReference(t *testing.T) {
	e := languageEnv(t)
	user := readLanguage(t).Users[referenceUser]
	for _, section := range Reference() {
		for _, entry := range section.Entries {
			tree, issues := e.check(entry.Example, checkLimits{})
			if tree == nil {
				t.Errorf("%s: %s: %+v", section.Title, entry.Example, issues)
				continue
			}
			in := languageInput(user.snapshot(e.schema, referenceUser))
			for kind, plan := range plans(t, e, tree) {
				if got := outcomeText(t, plan, in); got != entry.Want {
					t.Errorf("%s, %s: got %s, want %s", entry.Example, kind, got, entry.Want)
				}
			}
		}
	}
}

func TestRefusalsOfTheReference(t *testing.T) {
	e := languageEnv(t)
	for _, refusal := range Refusals() {
		_, issues := e.check(refusal.Example, checkLimits{})
		if !slices.ContainsFunc(issues, func(i Issue) bool { return i.Severity == SeverityError && i.Code == refusal.Code }) {
			t.Errorf("%s: got %+v, want %s", refusal.Example, issues, refusal.Code)
		}
	}
}

// TestEveryFunctionIsInTheReference holds the names of the declared functions and macros against the forms and examples.
func TestEveryFunctionIsInTheReference(t *testing.T) {
	var text strings.Builder
	for _, section := range Reference() {
		for _, entry := range section.Entries {
			text.WriteString(entry.Form + "\n" + entry.Example + "\n")
		}
	}
	e := languageEnv(t)
	for name, function := range e.cel.Functions() {
		if function.IsDeclarationDisabled() || strings.ContainsAny(name, "@_!") || internalFunctions[name] {
			continue
		}
		if !strings.Contains(text.String(), name+"(") {
			t.Errorf("function %s is not in the reference", name)
		}
	}
	for name := range eventForms {
		if !strings.Contains(text.String(), "events."+name+"(") {
			t.Errorf("events.%s is not in the reference", name)
		}
	}
}

// internalFunctions are functions of CEL that authors know by another form, or that make what a rule has no use for.
var internalFunctions = map[string]bool{"bool": true, "optional.of": true, "optional.ofNonZeroValue": true, "optional.none": true}

// TestEveryCodeHasAMeaning reads the constants of the package: a new code is not to be forgotten in the reference.
func TestEveryCodeHasAMeaning(t *testing.T) {
	known := make(map[string]bool)
	for _, m := range append(ReasonMeanings(), IssueMeanings()...) {
		known[m.Code] = true
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(gotoken.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Names) != 1 || len(spec.Values) != 1 {
				return true
			}
			value, ok := spec.Values[0].(*ast.BasicLit)
			name := spec.Names[0].Name
			if !ok || value.Kind != gotoken.STRING || !isCode(name) {
				return true
			}
			code, err := strconv.Unquote(value.Value)
			if err != nil {
				t.Fatal(err)
			}
			seen++
			if !known[code] {
				t.Errorf("%s: %s = %q has no meaning in reference_code.go", file, name, code)
			}
			return true
		})
	}
	if seen < 40 {
		t.Errorf("found only %d codes: were the constants renamed?", seen)
	}
}

func isCode(name string) bool {
	for _, prefix := range []string{"issue", "code", "Reason", "finding"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok && rest != "" && rest[0] >= 'A' && rest[0] <= 'Z' {
			return true
		}
	}
	return false
}

func TestRuleReferenceIsCurrent(t *testing.T) {
	want := renderReference()
	if *updateReference {
		if err := os.WriteFile(ruleReference, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(ruleReference)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/reference/rules.md is out of date: run `make generate`")
	}
}

func renderReference() string {
	var b strings.Builder
	b.WriteString("# The rule language\n\nGenerated from `internal/rules`. A rule is one expression of [CEL](https://cel.dev) that is true or false for a user. Every example is run by a test; all are about\n")
	b.WriteString("one user, at noon (UTC) of Monday 2026-06-15, on the channel `push`. She lives in Germany, is 41, and made three purchases in the last thirty days.\n")
	for _, section := range Reference() {
		fmt.Fprintf(&b, "\n## %s\n\n", section.Title)
		if section.About != "" {
			b.WriteString(section.About + "\n\n")
		}
		b.WriteString("| form | meaning | example | is |\n|---|---|---|---|\n")
		for _, e := range section.Entries {
			fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s |\n", cell(e.Form), cell(e.About), cell(e.Example), e.Want)
		}
	}
	b.WriteString("\n## Limits\n\n| what | at most |\n|---|---|\n")
	for _, bound := range Bounds() {
		fmt.Fprintf(&b, "| %s | %d |\n", bound.What, bound.Most)
	}
	b.WriteString("\nA window is at most as long as user events are kept, 720h unless the server says otherwise.\n")
	b.WriteString("\n## What is refused\n\nCEL knows more than rules may say.\n\n| refused | with | because |\n|---|---|---|\n")
	for _, r := range Refusals() {
		fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", cell(r.Example), r.Code, cell(r.About))
	}
	meanings(&b, "Reasons", "Why a promotion did or did not qualify. An error in a rule is \"not eligible\", never a failed request.", ReasonMeanings())
	meanings(&b, "Issues", "What a check finds, each with its place and, where there is one, a suggestion.", IssueMeanings())
	return b.String()
}

func meanings(b *strings.Builder, title, about string, all []Meaning) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n| code | meaning |\n|---|---|\n", title, about)
	for _, m := range all {
		fmt.Fprintf(b, "| `%s` | %s |\n", m.Code, cell(m.About))
	}
}

// cell is text within a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }
