package rules_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

var updateExplain = flag.Bool("update-explain", false, "rewrite testdata/explain.txt")

// explainNow is the instant of the explanations.
var explainNow = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

func explainSchema(t *testing.T) *profile.Schema {
	t.Helper()
	s := profile.NewSchema()
	for _, a := range []struct {
		name string
		typ  profile.Type
	}{
		{"country", profile.Type{Kind: profile.String}},
		{"age", profile.Type{Kind: profile.Int}},
		{"lifetimeValue", profile.Type{Kind: profile.Double}},
		{"vip", profile.Type{Kind: profile.Bool}},
		{"signedUpAt", profile.Type{Kind: profile.Timestamp}},
		{"tags", profile.Type{Kind: profile.String, Shape: profile.List}},
		{"scores", profile.Type{Kind: profile.Double, Shape: profile.Map}},
		{"address.city", profile.Type{Kind: profile.String}},
	} {
		var err error
		if s, err = s.WithAttribute(a.name, a.typ, false); err != nil {
			t.Fatal(err)
		}
	}
	s, err := s.WithEventType("purchase", map[string]profile.Type{"total": {Kind: profile.Double}, "category": {Kind: profile.String}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func explainUser(s *profile.Schema) *profile.Snapshot {
	var b profile.Builder
	b.Reset(s, profile.Key{Project: "shop", User: "ada"}, hlc.FromTime(explainNow))
	b.Found()
	b.Attributes([]byte(`{"country":"US","age":"old","tags":["vip","it's"],"scores":{"b":2.5,"a":1},"vip":true,"address":{"city":"Łódź"}}`))
	b.Event("purchase", explainNow.Add(-time.Hour).UnixNano(), []byte(`{"total":12.5,"category":"tools"}`))
	b.Event("purchase", explainNow.Add(-100*time.Hour).UnixNano(), []byte(`{"total":80}`))
	return b.Build()
}

func explainRuleset(t *testing.T, s *profile.Schema) *rules.Ruleset {
	t.Helper()
	rs, err := rules.NewCompiler(profile.DefaultRetention).Compile(&rules.Spec{
		Project: "shop", Version: 1, Schema: s,
		Context: []rules.ContextField{{Name: "platform", Type: profile.Type{Kind: profile.String}}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

// TestExplain holds explanations of one user against testdata/explain.txt: a rule, a line of dashes, and its tree.
func TestExplain(t *testing.T) {
	const file = "testdata/explain.txt"
	schema := explainSchema(t)
	rs, snap := explainRuleset(t, schema), explainUser(schema)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rewritten strings.Builder
	for i, example := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		rule, want, _ := strings.Cut(example, "\n----")
		want = strings.TrimPrefix(want, "\n")
		in := &rules.Input{Snapshot: snap, Channel: "embedded", Now: explainNow.UnixNano(), Context: []rules.ContextValue{{
			Set:  true,
			Text: "ios",
		}}}
		explanation, issues, err := rules.Explain(rs, rule, in)
		if err != nil || explanation == nil {
			t.Fatalf("explain %q: issues %v, error %v", rule, issues, err)
		}
		got := treeText(explanation)
		if got != want && !*updateExplain {
			t.Errorf("explain %q:\n%s\nwant:\n%s", rule, got, want)
		}
		if i > 0 {
			rewritten.WriteString("\n")
		}
		rewritten.WriteString(rule + "\n----\n" + got + "\n")
	}
	if *updateExplain {
		if err := os.WriteFile(file, []byte(rewritten.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// treeText prints an explanation with one line for each part.
func treeText(e *rules.Explanation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Outcome, e.Code)
	if e.Detail != "" {
		fmt.Fprintf(&b, " (%s)", e.Detail)
	}
	if e.Decisive != "" {
		fmt.Fprintf(&b, " because of %s", e.Decisive)
	}
	partText(&b, e.Root, "\n", "")
	for i, way := range e.Ways {
		for j, need := range way {
			mark := map[bool]string{true: "turns if", false: "and"}[j == 0]
			if i > 0 && j == 0 {
				mark = "or if"
			}
			fmt.Fprintf(&b, "\n%s [%s] %s", mark, need.Kind, need.Text)
			if need.Example != "" {
				fmt.Fprintf(&b, ", such as %s", need.Example)
			}
		}
	}
	if e.Turn != nil {
		fmt.Fprintf(&b, "\nby itself %s: %s", e.Turn.At.Format(time.RFC3339Nano), e.Turn.Text)
	}
	return b.String()
}

func partText(b *strings.Builder, p *rules.ExplanationPart, indent, mark string) {
	fmt.Fprintf(b, "%s%s%d:%d %s %s", indent, mark, p.Line, p.Column, p.Text, strings.ToUpper(string(p.Outcome)))
	if p.Operator != "" {
		fmt.Fprintf(b, " [%s]", p.Operator)
	}
	if p.Value != "" {
		fmt.Fprintf(b, " = %s", p.Value)
	}
	if p.Events != nil {
		fmt.Fprintf(b, " of %d:", p.Events.Total)
		for _, e := range p.Events.Shown {
			fmt.Fprintf(b, " %s%v", e.OccurredAt.Format("01-02T15:04"), e.Properties)
		}
	}
	if p.Code != "" {
		fmt.Fprintf(b, " %s %s", p.Code, p.Detail)
	}
	for _, part := range p.Parts {
		partText(b, part, indent+"  ", "")
	}
	for _, read := range p.Reads {
		partText(b, read, indent+"  ", "reads ")
	}
}

// TestExplainAgreesWithDecisions: an explanation's outcome is never another than the rule's own.
func TestExplainAgreesWithDecisions(t *testing.T) {
	schema := explainSchema(t)
	snap := explainUser(schema)
	parts := []string{
		"user.country == 'US'", "user.country == 'DE'", "user.age > 3", "user.lifetimeValue > 1.0", "user.vip", "has(user.lifetimeValue)",
		"events.count('purchase', duration('24h')) == 1", "events.exists('purchase', duration('24h'), e, e.total > 50.0)",
		"1 / size(user.tags) > 3",
	}
	var sources []string
	for _, a := range parts {
		for _, b := range parts {
			sources = append(sources, a+" && "+b, a+" || !("+b+")", "!("+a+" && "+b+")", a+" ? "+b+" : "+a)
		}
	}
	spec := &rules.Spec{Project: "shop", Version: 1, Schema: schema}
	for i, source := range sources {
		spec.Promotions = spec.Promotions.With(rules.LivePromotion{Promotion: &rules.Promotion{ID: fmt.Sprintf("p%04d", i), Rule: source}})
	}
	rs, err := rules.NewCompiler(profile.DefaultRetention).Compile(spec, nil)
	if err != nil || len(rs.Quarantined) > 0 {
		t.Fatalf("compile: %v, quarantined %v", err, rs.Quarantined)
	}
	for p := range rs.Promotions.All() {
		in := &rules.Input{Snapshot: snap, Now: explainNow.UnixNano()}
		verdict := p.Rule.Why(in)
		explanation, _, err := rules.Explain(rs, p.Promotion.Rule, in)
		if err != nil {
			t.Fatalf("explain %q: %v", p.Promotion.Rule, err)
		}
		want := verdict.Code
		if verdict.True {
			want = rules.ReasonEligible
		}
		if explanation.Code != want {
			t.Errorf("%q: explained as %s (%s), decided as %s (%s)", p.Promotion.Rule, explanation.Code, explanation.Detail, want, verdict.Detail)
		}
	}
}

func TestExplainOfARuleThatDoesNotCheck(t *testing.T) {
	schema := explainSchema(t)
	explanation, issues, err := rules.Explain(explainRuleset(t, schema), "user.agee > 3", &rules.Input{Snapshot: explainUser(schema)})
	if explanation != nil || err != nil || !rules.Failed(issues) {
		t.Errorf("explanation %v, issues %v, error %v; want issues alone", explanation, issues, err)
	}
}
