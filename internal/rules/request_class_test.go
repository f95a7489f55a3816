package rules

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRequestsOfOneClassGetTheSame: whatever two requests say, if they are of one class every rule of the ruleset has the same value for both, in cel-go's judgement.
func TestRequestsOfOneClassGetTheSame(t *testing.T) {
	d := newWholeRulesets(t, 5)
	merged, apart := 0, 0
	for range 12 {
		rs, oracles := d.ruleset(6 + d.w.IntN(6))
		for range 400 {
			who := d.w.IntN(len(d.persons))
			in := *d.cut[who]
			in.Context = d.w.context(in.Now)
			other := in
			other.Context = slices.Clone(in.Context)
			for slot, v := range d.w.context(in.Now) {
				if d.w.one(2) {
					other.Context[slot] = v
				}
			}
			if slices.Equal(in.Context, other.Context) {
				continue
			}
			if string(rs.AppendRequestClass(nil, in.Context)) != string(rs.AppendRequestClass(nil, other.Context)) {
				apart++
				continue
			}
			merged++
			for i, oracle := range oracles {
				if x, y := evalOutcome(oracle, &in), evalOutcome(oracle, &other); x != y {
					t.Fatalf("rule %s: %v for %+v, %v for %+v, which are of one class",
						rs.Placements[0].ranked()[i].Promotion.Rule.source, x, in.Context, y, other.Context)
				}
			}
		}
	}
	t.Logf("%d pairs of one class, %d of two", merged, apart)
	if merged < 100 || apart < 100 {
		t.Errorf("the comparison compares too little")
	}
}

// TestRequestClassIsWhatRulesAsk: an attribute that no rule reads tells no requests apart, one that rules compare does as far as they do.
func TestRequestClassIsWhatRulesAsk(t *testing.T) {
	schema := worldSchema(t)
	for _, tt := range []struct {
		name, rule string
		x, y       string // values of a text attribute of the request
		one        bool
	}{
		{"nobody asks", "user.age > 3", "ios", "web", true},
		{"neither is the one asked for", "request.FIELD == 'ios'", "web", "tv", true},
		{"one is", "request.FIELD == 'ios'", "ios", "tv", false},
		{"the value is used", "request.FIELD.startsWith('w')", "web", "wat", false},
		{"in a condition over events", "events.exists('buy', duration('24h'), e, request.FIELD == 'x')", "a", "b", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			slot := slices.IndexFunc(worldContext, func(f ContextField) bool { return f.Type.Kind == 0 || f.Type.String() == "string" })
			rule := strings.ReplaceAll(tt.rule, "FIELD", worldContext[slot].Name)
			spec := &Spec{Project: "p", Version: 1, Schema: schema, Context: worldContext, Placements: []Placement{{Placement: 1, Limit: 1}}, Promotions: NewRoll(
				LivePromotion{Revision: 1, Promotion: &Promotion{ID: "a", Name: "a", Rule: rule, Placements: []PlacementTarget{{Placement: 1, Priority: 1}}, Content: Content{Title: "a"}}},
			)}
			rs, err := NewCompiler(90*24*time.Hour).Compile(spec, nil)
			if err != nil || len(rs.Quarantined) > 0 {
				t.Fatal(err, rs.Quarantined)
			}
			class := func(text string) string {
				context := make([]ContextValue, len(worldContext))
				context[slot] = ContextValue{Set: true, Text: text}
				return string(rs.AppendRequestClass(nil, context))
			}
			if got := class(tt.x) == class(tt.y); got != tt.one {
				t.Errorf("%s and %s are of one class: %t, want %t", tt.x, tt.y, got, tt.one)
			}
		})
	}
}
