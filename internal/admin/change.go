package admin

import (
	"time"

	"eligibility/internal/engine"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// outlook says what would turn a verdict: for a user who does not qualify the way to qualify, for one who does what would end it.
type outlook struct {
	Changes   []rules.Need   `json:"changes"`             // the nearest way: all of these together; empty when none is known
	OtherWays [][]rules.Need `json:"otherWays,omitempty"` // each of which would do as well
	Turns     *rules.Turn    `json:"turns"`               // when it turns by time alone, all facts as they are; null: never
}

// outlook puts what would turn the rule and what withholds the promotion beside it together.
func (s *Server) outlook(rs *rules.Ruleset, snap *profile.Snapshot, req engine.Request, p *rules.Compiled, e *rules.Explanation) outlook {
	out := outlook{Changes: []rules.Need{}}
	withheld := engine.Withholds(rs, snap, &req, p)
	if holds := e.Outcome == rules.OutcomeTrue; !holds || len(withheld) == 0 {
		for i, way := range e.Ways {
			if i == 0 {
				out.Changes = append(out.Changes, way...)
			} else {
				out.OtherWays = append(out.OtherWays, way)
			}
		}
	}
	for _, w := range withheld {
		out.Changes = append(out.Changes, suppressed(&w, req.Now))
	}
	out.Turns = turns(rs, snap, req, p, e.Turn)
	return out
}

// turns walks to the instant at which the whole verdict turns. When that is the rule's doing, the rule says what happens then.
func turns(rs *rules.Ruleset, snap *profile.Snapshot, req engine.Request, p *rules.Compiled, ofRule *rules.Turn) *rules.Turn {
	now := req.Now
	at, turned, ok := rules.NextTurn(now, func(at int64) (bool, int64) {
		req.Now = at
		outcome := engine.Check(rs, snap, &req, p)
		return outcome.Eligible, outcome.ValidUntil
	})
	if !ok {
		return nil
	}
	out := &rules.Turn{At: time.Unix(0, at).UTC(), NotBefore: !turned, Text: rules.InTime(at - now)}
	switch {
	case ofRule != nil && ofRule.At.Equal(out.At) && ofRule.NotBefore == out.NotBefore:
		return ofRule
	case !turned:
		out.Text = "not before " + out.At.Format(time.RFC3339Nano)
	case p.Start == at:
		out.Text += ", when its schedule begins"
	case p.End == at:
		out.Text += ", when its schedule ends"
	case p.FrequencyCap != nil:
		out.Text += ", when it was shown less often than its cap allows"
	}
	return out
}

// suppressed says what withholds a promotion.
func suppressed(w *engine.Withheld, now int64) rules.Need {
	need := rules.Need{Kind: rules.NeedSuppression, Reason: w.Reason}
	switch w.Reason {
	case rules.ReasonPaused:
		need.Text = "the promotion is paused"
	case rules.ReasonNotStarted:
		need.Text = "its schedule begins at " + w.Detail
	case rules.ReasonEnded:
		need.Text = "its schedule ended at " + w.Detail
	case rules.ReasonHeldOut:
		need.Text = "the user is in the share that is withheld for measurement"
	case rules.ReasonFrequencyCap:
		need.Text = "its frequency cap is reached: " + w.Detail
	case rules.ReasonNoConsent:
		need.Text = "the user has not consented to " + w.Detail
	case rules.ReasonUnsubscribed:
		need.Text = "the user does not take messages of this " + w.Detail
	case rules.ReasonNoPushDevice:
		need.Text = "the user has no registered device that takes pushes"
	case rules.ReasonExcluded:
		need.Text = "the promotion's rule of exclusion holds for the user"
	case rules.ReasonExclusionUnknown:
		need.Text = "the promotion's rule of exclusion cannot be told for the user: " + w.Detail
	case rules.ReasonAfterConversion:
		need.Text = "the user did what the message asks for: " + w.Detail
	case rules.ReasonMarketingBlocked:
		need.Text = "the network delivers no marketing messages to the user's country"
	case rules.ReasonWindowClosed:
		need.Text = "free text needs a message from the user in the last 24 hours"
	case rules.ReasonSendCap:
		need.Text = "a cap of sends is reached: " + w.Detail
	case rules.ReasonQuietHours:
		need.Text = "it is a quiet hour where the user is"
	case rules.ReasonNotTargeted:
		need.Text = "the promotion is not for the channel " + w.Detail
	}
	if w.Until != rules.Forever {
		until := time.Unix(0, w.Until).UTC()
		need.Until = &until
		need.Text += ", which ends " + rules.InTime(w.Until-now)
	}
	return need
}
