package rules

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
)

// TestIndexAfterIsWhatIsMadeAnew edits the candidates of a placement over and over: blocks, rows, code and groups are those of an index that is made of the candidates alone.
func TestIndexAfterIsWhatIsMadeAnew(t *testing.T) {
	d := newWholeRulesets(t, 11)
	rs, _ := d.ruleset(200)
	byAxis := make(map[int][]*Rule)
	for p := range rs.Promotions.All() {
		for _, s := range newLane(rs.coding, p.Rule, false).screens {
			byAxis[s.axis] = append(byAxis[s.axis], p.Rule)
		}
	}
	var sources []*Rule // that are all screened on one axis, or blocks as large as these would be closed to nobody and groups had nothing to say
	for axis := range rs.coding.axes {
		if rules := byAxis[axis]; len(rules) > len(sources) {
			sources = rules
		}
	}
	draw := func() *Compiled {
		id := fmt.Sprintf("q%04d", d.w.IntN(4000))
		rule := *sources[d.w.IntN(len(sources))]
		rule.mark = textHash(id)
		p := &Compiled{Promotion: &Promotion{ID: id, Placements: []PlacementTarget{{Placement: 1, Priority: int32(1 + d.w.IntN(30))}}}, Rule: &rule}
		p.render()
		return p
	}
	x, live := newIndex(rs.coding, nil, nil, 1), NewRoll[*Compiled]()
	taken, groups := 0, 0
	for step := range 120 {
		changes := 1 + d.w.IntN(3)
		if step < 20 || d.w.IntN(20) == 0 {
			changes = 150
		}
		changed := &succession{}
		before := live
		for range changes {
			if list := slices.Collect(live.All()); step >= 20 && (d.w.IntN(2) == 0 || len(list) > 2500) {
				id := list[d.w.IntN(len(list))].ID
				if b := x.blocks; len(b) > 0 && d.w.IntN(2) == 0 { // or the first of a block
					id = b[d.w.IntN(len(b))].candidates[0].Promotion.ID
				}
				live = live.Without(id)
				continue
			}
			next := draw()
			if old, ok := live.Find(next.ID); ok && d.w.IntN(2) == 0 {
				next = old.withPause(!old.Paused)
			}
			live = live.With(next)
		}
		for was, is := range live.since(before) {
			if was != nil {
				changed.gone = append(changed.gone, *was)
			}
			if is != nil {
				changed.come = append(changed.come, *is)
			}
		}
		next := x.after(rs.coding, changed, 1)
		anew := newIndex(rs.coding, rankedAt(live), nil, 1)
		sameIndex(t, step, next, anew)
		for _, b := range next.blocks {
			if slices.Contains(x.blocks, b) {
				taken++
			}
		}
		if len(x.groups) > 0 && len(next.groups) > 0 && len(next.groups[0].words) > 0 && len(x.groups[0].words) > 0 && &x.groups[0].words[0] == &next.groups[0].words[0] {
			groups++
		}
		x = next
	}
	if taken < 100 || groups < 5 {
		t.Errorf("%d blocks and %d groups were taken over, too few to say that any are", taken, groups)
	}
}

func rankedAt(live Roll[*Compiled]) []Candidate {
	var all []Candidate
	for p := range live.All() {
		all = append(all, p.candidate(0))
	}
	slices.SortFunc(all, byRank)
	return all
}

func sameIndex(t *testing.T, step int, got, want *index) {
	t.Helper()
	if !slices.Equal(startsOf(got), startsOf(want)) || got.size() != want.size() {
		t.Fatalf("step %d: blocks begin at %v, want %v", step, startsOf(got), startsOf(want))
	}
	for i, b := range got.blocks {
		if !b.holds(want.blocks[i].candidates) {
			t.Fatalf("step %d: block %d is of other candidates", step, i)
		}
		if !reflect.DeepEqual(b.code, want.blocks[i].code) || !slices.Equal(b.rows.closed, want.blocks[i].rows.closed) || b.rows.full != want.blocks[i].rows.full {
			t.Fatalf("step %d: block %d has other code or rows", step, i)
		}
	}
	for i := range got.groups {
		for _, class := range []int{0, 1, 2} {
			if x, y := groupWord(&got.groups[i], class), groupWord(&want.groups[i], class); !reflect.DeepEqual(x, y) {
				t.Fatalf("step %d: group %d says %v, want %v", step, i, x, y)
			}
		}
	}
}

