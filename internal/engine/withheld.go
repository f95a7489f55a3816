package engine

import (
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// Withheld is one thing beside the rule that withholds a promotion.
type Withheld struct {
	Reason rules.Reason
	Detail string
	Until  int64 // wall nanoseconds at which it ends by itself; rules.Forever when time alone does not end it
}

// Withholds lists all that withholds p from the user on req.Channel beside its rule, in the order in which Check asks. A decision names only the first.
func Withholds(rs *rules.Ruleset, snap *profile.Snapshot, req *Request, p *rules.Compiled) []Withheld {
	out := []Withheld{}
	add := func(is bool, reason rules.Reason, detail string, until int64) {
		if is {
			out = append(out, Withheld{Reason: reason, Detail: detail, Until: until})
		}
	}
	add(!targets(p, req.Channel), rules.ReasonNotTargeted, req.Channel, rules.Forever)
	add(p.Paused, rules.ReasonPaused, "", rules.Forever)
	add(p.End != 0 && req.Now >= p.End, rules.ReasonEnded, stamp(p.End), rules.Forever)
	add(p.Start != 0 && req.Now < p.Start, rules.ReasonNotStarted, stamp(p.Start), p.Start)
	add(heldOut(p, snap), rules.ReasonHeldOut, "", rules.Forever)
	if over, until := capped(p, snap, req.Now); over {
		add(true, rules.ReasonFrequencyCap, capText(p), until)
	}
	var d Decision
	d.begin(rs, snap, req)
	out, _ = sends(rs, p, &d.input, out)
	return out
}
