package rules

import (
	"cmp"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"eligibility/internal/profile"

	"cel.dev/cel-go/cel"
)

// wholeRulesets compares what the index passes over, of whole rulesets, with cel-go's plain program of each rule.
type wholeRulesets struct {
	*differential
	encode         func(rs *Ruleset, in *Input, s *Scratch)
	pairs          int    // (user, rule, instant)
	skipped, found int    // of them
	extra          string // a rule that is in every ruleset, when it checks
}

func newWholeRulesets(t testing.TB, seed uint64) *wholeRulesets {
	return &wholeRulesets{differential: newDifferential(t, seed), encode: (*Ruleset).Encode}
}

// ruleset draws a ruleset, and publishes a part of it one by one: the index is then grown, not made.
func (d *wholeRulesets) ruleset(n int) (*Ruleset, []cel.Program) {
	spec := &Spec{Project: "p", Version: 1, Schema: d.schema, Context: worldContext, Placements: []Placement{{Placement: 1, Name: "home", Limit: n}}}
	oracles := make(map[string]cel.Program)
	var all []LivePromotion
	first := []string{d.extra}
	d.extra = ""
	crowd := d.w.one(2)
	if crowd { // leave no class for the texts of other rules
		first = append(first, crowded("user.country"), crowded("user.name"), crowded("user.id"), crowded("request.platform"))
	}
	for len(all) < n {
		source := d.w.indexed()
		if crowd && d.w.one(2) {
			source = "(" + source + ") && " + pick(d.w, "user.country == 'US'", "'DE' == user.country", "!(user.country != 'Łódź')", "user.name == 'Zoë'", "user.id == 'u'",
				"user.country == 'x7'", "request.platform == 'ios'")
		}
		if len(first) > 0 {
			source, first = cmp.Or(first[0], source), first[1:]
		}
		oracle := d.plain(source)
		if oracle == nil {
			continue
		}
		id := fmt.Sprintf("p%05d", len(all))
		oracles[id] = oracle
		all = append(all, LivePromotion{Revision: 1, Promotion: &Promotion{
			ID: id, Name: id, Rule: source, Placements: []PlacementTarget{{Placement: 1, Priority: int32(1 + d.w.IntN(n))}}, Content: Content{Title: id},
		}})
	}
	var rs *Ruleset
	for first := n - 5; first <= n; first++ {
		spec.Promotions, spec.Version = NewRoll(all[:first]...), spec.Version+1
		var err error
		if rs, err = d.compiler.Compile(spec, rs); err != nil || len(rs.Quarantined) > 0 {
			d.t.Fatalf("compile: %v, %+v", err, rs)
		}
	}
	ranked := make([]cel.Program, n)
	for i, c := range rs.Placements[0].All() {
		ranked[i] = oracles[c.Promotion.ID]
	}
	return rs, ranked
}

// crowded names more texts than an axis has classes for.
func crowded(of string) string {
	var texts []string
	for i := range maxSymbols {
		texts = append(texts, fmt.Sprintf("'x%d'", i))
	}
	return of + " in [" + strings.Join(texts, ", ") + "]"
}

// indexed is a rule, half of the time one of a form that marketers write and an index is for.
func (w world) indexed() string {
	if w.one(2) {
		return w.rule()
	}
	clause := func() string {
		return pick(w, w.plain(), w.eventCondition(), w.collection(), "'a' in user.tags", "'b' in user.tags && user.age >= 0", "has(user.spent)",
			"events.count('buy', "+w.window()+") "+w.op()+" "+pick(w, "0", "1", "2"))
	}
	text := clause()
	for range w.IntN(3) {
		text = "(" + text + ")" + pick(w, " && ", " && ", " || ") + "(" + clause() + ")"
	}
	return text
}