// startsOf is the places of the blocks' first candidates.
func startsOf(x *index) []int {
	var starts []int
	from := 0
	for _, b := range x.blocks {
		starts = append(starts, from)
		from += len(b.candidates)
	}
	return starts
}

// groupWord is what a group says of a class, by axis.
func groupWord(g *blockGroup, class int) map[int]uint64 {
	said := make(map[int]uint64)
	for _, a := range g.axes {
		if word := g.words[a.from+class]; word != g.full {
			said[a.axis] = word
		}
	}
	return said
}

// TestNewTextLeavesOldCodingAlone: decisions read a coding's classes while a publish makes the next one.
func TestNewTextLeavesOldCodingAlone(t *testing.T) {
	d := newWholeRulesets(t, 5)
	compiled := func(id, source string) LivePromotion {
		return LivePromotion{Revision: 1, Promotion: &Promotion{ID: id, Name: id, Rule: source, Placements: []PlacementTarget{{Placement: 1, Priority: 1}}, Content: Content{Title: id}}}
	}
	spec := &Spec{Project: "p", Version: 1, Schema: d.schema, Context: worldContext, Placements: []Placement{{Placement: 1, Limit: 1}}, Promotions: NewRoll(compiled("a", "user.country == 'US'"))}
	before, err := d.compiler.Compile(spec, nil)
	if err != nil || len(before.Quarantined) > 0 {
		t.Fatal(err, before)
	}
	spec.Version, spec.Promotions = 2, spec.Promotions.With(compiled("b", "user.country == 'US' || user.country == 'DE'")) // the first text is known, the second is not
	after, err := d.compiler.Compile(spec, before)
	if err != nil || len(after.Quarantined) > 0 {
		t.Fatal(err, after)
	}
	symbols := func(rs *Ruleset) int {
		n := 0
		for i := range rs.coding.axes {
			n += len(rs.coding.axes[i].symbols)
		}
		return n
	}
	if symbols(before) != 1 || symbols(after) != 2 {
		t.Errorf("%d texts before have classes and %d after, want 1 and 2", symbols(before), symbols(after))
	}
}

// TestEncodingsOutliveNumbers: a comparison that lies between the cuts, or a window, changes nobody's classes.
func TestEncodingsOutliveNumbers(t *testing.T) {
	d := newWholeRulesets(t, 5)
	live := func(source string, revision int) LivePromotion {
		return LivePromotion{Revision: revision, Promotion: &Promotion{ID: "a", Name: "a", Rule: source, Placements: []PlacementTarget{{Placement: 1, Priority: 1}}, Content: Content{Title: "a"}}}
	}
	spec := &Spec{Project: "p", Version: 1, Schema: d.schema, Context: worldContext, Placements: []Placement{{Placement: 1, Limit: 1}}}
	var rs *Ruleset
	compile := func(source string) *coding {
		spec.Version, spec.Promotions = spec.Version+1, spec.Promotions.With(live(source, int(spec.Version)))
		var err error
		if rs, err = d.compiler.Compile(spec, rs); err != nil || len(rs.Quarantined) > 0 {
			t.Fatal(err, rs)
		}
		return rs.coding
	}
	first := compile("user.age > 10 && events.count('buy', duration('24h')) > 1")
	for _, tt := range []struct {
		source string
		same   bool
	}{
		{"user.age > 20 && events.count('buy', duration('24h')) > 1", true},
		{"user.age > 20 && events.count('buy', duration('36h')) > 1", true},
		{"user.age > 20 && user.country == 'US'", false},
		{"user.age > 30 && user.country == 'US'", true},
		{"user.age > 30 && user.country == 'DE'", false},
	} {
		next := compile(tt.source)
		if next == first || next.sortsLike(first) != tt.same {
			t.Errorf("%s: users are sorted like before: %t, want %t", tt.source, next.sortsLike(first), tt.same)
		}
		first = next
	}
}
