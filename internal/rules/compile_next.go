package rules

import "slices"

// mostChanged is up to how many promotions of a ruleset may have changed for its successor to be made from it.
const mostChanged = 64

// succession is what changed between two rulesets.
type succession struct {
	gone, come []*Compiled
}

// succeed makes rs from prev, of the same schema, by what changed since: of ten thousand promotions a publish looks at one, and passes over the others without looking at
// more than that they are the same. It reports whether it did; else rs is as it was.
func (c *Compiler) succeed(rs *Ruleset, env *env, prev *Ruleset) bool {
	if len(prev.Quarantined) > 0 || len(rs.Placements) != len(prev.Placements) {
		return false
	}
	for i := range rs.Placements {
		if rs.Placements[i].Placement.Placement != prev.Placements[i].Placement.Placement {
			return false
		}
	}
	promotions, changed, ok := c.changed(rs.live, env, prev)
	if !ok {
		return false
	}
	rs.Promotions, rs.ReadsSchema = promotions, max(rs.ReadsSchema, prev.ReadsSchema)
	for _, p := range changed.come {
		rs.ReadsSchema = max(rs.ReadsSchema, p.reads)
	}
	for i := range rs.Placements {
		rs.Placements[i].Candidates = changed.apply(prev.Placements[i].Candidates, prev.Placements[i].Placement.Placement)
	}
	rs.makeIndexAfter(prev, changed.come)
	return true
}

// changed compiles what is in live and was not in prev; false when that is too much, or something does not compile. Both are in the order of ids and are walked side by
// side.
func (c *Compiler) changed(live []LivePromotion, env *env, prev *Ruleset) (promotions []*Compiled, changed succession, ok bool) {
	promotions = make([]*Compiled, 0, len(live))
	at := 0
	for i := range live {
		if at < len(prev.live) && prev.live[at] == live[i] {
			promotions = append(promotions, prev.Promotions[at])
			at++
			continue
		}
		for at < len(prev.live) && prev.live[at].Promotion.ID < live[i].Promotion.ID {
			changed.gone = append(changed.gone, prev.Promotions[at])
			at++
		}
		made := c.promotion(env, &live[i], prev, true)
		if made.quarantine != nil || len(changed.come) == mostChanged {
			return nil, changed, false
		}
		var old *Compiled
		if at < len(prev.live) && prev.live[at].Promotion.ID == live[i].Promotion.ID {
			old = prev.Promotions[at]
			at++
		}
		promotions = append(promotions, made.compiled)
		if made.compiled == old {
			continue
		}
		changed.come = append(changed.come, made.compiled)
		if old != nil {
			changed.gone = append(changed.gone, old)
		}
	}
	changed.gone = append(changed.gone, prev.Promotions[at:]...)
	return promotions, changed, len(changed.gone) <= mostChanged
}

// apply is the candidates of a placement after what changed, in their order.
func (s *succession) apply(before []Candidate, placement int32) []Candidate {
	after := make([]Candidate, 0, len(before)+len(s.come))
	from := 0
	for i := range before {
		if len(s.gone) > 0 && slices.Contains(s.gone, before[i].Promotion) {
			after = append(after, before[from:i]...)
			from = i + 1
		}
	}
	after = append(after, before[from:]...)
	for _, p := range s.come {
		for i, target := range p.Placements {
			if target.Placement != placement {
				continue
			}
			candidate := p.candidate(i)
			at, _ := slices.BinarySearchFunc(after, candidate, byRank)
			after = slices.Insert(after, at, candidate)
		}
	}
	return after
}
