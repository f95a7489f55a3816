package rules

// mostChanged is up to how many promotions of a ruleset may have changed for its successor to be made from it.
const mostChanged = 64

// succession is what changed between two rulesets.
type succession struct {
	gone, come []*Compiled
	promotions Roll[*Compiled] // after it
}

// succeed makes rs from prev, of the same schema, by what changed since: of ten thousand promotions a publish looks at one. It reports whether it did; else rs is as it was.
func (c *Compiler) succeed(rs *Ruleset, env *env, prev *Ruleset) bool {
	if len(prev.Quarantined) > 0 || len(rs.Placements) != len(prev.Placements) {
		return false
	}
	for i := range rs.Placements {
		if rs.Placements[i].Placement.Placement != prev.Placements[i].Placement.Placement {
			return false
		}
	}
	changed, ok := c.changed(rs.live, env, prev)
	if !ok {
		return false
	}
	rs.Promotions, rs.ReadsSchema = changed.promotions, max(rs.ReadsSchema, prev.ReadsSchema)
	for _, p := range changed.come {
		rs.ReadsSchema = max(rs.ReadsSchema, p.reads)
	}
	rs.makeIndexAfter(prev, &changed)
	return true
}

// changed compiles what is in live and was not in prev; false when that is too much, or something does not compile.
func (c *Compiler) changed(live Roll[LivePromotion], env *env, prev *Ruleset) (changed succession, ok bool) {
	changed.promotions = prev.Promotions
	for was, is := range live.since(prev.live) {
		var old, now *Compiled
		if was != nil {
			old, _ = prev.Promotions.Find(was.id())
		}
		if is != nil {
			made := c.promotion(env, is, prev, true)
			if made.quarantine != nil {
				return changed, false
			}
			now = made.compiled
		}
		if old == now {
			continue
		}
		if old != nil {
			changed.gone = append(changed.gone, old)
		}
		if now != nil {
			changed.come = append(changed.come, now)
			changed.promotions = changed.promotions.With(now)
		} else {
			changed.promotions = changed.promotions.Without(old.ID)
		}
		if max(len(changed.gone), len(changed.come)) > mostChanged {
			return changed, false
		}
	}
	return changed, true
}
