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
	rs.coding = newCoding(coded, all, rs.fresh(prev))
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

// fresh is the rules that prev does not have. Both are in the order of ids and are walked side by side.
func (rs *Ruleset) fresh(prev *Ruleset) []*Rule {
	var known []*Compiled
	if prev != nil {
		known = prev.Promotions
	}
	var out []*Rule
	for _, c := range rs.Promotions {
		for len(known) > 0 && known[0].ID < c.ID {
			known = known[1:]
		}
		if len(known) == 0 || known[0].Rule != c.Rule {
			out = append(out, c.Rule)
		}
	}
	return out
}
