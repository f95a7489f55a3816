package admin

import (
	"encoding/json"
	"slices"
	"time"

	"eligibility/internal/engine"
	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// channelEmbedded is what `channel` is in rules when an app asks.
const channelEmbedded = "embedded"

const maxPlacements = 50 // of one preview

// previewIn is what a preview is asked for with. Only the user is required.
type previewIn struct {
	UserID     string                     `json:"userId"`
	Context    map[string]json.RawMessage `json:"context"`
	Placements []int32                    `json:"placements"` // all of the project when absent
	Channel    string                     `json:"channel"`    // of the promotion's own verdict
	Now        *time.Time                 `json:"now"`        // decide as if it were then; with what is known of the user today
	Revision   int                        `json:"revision"`   // the newest when absent
	Explain    *bool                      `json:"explain"`    // false leaves out what each part of the rule came to and what would change the verdict
}

// previewView is a decision as it would be with the draft in force.
type previewView struct {
	UserID     string          `json:"userId"`
	Placements []placementView `json:"placements"`
	Rejected   []rejectionView `json:"rejected"`
	Verdict    verdictView     `json:"verdict"` // of the previewed promotion alone
	stamps
}

type placementView struct {
	Placement int32             `json:"placement"`
	Messages  []json.RawMessage `json:"messages"` // as the decision plane answers them
}

type rejectionView struct {
	Promotion string       `json:"promotion"`
	Placement int32        `json:"placement"`
	Reason    rules.Reason `json:"reason"`
	Detail    string       `json:"detail,omitempty"`
}

// verdictView says of one promotion whether the user qualifies on a channel, why not, and what every part of its rule came to.
type verdictView struct {
	Promotion string             `json:"promotion"`
	Revision  int                `json:"revision"`
	Channel   string             `json:"channel"`
	Eligible  bool               `json:"eligible"`
	Reason    rules.Reason       `json:"reason"`
	Detail    string             `json:"detail,omitempty"`
	Rule      *rules.Explanation `json:"rule,omitempty"`
	*outlook
}

// preview decides for one user with an unpublished revision in a copy of the live ruleset. Nothing is stored.
func (s *Server) preview(c *call, body []byte) (answer, error) {
	var in previewIn
	if err := c.decode(body, &in); err != nil {
		return answer{}, err
	}
	if err := in.check(); err != nil {
		return answer{}, err
	}
	rs, err := s.withRevision(c, c.PathValue("id"), in.Revision)
	if err != nil {
		return answer{}, err
	}
	read, err := s.snapshot(c, rs, in.UserID)
	if err != nil {
		return answer{}, err
	}
	req := engine.Request{Now: s.instant(read.Snapshot), Placements: in.Placements, Channel: channelEmbedded, Explain: true}
	if in.Now != nil {
		req.Now = in.Now.UnixNano()
	}
	if req.Context, err = contextValues(rs, in.Context); err != nil {
		return answer{}, err
	}
	var d engine.Decision
	engine.Decide(rs, read.Snapshot, &req, &d)
	view := previewView{UserID: in.UserID, Placements: viewPlacements(&d), Rejected: viewRejections(d.Rejected)}
	promotion, _ := rs.Promotion(c.PathValue("id"))
	explain := in.Explain == nil || *in.Explain
	if view.Verdict, _, err = s.verdict(rs, read.Snapshot, req, promotion, in.Channel, explain); err != nil {
		return answer{}, err
	}
	view.stamps = s.stamp(rs, &read, d.ValidUntil)
	return ok(view)
}

func (in *previewIn) check() error {
	switch {
	case in.UserID == "":
		return problem.New("missing_field", "name the user to decide for").At("userId")
	case in.Revision < 0:
		return problem.New("invalid_value", "revisions count from 1").At("revision")
	case in.Placements != nil && len(in.Placements) == 0:
		return problem.New("out_of_range", "name at least one placement, or leave the list out for all").At("placements")
	case len(in.Placements) > maxPlacements:
		return problem.New("too_many", "ask for at most %d placements", maxPlacements).At("placements")
	case in.Channel != "" && !slices.Contains(profile.Channels, in.Channel):
		return problem.New("invalid_value", "use one of the channels").At("channel")
	case in.Now != nil && (in.Now.Before(profile.MinTime) || !in.Now.Before(profile.MaxTime)):
		return problem.New("out_of_range", "").At("now")
	}
	return nil
}

// withRevision is the project's ruleset with the promotion's revision in force, compiled.
func (s *Server) withRevision(c *call, id string, revision int) (*rules.Ruleset, error) {
	spec, rev, err := s.deps.Authoring.WithRevision(c.Context(), c.project, id, revision)
	if err != nil {
		return nil, err
	}
	issues, err := s.deps.Authoring.CheckRule(c.Context(), c.project, rev.Promotion.Rule)
	if err != nil {
		return nil, err
	}
	if rules.Failed(issues) {
		return nil, &rules.InvalidError{Issues: issues}
	}
	// An older live ruleset lends what it has compiled already.
	rs, err := s.deps.Compiler.Compile(spec, s.deps.Live.Load(c.project))
	if err != nil {
		return nil, err
	}
	for _, q := range rs.Quarantined {
		if q.Promotion == id {
			return nil, &rules.InvalidError{Issues: q.Issues}
		}
	}
	return rs, nil
}

// verdict asks about one promotion on one channel, and explains if asked to; an empty channel is the promotion's own first one.
func (s *Server) verdict(rs *rules.Ruleset, snap *profile.Snapshot, req engine.Request, p *rules.Compiled, channel string,
	explain bool,
) (verdictView, int64, error) {
	req.Channel = channel
	if channel == "" {
		req.Channel = channelEmbedded
		if len(p.Placements) == 0 && len(p.Channels) > 0 {
			req.Channel = p.Channels[0]
		}
	}
	outcome := engine.Check(rs, snap, &req, p)
	view := verdictView{
		Promotion: p.ID, Revision: p.Revision, Channel: req.Channel, Eligible: outcome.Eligible, Reason: outcome.Reason,
		Detail: outcome.Detail,
	}
	if !explain {
		return view, outcome.ValidUntil, nil
	}
	explanation, issues, err := rules.Explain(rs, p.Promotion.Rule,
		&rules.Input{Snapshot: snap, Context: req.Context, Channel: req.Channel, Now: req.Now, Retention: rs.Retention})
	if err != nil {
		return view, 0, err
	}
	if explanation == nil {
		return view, 0, &rules.InvalidError{Issues: issues}
	}
	view.Rule = explanation
	ahead := s.outlook(rs, snap, req, p, explanation)
	view.outlook = &ahead
	return view, outcome.ValidUntil, nil
}

func viewPlacements(d *engine.Decision) []placementView {
	out := make([]placementView, 0, len(d.Placements))
	for i := range d.Placements {
		view := placementView{Placement: d.Placements[i].ID, Messages: []json.RawMessage{}}
		for j := range d.Placements[i].Messages {
			view.Messages = append(view.Messages, json.RawMessage(d.Placements[i].Messages[j].Fragment))
		}
		out = append(out, view)
	}
	return out
}

func viewRejections(rejected []engine.Rejection) []rejectionView {
	out := make([]rejectionView, 0, len(rejected))
	for _, r := range rejected {
		out = append(out, rejectionView{Promotion: r.Promotion, Placement: r.Placement, Reason: r.Reason, Detail: r.Detail})
	}
	return out
}
