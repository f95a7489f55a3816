package rules

import (
	"math"
	"slices"
	"testing"
	"time"
)

// TestIndexViewSaysWhatTheIndexDoes holds the view's candidate rates against the walk that decisions take, of random rulesets and users.
func TestIndexViewSaysWhatTheIndexDoes(t *testing.T) {
	d := newWholeRulesets(t, 7)
	for range 5 {
		rs, _ := d.ruleset(60)
		// What a request decides counts as met: such rules are walked past more often than the view says.
		ours := slices.DeleteFunc(slices.Collect(rs.Promotions.All()), func(p *Compiled) bool {
			filed := newLane(rs.coding, p.Rule, false)
			if at, _ := rs.coding.file(p.Rule); at.axis > 0 && rs.coding.axes[at.axis-1].asked() {
				return true
			}
			return slices.ContainsFunc(append(filed.screens, filed.clause...), func(s screen) bool {
				from := rs.coding.axes[s.axis].from.from
				return from == fromRequest || from == fromChannel
			})
		})
		crowd := &sample{}
		visits := make(map[string]int)
		var s Scratch
		for who := range d.persons {
			in := d.cut[who]
			crowd.users = append(crowd.users, in.Snapshot)
			rs.Encode(in, &s)
			walk := rs.Placements[0].Walk(in, &s)
			for at, lane, more := walk.next(); more; at, lane, more = walk.next() {
				visits[at.candidates[lane].Promotion.ID]++
			}
		}
		for _, p := range ours {
			got, want := rs.indexed(p, crowd).CandidateRate, float64(visits[p.ID])/float64(len(d.persons))
			if math.Abs(got-want) > 1e-9 {
				t.Errorf("rule %s: the view says %v, the walk %v", p.Rule.source, got, want)
			}
		}
		total := 0
		for _, row := range rs.summary(crowd).Widest {
			total++
			if row.CandidateRate < 0 || row.CandidateRate > 1 {
				t.Errorf("rate %+v", row)
			}
		}
		if total != summaryWidest {
			t.Errorf("%d of the widest", total)
		}
	}
}

func TestIndexViewNamesWhatItSees(t *testing.T) {
	schema := worldSchema(t)
	rule := func(id, source string) LivePromotion {
		return LivePromotion{Revision: 3, Promotion: &Promotion{ID: id, Name: id, Rule: source, Placements: []PlacementTarget{{Placement: 1, Priority: 1}}, Content: Content{Title: id}}}
	}
	spec := &Spec{Project: "p", Version: 9, Schema: schema, Context: worldContext, Placements: []Placement{{Placement: 1, Limit: 1}, {Placement: 2, Limit: 1}}, Promotions: NewRoll(
		rule("a", "user.age >= 18 && user.age + 1 > 5 && 'a' in user.tags"),
		rule("b", "user.age >= 18 || events.count('buy', duration('24h')) > 2"),
		rule("c", "user.age + 1 > 5 && has(user.spent) && channel == 'push'"),
	)}
	rs, err := NewCompiler(time.Hour*24*90).Compile(spec, nil)
	if err != nil || len(rs.Quarantined) > 0 {
		t.Fatal(err, rs)
	}
	view := rs.indexed(rs.Promotions.parts[0][0], nil)
	if view.Revision != 3 || view.Version != 9 || view.Sample != 0 || view.CandidateRate != 0 || len(view.Placements) != 1 || view.Placements[0].Blocks == 0 {
		t.Errorf("%+v", view)
	}
	want := []IndexedLiteral{
		{Text: "user.age >= 18", Axis: "user.age", Promotions: 2},
		{Text: "user.age + 1 > 5", Interpreted: true, Promotions: 2},
		{Text: `"a" in user.tags`, Axis: "user.tags", Promotions: 1},
	}
	if !slices.EqualFunc(view.Literals, want, func(x, y IndexedLiteral) bool { x.Text, y.Text = unquoted(x.Text), unquoted(y.Text); return x == y }) {
		t.Errorf("literals %+v, want %+v", view.Literals, want)
	}
	sum := rs.summary(nil)
	if sum.Promotions != 3 || sum.Literals != 8 || sum.Distinct != 6 || sum.Shared != 2 || sum.Interpreted != 1 || sum.Unscreened != 1 || len(sum.Widest) != 0 {
		t.Errorf("%+v", sum)
	}
	if len(sum.Parts) != 1 || sum.Parts[0].Promotions != 2 || !slices.Equal(sum.Parts[0].Examples, []string{"a", "c"}) {
		t.Errorf("%+v", sum.Parts)
	}
	var names []string
	for _, a := range sum.Axes {
		names = append(names, a.Axis+": "+a.Kind)
	}
	if want := []string{"user.age: number", "user.tags: elements", "has(user.spent): presence", "channel: text"}; !slices.Equal(names, want) {
		t.Errorf("axes %q, want %q", names, want)
	}
	if len(sum.Placements) != 2 || sum.Placements[0].Candidates != 3 || sum.Placements[1].Blocks != 0 {
		t.Errorf("%+v", sum.Placements)
	}
}

// unquoted is a text without regard to how it is quoted.
func unquoted(text string) string {
	return string(slices.DeleteFunc([]byte(text), func(c byte) bool { return c == '\'' || c == '"' }))
}