// round asks about some users; it returns what differs. What is passed over may not hold at the instant, and since the same is passed over at each, not at
// any other.
func (d *wholeRulesets) round(rules, users int) string {
	rs, oracles := d.ruleset(rules)
	table := &rs.Placements[0]
	ranked := table.ranked()
	var s Scratch
	for range users {
		who := d.w.IntN(len(d.persons))
		in := d.cut[who]
		for _, in.Now = range d.instants(who) {
			d.encode(rs, in, &s)
			walk := table.Walk(in, &s)
			at, lane, more := walk.next()
			for i, oracle := range oracles {
				d.pairs++
				want := evalOutcome(oracle, in)
				if !more || ranked[i] != &at.candidates[lane] {
					d.skipped++
					if want == isTrue {
						return fmt.Sprintf("rule %s, user %s at %s: passed over, but it holds", ranked[i].Promotion.Rule.source, d.describe(who), stampText(in.Now))
					}
					continue
				}
				d.found++
				rule := ranked[i].Promotion.Rule
				got := rule.Eval(in)
				if holds, until, _ := at.code.truth(lane, in, &s); holds != got.True || until != got.Until {
					return fmt.Sprintf("rule %s, user %s at %s: the code says %t until %d, the formula %t until %d",
						rule.source, d.describe(who), stampText(in.Now), holds, until, got.True, got.Until)
				}
				if at, lane, more = walk.next(); more && ranked[i].rank(&at.candidates[lane]) >= 0 {
					return fmt.Sprintf("the walk goes from %s to %s", ranked[i].Promotion.ID, at.candidates[lane].Promotion.ID)
				}
				if got.True != (want == isTrue) && (want != isError || d.whole[who] == nil) {
					return fmt.Sprintf("rule %s, user %s at %s: the engine says %v, cel-go %v", ranked[i].Promotion.Rule.source, d.describe(who), stampText(in.Now), got, want)
				}
			}
		}
	}
	return ""
}

// TestIndexAgreesWithCEL is law L6 of whole rulesets, and the part of L5 that is about what the index skips: a rule that it passes over does not
// hold for the user at any instant.
func TestIndexAgreesWithCEL(t *testing.T) {
	total := evaluations(t)
	began := time.Now()
	workers := runtime.GOMAXPROCS(0)
	tallies := make([]*wholeRulesets, workers)
	var group sync.WaitGroup
	for i := range workers {
		group.Go(func() {
			d := newWholeRulesets(t, uint64(began.UnixNano())+uint64(i))
			tallies[i] = d
			for d.pairs < total/workers+1 && d.failure == "" {
				d.failure = d.round(60, 20)
			}
		})
	}
	group.Wait()
	pairs, skipped := 0, 0
	for i, d := range tallies {
		pairs, skipped = pairs+d.pairs, skipped+d.skipped
		if d.failure != "" {
			t.Errorf("seed %d: %s", uint64(began.UnixNano())+uint64(i), d.failure)
		}
	}
	t.Logf("%d pairs, %d of them passed over, in %v", pairs, skipped, time.Since(began).Round(time.Millisecond))
	if !t.Failed() && (pairs < total || skipped < pairs/10 || skipped == pairs) {
		t.Errorf("the comparison compares too little: %d pairs, %d passed over", pairs, skipped)
	}
}

