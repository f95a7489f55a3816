package engine

import (
	"slices"

	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// Decide answers req for the user of snap with the promotions of rs, into out. It cannot fail: a rule that errs is a rejection. It allocates only
// to grow out.
//
// ValidUntil counts the promotions that were looked at: those shown and those of higher priority that are not eligible. What lies below a full placement
// cannot come into it before one of these changes; what the index passes over is not eligible at any time, as long as the user does not change.
func Decide(rs *rules.Ruleset, snap *profile.Snapshot, req *Request, out *Decision) {
	out.reset(rs)
	out.begin(rs, snap, req)
	rs.Encode(&out.input, &out.scratch)
	if req.Placements == nil {
		for i := range rs.Placements {
			out.place(rs.Placements[i].Placement.Placement, &rs.Placements[i], req)
		}
	} else {
		for _, id := range req.Placements {
			table, ok := rs.Placement(id)
			if !ok {
				table = nil
			}
			out.place(id, table, req)
		}
	}
	out.slice()
	out.input.Snapshot, out.input.Context = nil, nil // a pooled decision must not keep a user in memory
}

func (d *Decision) reset(rs *rules.Ruleset) {
	d.RulesVersion, d.ValidUntil, d.Errors = rs.Version, rules.Forever, 0
	d.Placements, d.Rejected, d.messages, d.ends = d.Placements[:0], d.Rejected[:0], d.messages[:0], d.ends[:0]
}

func (d *Decision) begin(rs *rules.Ruleset, snap *profile.Snapshot, req *Request) {
	in := &d.input
	in.Snapshot, in.Context, in.Channel, in.Now, in.Retention = snap, req.Context, req.Channel, req.Now, rs.Retention
}

// place fills one placement; a nil table is a placement that nobody declared, which is answered empty.
func (d *Decision) place(id int32, table *rules.PlacementTable, req *Request) {
	d.Placements = append(d.Placements, Placement{ID: id})
	if table != nil {
		limit := table.Limit
		if req.Limit > 0 {
			limit = min(limit, req.Limit)
		}
		if req.Explain {
			d.explain(id, table, limit)
		} else {
			d.rank(table, limit)
		}
	}
	d.ends = append(d.ends, len(d.messages))
}

// rank shows the first eligible promotions of those that the index finds.
func (d *Decision) rank(table *rules.PlacementTable, limit int) {
	walk := table.Walk(&d.input, &d.scratch)
	for shown := 0; shown < limit; {
		candidate, says := walk.Next()
		if candidate == nil {
			return
		}
		eligible, until := says.True, says.Until
		if !candidate.Plain {
			eligible, until = d.standing(candidate.Promotion, says)
		} else if says.Failed {
			d.Errors++
		}
		d.ValidUntil = min(d.ValidUntil, until)
		if eligible {
			d.messages = append(d.messages, candidate)
			shown++
		}
	}
}

// explain looks at every promotion of the placement, with no index in front, and says of each why it is not shown.
func (d *Decision) explain(id int32, table *rules.PlacementTable, limit int) {
	shown := 0
	for _, candidate := range table.All() {
		if shown == limit {
			d.reject(candidate, id, rules.ReasonOutranked, "")
			continue
		}
		eligible, until := d.eligible(candidate.Promotion)
		d.ValidUntil = min(d.ValidUntil, until)
		if eligible {
			d.messages = append(d.messages, candidate)
			shown++
			continue
		}
		reason, detail := why(candidate.Promotion, &d.input)
		d.reject(candidate, id, reason, detail)
	}
}

func (d *Decision) reject(c *rules.Candidate, placement int32, reason rules.Reason, detail string) {
	d.Rejected = append(d.Rejected, Rejection{Promotion: c.Promotion.ID, Placement: placement, Reason: reason, Detail: detail})
}

// slice hands each placement its part of messages, once messages no longer grows.
func (d *Decision) slice() {
	from := 0
	for i, end := range d.ends {
		d.Placements[i].Messages = d.messages[from:end:end]
		from = end
	}
}

// eligible is standing of a promotion whose rule was not asked yet.
func (d *Decision) eligible(p *rules.Compiled) (ok bool, until int64) {
	verdict := p.Rule.Eval(&d.input)
	return d.standing(p, rules.Standing{True: verdict.True, Until: verdict.Until, Failed: verdict.Failed})
}

// standing is the conjunction of everything that a promotion asks for, of which its rule says verdict. While it holds, it holds until its first part ends;
// while it does not, at least as long as any one part that fails.
func (d *Decision) standing(p *rules.Compiled, verdict rules.Standing) (ok bool, until int64) {
	if p.Paused {
		return false, rules.Forever
	}
	onSchedule, until := schedule(p, d.input.Now)
	if !onSchedule {
		return false, until
	}
	if heldOut(p, d.input.Snapshot) {
		return false, rules.Forever
	}
	if verdict.Failed {
		d.Errors++
	}
	if !verdict.True && verdict.Until == rules.Forever {
		return false, rules.Forever
	}
	capped, capUntil := capped(p, d.input.Snapshot, d.input.Now)
	switch {
	case verdict.True && !capped:
		return true, min(until, verdict.Until, capUntil)
	case !verdict.True && capped:
		return false, max(verdict.Until, capUntil)
	case capped:
		return false, capUntil
	default:
		return false, verdict.Until
	}
}

// why names the first suppression that withholds p, or what its rule says.
func why(p *rules.Compiled, in *rules.Input) (rules.Reason, string) {
	if p.Paused {
		return rules.ReasonPaused, ""
	}
	if on, _ := schedule(p, in.Now); !on {
		if p.End != 0 && in.Now >= p.End {
			return rules.ReasonEnded, stamp(p.End)
		}
		return rules.ReasonNotStarted, stamp(p.Start)
	}
	if verdict := p.Rule.Why(in); !verdict.True {
		return verdict.Code, verdict.Explain()
	}
	if heldOut(p, in.Snapshot) {
		return rules.ReasonHeldOut, ""
	}
	if over, _ := capped(p, in.Snapshot, in.Now); over {
		return rules.ReasonFrequencyCap, capText(p)
	}
	return rules.ReasonEligible, ""
}

// Check answers for one promotion on req.Channel, without ranking: what a sender asks before it sends.
func Check(rs *rules.Ruleset, snap *profile.Snapshot, req *Request, p *rules.Compiled) Outcome {
	var c Checker
	return c.Check(rs, snap, req, p)
}

// Checker is Check for who asks about many users: it keeps its memory, and the last of them in it. It is for one goroutine at a time; the zero value is ready.
type Checker struct {
	decision Decision
	withheld []Withheld
}

// Check is described at the function of that name.
func (c *Checker) Check(rs *rules.Ruleset, snap *profile.Snapshot, req *Request, p *rules.Compiled) Outcome {
	out := Outcome{ValidUntil: rules.Forever}
	if !targets(p, req.Channel) {
		out.Reason = rules.ReasonNotTargeted
		return out
	}
	d := &c.decision
	d.begin(rs, snap, req)
	out.Eligible, out.ValidUntil = d.eligible(p)
	if !out.Eligible {
		out.Reason, out.Detail = why(p, &d.input)
		return out
	}
	withheld, until := sends(rs, p, &d.input, c.withheld[:0])
	c.withheld = withheld
	if len(withheld) == 0 {
		out.Reason, out.ValidUntil, out.Warning = rules.ReasonEligible, min(out.ValidUntil, until), warning(p, req.Channel)
		return out
	}
	out.Eligible, out.Reason, out.Detail, out.ValidUntil = false, withheld[0].Reason, withheld[0].Detail, 0
	for i := range withheld { // as long as any one of them
		out.ValidUntil = max(out.ValidUntil, withheld[i].Until)
	}
	return out
}

// targets reports whether p is for the channel; a promotion with placements is for the embedded channel.
func targets(p *rules.Compiled, channel string) bool {
	return slices.Contains(p.Channels, channel) || channel == channelEmbedded && len(p.Placements) > 0
}
