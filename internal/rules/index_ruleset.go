package rules

import "slices"

// makeIndex indexes every placement on so many goroutines, with what prev has indexed already; prev may be nil.
func (rs *Ruleset) makeIndex(prev *Ruleset, workers int) {
	var coded *coding
	if prev != nil && prev.Schema.Version == rs.Schema.Version && slices.Equal(prev.Context, rs.Context) {
		coded = prev.coding
	}
	fresh := make([]*Rule, 0, rs.Promotions.Len())
	for c := range rs.Promotions.All() {
		fresh = append(fresh, c.Rule)
	}
	rs.coding = newCoding(coded, fresh)
	rs.noteQuestions(nil, fresh)
	extends := rs.coding.extends(coded)
	for i, candidates := range rs.ranked() {
		table := &rs.Placements[i]
		var before *PlacementTable
		if extends {
			before, _ = prev.Placement(table.Placement.Placement)
		}
		table.fill(rs.coding, candidates, before, workers)
	}
}

// ranked is the candidates of every placement, first to be shown first. A placement that was never declared has none: nothing asks for it.
func (rs *Ruleset) ranked() [][]Candidate {
	all := make([][]Candidate, len(rs.Placements))
	for c := range rs.Promotions.All() {
		for i, target := range c.Placements {
			if at, ok := rs.placements[target.Placement]; ok {
				all[at] = append(all[at], c.candidate(i))
			}
		}
	}
	for _, candidates := range all {
		slices.SortFunc(candidates, byRank)
	}
	return all
}

// makeIndexAfter is makeIndex of a ruleset that differs from prev, whose placements it has, by what changed.
func (rs *Ruleset) makeIndexAfter(prev *Ruleset, changed *succession) {
	fresh := make([]*Rule, len(changed.come))
	for i, c := range changed.come {
		fresh[i] = c.Rule
	}
	if rs.coding = prev.coding.after(fresh, rs.Promotions.Len()); rs.coding == nil {
		rs.makeIndex(nil, 1)
		return
	}
	rs.noteQuestions(prev, fresh)
	for i := range rs.Placements {
		rs.Placements[i].follow(rs.coding, &prev.Placements[i], changed)
	}
}