// TestIndexComparisonCatchesWrongIndexes: each of these is wrong in one way that somebody might write, and must be caught.
func TestIndexComparisonCatchesWrongIndexes(t *testing.T) {
	each := func(class func(a *axis, in *Input) uint8) func(*Ruleset, *Input, *Scratch) {
		return func(rs *Ruleset, in *Input, s *Scratch) {
			rs.Encode(in, s)
			for i := range rs.coding.axes {
				if a := &rs.coding.axes[i]; a.kind != axisMember {
					s.classes[i] = uint16(class(a, in))
				}
			}
		}
	}
	wrong := map[string]func(*Ruleset, *Input, *Scratch){
		"only the events so far count": each(func(a *axis, in *Input) uint8 {
			if a.kind == axisEvents && in.Snapshot.Events(a.from.slot).Since() == 0 {
				_, to := in.Snapshot.Events(a.from.slot).Window(in.Now-int64(24*time.Hour), math.MaxInt64/4)
				return uint8(min(to, mostEvents)) // the day to come is left out, and so is the last
			}
			return a.class(in)
		}),
		"minus zero is below zero": each(func(a *axis, in *Input) uint8 {
			if bits, ok := a.from.bits(in); a.kind == axisDouble && ok && math.Float64frombits(bits) == 0 && math.Signbit(math.Float64frombits(bits)) {
				return rank(a.doubles, -math.SmallestNonzeroFloat64)
			}
			return a.class(in)
		}),
		"ranks among other thresholds": each(func(a *axis, in *Input) uint8 {
			class := a.class(in)
			if a.kind == axisInt && class > classFirst {
				return class - 1
			}
			return class
		}),
		"what is unreadable is absent": each(func(a *axis, in *Input) uint8 {
			if a.kind == axisState && in.Snapshot.State(a.from.slot) == profile.Invalid {
				return 0
			}
			return a.class(in)
		}),
		"a list is its first element": func(rs *Ruleset, in *Input, s *Scratch) {
			rs.Encode(in, s)
			s.members = slices.Clone(s.members)
			for i, a := range rs.coding.axes {
				if at := s.classes[i]; a.kind == axisMember && s.members[at] > 0 {
					s.members[at] = 1
				}
			}
		},
		"texts without a symbol are all the same": each(func(a *axis, in *Input) uint8 {
			if class := a.class(in); a.kind != axisText || class < classCoarse {
				return class
			}
			return 1
		}),
		"what a publish brought is not seen": func(rs *Ruleset, in *Input, s *Scratch) {
			rs.Encode(in, s)
			first := rs.coding.root
			for i := range first.axes {
				if a := &first.axes[i]; a.kind != axisMember && !a.asked() {
					s.classes[i] = uint16(a.class(in))
				}
			}
		},
		"windows are found once for all time": func() func(*Ruleset, *Input, *Scratch) {
			var of *Ruleset
			var found map[*profile.Snapshot][]windowSpan
			return func(rs *Ruleset, in *Input, s *Scratch) {
				if of != rs {
					of, found = rs, make(map[*profile.Snapshot][]windowSpan)
				}
				rs.Encode(in, s)
				if found[in.Snapshot] == nil {
					found[in.Snapshot] = s.spans
				}
				s.spans = found[in.Snapshot]
			}
		}(),
		"the user before": func() func(*Ruleset, *Input, *Scratch) {
			var before *Input
			return func(rs *Ruleset, in *Input, s *Scratch) {
				if before != nil && before != in {
					rs.Encode(before, s)
				} else {
					rs.Encode(in, s)
				}
				before = in
			}
		}(),
	}
	for name, encode := range wrong {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newWholeRulesets(t, 11)
			d.encode = encode
			for d.pairs < 1_500_000 {
				if failure := d.round(60, 20); failure != "" {
					t.Logf("caught after %d pairs: %.200s", d.pairs, failure)
					return
				}
			}
			t.Errorf("not caught in %d pairs", d.pairs)
		})
	}
}

// TestRangesCoverWhatHolds: the class of a number is always among those in which a comparison that holds may hold.
func TestRangesCoverWhatHolds(t *testing.T) {
	doubles := []float64{math.Inf(-1), -1e308, -1, math.Copysign(0, -1), 0, math.SmallestNonzeroFloat64, 1, 2.5, 1 << 53, math.MaxFloat64, math.Inf(1), math.NaN()}
	ints := []int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, 19, 20, 1<<53 - 1, 1 << 53, 1<<53 + 1, math.MaxInt64 - 1, math.MaxInt64}
	real := axis{axisKey: axisKey{kind: axisDouble}, doubles: cutsOf(doubles)}
	whole := axis{axisKey: axisKey{kind: axisInt}, ints: cutsOf(ints)}
	for op := equals; op <= greaterEquals; op++ {
		for _, want := range []bool{true, false} {
			has := func(set classSet, class uint8) bool { return set.has(class) }
			for _, constant := range doubles {
				c := comparison[float64]{constant: constant, test: op}
				for _, v := range doubles {
					if class := rankDouble(real.doubles, v); ordered(v, op, constant) == want && !has(c.classes(&real, want), class) {
						t.Errorf("%v test %d %v is %t: class %d is left out", v, op, constant, want, class)
					}
				}
				for _, v := range ints {
					if ordered(float64(v), op, constant) == want && !has(c.classes(&whole, want), rank(whole.ints, v)) {
						t.Errorf("%d test %d %v is %t: its class is left out", v, op, constant, want)
					}
				}
			}
			for _, constant := range ints {
				c := comparison[int64]{constant: constant, test: op}
				for _, v := range ints {
					if ordered(v, op, constant) == want && !has(c.classes(&whole, want), rank(whole.ints, v)) {
						t.Errorf("%d test %d %d is %t: its class is left out", v, op, constant, want)
					}
				}
			}
		}
	}
}

