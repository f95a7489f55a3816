package admin

import (
	"eligibility/internal/problem"
	"eligibility/internal/rules"
)

// statusView is how a project is served.
type statusView struct {
	Project     string             `json:"project"`
	Version     uint64             `json:"rulesVersion"`     // the store's newest
	LiveVersion uint64             `json:"liveRulesVersion"` // in force on this replica; 0: none is loaded
	Fresh       bool               `json:"fresh"`            // this replica compared its version with the store's lately
	Degraded    bool               `json:"degraded"`         // answers say so, for the reasons that stand here
	Promotions  int                `json:"promotions"`       // in force on this replica
	Quarantined []rules.Quarantine `json:"quarantined"`      // that this replica cannot compile
	Feed        feedView           `json:"feed"`
	Replicas    []replicaView      `json:"replicas"`
}

// feedView is how current this replica's view of users is.
type feedView struct {
	Healthy   bool   `json:"healthy"`
	LagMillis *int64 `json:"lagMillis"` // freshness lag; null before the first watermark
}

// replicaView is one replica as this one hears it.
type replicaView struct {
	ID          string `json:"id"`
	Live        bool   `json:"live"`
	HeardMillis int64  `json:"heardMillisAgo"`
	LagMillis   *int64 `json:"lagMillis"` // freshness lag; null before the first watermark
	Version     uint64 `json:"rulesVersion"`
	Quarantined int    `json:"quarantined"`
}

func (s *Server) status(c *call, _ []byte) (answer, error) {
	p, err := s.deps.Authoring.Project(c.Context(), c.project)
	if err != nil {
		return answer{}, err
	}
	view := statusView{
		Project: p.Name, Version: p.Version, Fresh: s.deps.Live.Fresh(c.project), Quarantined: []rules.Quarantine{},
		Replicas: []replicaView{},
	}
	if rs := s.deps.Live.Load(c.project); rs != nil {
		view.LiveVersion, view.Promotions = rs.Version, rs.Promotions.Len()
		view.Quarantined = append(view.Quarantined, rs.Quarantined...)
	}
	view.Degraded = !view.Fresh || len(view.Quarantined) > 0 || view.LiveVersion == 0
	if s.deps.Freshness != nil {
		f := s.deps.Freshness()
		view.Feed.Healthy = f.Healthy
		if f.Known {
			view.Feed.LagMillis = new(f.Lag.Milliseconds())
		}
	}
	if s.deps.Fleet != nil {
		for _, r := range s.deps.Fleet.Replicas(c.project) {
			item := replicaView{ID: r.Replica, Live: r.Live, HeardMillis: r.Heard.Milliseconds(), Version: r.Version, Quarantined: r.Quarantined}
			if r.Lag >= 0 {
				item.LagMillis = new(r.Lag.Milliseconds())
			}
			view.Replicas = append(view.Replicas, item)
		}
	}
	return ok(view)
}

// live is the project's ruleset in force here.
func (s *Server) live(project string) (*rules.Ruleset, error) {
	rs := s.deps.Live.Load(project)
	if rs == nil {
		p := problem.New("ruleset_unavailable", "")
		p.RetryAfter = retryAfter
		return nil, p
	}
	return rs, nil
}
