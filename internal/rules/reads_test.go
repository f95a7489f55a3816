package rules

import (
	"math"
	"slices"
	"strings"
	"testing"

	"eligibility/internal/profile"
)

// readsText is what a rule reads as a person would list it.
func readsText(schema *profile.Schema, reads []read) string {
	var list []string
	for _, one := range reads {
		slot := int(one & (1<<readKind - 1))
		switch one >> readKind << readKind {
		case readAttribute:
			list = append(list, schema.Attributes[slot].Name)
		case readTimes:
			list = append(list, "times of "+schema.EventTypes[slot].Name)
		case readEvents:
			list = append(list, schema.EventTypes[slot].Name)
		default:
			list = append(list, "everything")
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func TestWhatARuleReads(t *testing.T) {
	schema := worldSchema(t)
	env, err := newEnv(schema, worldContext)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ rule, want string }{
		{"true", ""},
		{"user.id == 'ada' && bucket('summer') < 5000 && request.platform == 'ios' && channel == 'push'", ""},
		{"user.country == 'DE'", "country"},
		{"user.?country.orValue('DE') == 'DE' && has(user.age)", "age, country"},
		{"user.address.city == 'Bonn'", "address.city"},
		{"has(user.address.geo)", "address.geo.zip"},
		{"has(user.address)", "address.city, address.geo.zip"},
		{"user.consent.push && user.timeZone == 'UTC'", "consent.push, timeZone"},
		{"'a' in user.tags && user.tags.exists(t, t == user.name) && user.scores['a'] > 1.0", "name, scores, tags"},
		{"events.count('buy', days(7)) > 1 && events.exists('view', days(1))", "times of buy, times of view"},
		{"events.count('buy', days(7), e, e.total > user.spent) > 1", "buy, spent"},
		{"events.exists('buy', days(7), e, e.total > 1.0)", "buy"},
		{"events.sum('buy', 'total', days(7)) > 1.0 && events.count('buy', days(7)) > 1", "buy, times of buy"},
		{"events.last('cart updated').orValue(now) < now", "cart updated"},
		{"now.getHours(user.timeZone) > 8", "timeZone"},
	} {
		tree, issues := env.check(c.rule, checkLimits{retention: worldRetention})
		if tree == nil {
			t.Errorf("%s: %v", c.rule, issues)
			continue
		}
		if got := readsText(schema, readsOf(schema, tree.NativeRep().Expr())); got != c.want {
			t.Errorf("%s reads %q, want %q", c.rule, got, c.want)
		}
	}
}

// TestARuleReadsNoMoreThanItSays has random rules look at random users who know nothing but what the rule reads: each verdict and each explanation is that of the whole user.
func TestARuleReadsNoMoreThanItSays(t *testing.T) {
	schema := worldSchema(t)
	env, err := newEnv(schema, worldContext)
	if err != nil {
		t.Fatal(err)
	}
	compiler := NewCompiler(worldRetention)
	asked, partial := 0, 0
	for seed := range uint64(evaluations(t) / 500) {
		w := newWorld(seed)
		source := w.rule()
		rule, _ := compiler.rule(env, source)
		if rule == nil {
			continue
		}
		only := profile.NewProjection(schema)
		rule.Reads(only)
		if !only.Whole() {
			partial++
		}
		for range 4 {
			who := w.person()
			whole, part := who.input(schema, false), who.input(schema, false)
			part.Snapshot = who.part(schema, false, only)
			for _, at := range []int64{who.base, who.base + int64(w.ago()), whole.Now + 1} {
				whole.Now, part.Now = at, at
				want, got := rule.Why(whole), rule.Why(part)
				if asked++; got != want {
					t.Fatalf("seed %d: %s at %d\nreads %s\nof the part %+v\nof the whole %+v", seed, source, at, readsText(schema, rule.reads), got, want)
				}
				if got, want := rule.Eval(part), rule.Eval(whole); got != want {
					t.Fatalf("seed %d: %s at %d: of the part %+v, of the whole %+v", seed, source, at, got, want)
				}
			}
		}
	}
	if asked < 100 || float64(partial) < math.Sqrt(float64(asked)) {
		t.Fatalf("%d questions, %d rules that leave something out: the test tests nothing", asked, partial)
	}
	t.Logf("%d questions, %d rules", asked, partial)
}