// TestPublishTakesBlocksOver: one promotion more leaves all blocks but the one or two it falls into as they were.
func TestPublishTakesBlocksOver(t *testing.T) {
	d := newWholeRulesets(t, 3)
	rs, _ := d.ruleset(5000)
	table := &rs.Placements[0]
	before := table.index
	if len(before.blocks) < 6 {
		t.Fatalf("%d blocks are too few to say", len(before.blocks))
	}
	again := *table.ranked()[7].Promotion
	var candidates []Candidate
	for c := range before.all() {
		candidates = append(candidates, *c)
	}
	candidates = slices.Insert(candidates, 1500, Candidate{Promotion: &again})
	made := 0
	for _, b := range newIndex(rs.coding, candidates, before, 1).blocks {
		if !slices.Contains(before.blocks, b) {
			made++
		}
	}
	if made > 3 {
		t.Errorf("%d of %d blocks were made anew, want at most 3", made, len(before.blocks))
	}
}

// TestSuccessorIsWhatIsCompiledAnew: a ruleset made from the one before by what changed has the candidates of one that is made of everything, whatever was published, paused,
// moved or taken back in between.
func TestSuccessorIsWhatIsCompiledAnew(t *testing.T) {
	d := newWholeRulesets(t, 21)
	rs, _ := d.ruleset(80)
	live := slices.Collect(rs.live.All())
	pool := slices.Clone(live)
	for version := uint64(100); version < 400; version++ {
		for range 1 + d.w.IntN(3) {
			i := d.w.IntN(len(live))
			switch d.w.IntN(5) {
			case 0:
				live = slices.Delete(live, i, i+1)
			case 1:
				live[i].Paused = !live[i].Paused
			case 2:
				next := *live[i].Promotion
				next.Rule, next.Placements = pool[d.w.IntN(len(pool))].Promotion.Rule, []PlacementTarget{{Placement: 1, Priority: int32(1 + d.w.IntN(80))}}
				live[i].Promotion, live[i].Revision = &next, live[i].Revision+1
			case 3:
				next := *pool[d.w.IntN(len(pool))].Promotion
				at, found := slices.BinarySearchFunc(live, next.ID, func(l LivePromotion, id string) int { return strings.Compare(l.Promotion.ID, id) })
				if !found {
					live = slices.Insert(live, at, LivePromotion{Promotion: &next, Revision: 1000 + int(version)})
				}
			}
		}
		spec := &Spec{Project: "p", Version: version, Schema: d.schema, Context: worldContext, Placements: []Placement{{Placement: 1, Name: "home", Limit: 80}}, Promotions: NewRoll(live...)}
		before, stood := rs, rs.Placements[0].ranked()
		var err error
		if rs, err = d.compiler.Compile(spec, before); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(before.Placements[0].ranked(), stood) {
			t.Fatalf("version %d: the ruleset before, by which decisions are being made, has changed", version)
		}
		anew, err := d.compiler.Compile(spec, nil)
		if err != nil {
			t.Fatal(err)
		}
		same := func(x, y Candidate) bool {
			return x.Promotion.ID == y.Promotion.ID && x.Promotion.Paused == y.Promotion.Paused && x.Promotion.Revision == y.Promotion.Revision &&
				x.Promotion.Rule.source == y.Promotion.Rule.source && x.Priority == y.Priority && x.mark == y.mark && string(x.Fragment) == string(y.Fragment)
		}
		got, want := rs.Placements[0].ranked(), anew.Placements[0].ranked()
		if !slices.EqualFunc(got, want, func(x, y *Candidate) bool { return same(*x, *y) }) || rs.Promotions.Len() != anew.Promotions.Len() {
			t.Fatalf("version %d: %d candidates of %d promotions, made anew %d of %d, or others", version, len(got), rs.Promotions.Len(), len(want), anew.Promotions.Len())
		}
		placed := 0
		for _, x := range rs.Placements[0].indexes() {
			for _, b := range x.blocks {
				for j := range b.candidates {
					if found, ok := rs.Promotion(b.candidates[j].Promotion.ID); !ok || found != b.candidates[j].Promotion {
						t.Fatalf("version %d: %s stands in a block and not among the promotions", version, b.candidates[j].Promotion.ID)
					}
				}
				placed += len(b.candidates)
			}
		}
		if placed != rs.Promotions.Len() {
			t.Fatalf("version %d: the blocks have %d of %d promotions", version, placed, rs.Promotions.Len())
		}
	}
}
