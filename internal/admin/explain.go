package admin

import (
	"encoding/json"
	"slices"
	"strings"

	"eligibility/internal/engine"
	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// explainView says why a user does or does not see a promotion that is in force.
type explainView struct {
	UserID string `json:"userId"`
	verdictView
	Placements []standingView `json:"placements"` // of the promotion
	stamps
}

// standingView is how the promotion fared in one placement, others considered.
type standingView struct {
	Placement int32        `json:"placement"`
	Shown     bool         `json:"shown"`
	Reason    rules.Reason `json:"reason"`
	Detail    string       `json:"detail,omitempty"`
}

// explain answers for a promotion in force. One that is not is previewed instead.
func (s *Server) explain(c *call, _ []byte) (answer, error) {
	query := c.URL.Query()
	user, id, channel := query.Get("userId"), query.Get("promotion"), query.Get("channel")
	switch {
	case user == "":
		return answer{}, problem.New("invalid_parameter", "name the user").At("userId")
	case id == "":
		return answer{}, problem.New("invalid_parameter", "name the promotion").At("promotion")
	case channel != "" && !slices.Contains(profile.Channels, channel):
		return answer{}, problem.New("invalid_parameter", "use one of the channels").At("channel")
	}
	rs, err := s.live(c.project)
	if err != nil {
		return answer{}, err
	}
	p, err := s.inForce(c, rs, id)
	if err != nil {
		return answer{}, err
	}
	read, err := s.snapshot(c, rs, user)
	if err != nil {
		return answer{}, err
	}
	req := engine.Request{Now: s.instant(read.Snapshot), Channel: channelEmbedded, Explain: true, Placements: make([]int32, 0,
		len(p.Placements))}
	if req.Context, err = contextValues(rs, contextOf(rs, query)); err != nil {
		return answer{}, err
	}
	for _, target := range p.Placements {
		req.Placements = append(req.Placements, target.Placement)
	}
	var d engine.Decision
	engine.Decide(rs, read.Snapshot, &req, &d)
	verdict, validUntil, err := s.verdict(rs, read.Snapshot, req, p, channel, true)
	if err != nil {
		return answer{}, err
	}
	view := explainView{UserID: user, verdictView: verdict, Placements: standings(&d, id, &verdict)}
	view.stamps = s.stamp(rs, &read, min(validUntil, d.ValidUntil))
	return ok(view)
}

// inForce finds the promotion in the live ruleset, and says why it is not there.
func (s *Server) inForce(c *call, rs *rules.Ruleset, id string) (*rules.Compiled, error) {
	if p, found := rs.Promotion(id); found {
		return p, nil
	}
	for _, q := range rs.Quarantined {
		if q.Promotion == id {
			return nil, &rules.InvalidError{Issues: q.Issues}
		}
	}
	if _, _, err := s.deps.Authoring.Get(c.Context(), c.project, id, 0); err != nil {
		return nil, err
	}
	return nil, problem.New("not_published", "it is not in force on this replica; a draft is asked about with POST …/promotions/%s:preview",
		clip(id))
}

// contextOf takes ?context.<name>= parameters as JSON values of the declared types: strings and times need no quotes there.
func contextOf(rs *rules.Ruleset, query map[string][]string) map[string]json.RawMessage {
	out := make(map[string]json.RawMessage)
	for parameter, values := range query {
		name, found := strings.CutPrefix(parameter, "context.")
		if !found {
			continue
		}
		text := json.RawMessage(values[0])
		if _, typ, declared := rs.ContextSlot(name); declared && (typ.Kind == profile.String || typ.Kind == profile.Timestamp) {
			if quoted, err := json.Marshal(values[0]); err == nil { // a string always encodes
				text = quoted
			}
		}
		out[name] = text
	}
	return out
}

// standings reads the decision. A decision stops asking once a placement is full; what stands in the way of the promotion itself is told first.
func standings(d *engine.Decision, id string, verdict *verdictView) []standingView {
	out := make([]standingView, 0, len(d.Placements))
	for i := range d.Placements {
		place := &d.Placements[i]
		view := standingView{Placement: place.ID}
		for j := range place.Messages {
			if place.Messages[j].Promotion.ID == id {
				view.Shown, view.Reason = true, rules.ReasonEligible
			}
		}
		for _, r := range d.Rejected {
			if r.Placement == place.ID && r.Promotion == id {
				view.Reason, view.Detail = r.Reason, r.Detail
			}
		}
		if view.Reason == rules.ReasonOutranked && verdict.Channel == channelEmbedded && !verdict.Eligible {
			view.Reason, view.Detail = verdict.Reason, verdict.Detail
		}
		out = append(out, view)
	}
	return out
}
