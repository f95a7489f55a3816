package rules

import "slices"

// makeIndex indexes every placement, with what prev has indexed already.
func (rs *Ruleset) makeIndex(prev *Ruleset) {
	all := make([]*Rule, len(rs.Promotions))
	for i, c := range rs.Promotions {
		all[i] = c.Rule
	}
	var coded *coding
	if prev != nil && prev.Schema.Version == rs.Schema.Version && slices.Equal(prev.Context, rs.Context) {
		coded = prev.coding
	}
	rs.coding = newCoding(coded, all)
	extends := rs.coding.extends(coded)
	for i := range rs.Placements {
		table := &rs.Placements[i]
		ranked := make([]*Rule, len(table.Candidates))
		for i := range table.Candidates {
			ranked[i] = table.Candidates[i].Promotion.Rule
		}
		var old *index
		if extends {
			if before, ok := prev.Placement(table.Placement.Placement); ok {
				old = before.index
			}
		}
		table.index = newIndex(rs.coding, ranked, old)
	}
}
