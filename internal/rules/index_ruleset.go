package rules

import "slices"

// makeIndex indexes every placement, with what prev has indexed already; prev may be nil.
func (rs *Ruleset) makeIndex(prev *Ruleset) {
	var coded *coding
	if prev != nil && prev.Schema.Version == rs.Schema.Version && slices.Equal(prev.Context, rs.Context) {
		coded = prev.coding
	}
	fresh := make([]*Rule, len(rs.Promotions))
	for i, c := range rs.Promotions {
		fresh[i] = c.Rule
	}
	rs.coding = newCoding(coded, rs.Promotions, fresh)
	rs.noteQuestions(nil, fresh)
	rs.indexTables(prev, coded)
}

// makeIndexAfter is makeIndex of a ruleset that differs from prev by the promotions that came, and by some that are gone.
func (rs *Ruleset) makeIndexAfter(prev *Ruleset, came []*Compiled) {
	fresh := make([]*Rule, len(came))
	for i, c := range came {
		fresh[i] = c.Rule
	}
	if rs.coding = newCoding(prev.coding, rs.Promotions, fresh); !rs.coding.extends(prev.coding) {
		rs.makeIndex(nil)
		return
	}
	rs.noteQuestions(prev, fresh)
	rs.indexTables(prev, prev.coding)
}

// indexTables makes the index of every placement. Blocks of prev are good when its coding was extended.
func (rs *Ruleset) indexTables(prev *Ruleset, coded *coding) {
	extends := rs.coding.extends(coded)
	for i := range rs.Placements {
		table := &rs.Placements[i]
		var old *index
		if extends {
			if before, ok := prev.Placement(table.Placement.Placement); ok {
				old = before.index
			}
		}
		table.index = newIndex(rs.coding, table.Candidates, old)
	}
}
