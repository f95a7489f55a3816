package admin

import (
	"context"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/problem"
	"eligibility/internal/rules"
)

// intent is the body of publish, pause, resume and rollback. All of it is optional.
type intent struct {
	Comment  string `json:"comment"`
	Confirm  bool   `json:"confirm"`
	Revision int    `json:"revision"`
}

// appliedView says what a change of what is in force came to.
type appliedView struct {
	Version   uint64         `json:"rulesVersion"`
	Promotion string         `json:"promotion"`
	State     rules.State    `json:"state"`
	Revision  int            `json:"revision"` // in force; 0: none
	AsOf      *hlc.Timestamp `json:"asOf,omitempty"`
	Replicas  *spread        `json:"replicas,omitempty"` // with ?wait=
	Millis    int64          `json:"millis"`             // from the request to this answer

	Issues      []rules.Issue   `json:"issues,omitempty"`      // warnings about what was put into force
	BlastRadius *rules.Estimate `json:"blastRadius,omitempty"` // whom it reaches; absent when users could not be sampled in time
}

// spread is how far a version has come.
type spread struct {
	Applied int `json:"applied"`
	Live    int `json:"live"`
}

// operation is a method of the authoring service that changes what is in force.
type operation func(s *rules.Service, ctx context.Context, a rules.Actor, project, id string, in rules.Intent) (rules.Applied, error)

func (s *Server) publish(c *call, body []byte) (answer, error) {
	return s.operate(c, body, true, (*rules.Service).Publish)
}

func (s *Server) rollback(c *call, body []byte) (answer, error) {
	return s.operate(c, body, true, (*rules.Service).Rollback)
}

func (s *Server) pause(c *call, body []byte) (answer, error) {
	return s.operate(c, body, false, (*rules.Service).Pause)
}

func (s *Server) resume(c *call, body []byte) (answer, error) {
	return s.operate(c, body, false, (*rules.Service).Resume)
}

// operate carries out an operation and, when asked to, waits until every live replica answers by it. A wait that runs out is a success
// that says how far it came: the change is durable and will arrive.
func (s *Server) operate(c *call, body []byte, revisions bool, do operation) (answer, error) {
	begun := time.Now()
	var in intent
	if err := c.decodeOptional(body, &in); err != nil {
		return answer{}, err
	}
	if in.Revision < 0 || in.Revision != 0 && !revisions {
		return answer{}, problem.New("invalid_value", "this takes no such revision").At("revision")
	}
	ifMatch, err := c.ifMatch()
	if err != nil {
		return answer{}, err
	}
	wait, err := c.wait(s.cfg.MaxWait)
	if err != nil {
		return answer{}, err
	}
	id := c.PathValue("id")
	ctx, cancel := context.WithTimeout(c.Context(), s.cfg.HandleTimeout)
	defer cancel()
	applied, err := do(s.deps.Authoring, ctx, c.actor(), c.project, id,
		rules.Intent{Comment: in.Comment, Confirm: in.Confirm, Revision: in.Revision, IfMatch: ifMatch})
	if err != nil {
		return answer{}, err
	}
	s.changed(c.project, applied)
	view := appliedView{Version: applied.Version, Promotion: id, Issues: applied.Issues, BlastRadius: applied.Radius}
	if applied.Changed {
		view.AsOf = &applied.At
	}
	var generation uint64
	if applied.Head != nil {
		view.State, view.Revision, generation = applied.Head.State(), applied.Head.Published, applied.Head.Generation
	}
	if wait > 0 {
		view.Replicas = s.await(c.Context(), c.project, applied.Version, wait)
	}
	view.Millis = time.Since(begun).Milliseconds()
	return answer{status: 200, body: view, generation: generation}, nil
}

// await waits until the version is in force everywhere, or for the given time.
func (s *Server) await(ctx context.Context, project string, version uint64, wait time.Duration) *spread {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if s.deps.Fleet == nil {
		return s.awaitHere(ctx, project, version)
	}
	applied, live := s.deps.Fleet.WaitApplied(ctx, project, version)
	return &spread{Applied: applied, Live: live}
}

// awaitHere waits for this replica alone.
func (s *Server) awaitHere(ctx context.Context, project string, version uint64) *spread {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if rs := s.deps.Live.Load(project); rs != nil && rs.Version >= version {
			return &spread{Applied: 1, Live: 1}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return &spread{Applied: 0, Live: 1}
		}
	}
}
