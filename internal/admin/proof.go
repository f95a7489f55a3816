package admin

import (
	"time"

	"eligibility/internal/rules"
)

// testUsersView is a project's test users.
type testUsersView struct {
	UserIDs []string `json:"userIds"`
}

func viewTestUsers(users []string) testUsersView {
	if users == nil {
		users = []string{}
	}
	return testUsersView{UserIDs: users}
}

func (s *Server) getTestUsers(c *call, _ []byte) (answer, error) {
	users, err := s.deps.Authoring.TestUsers(c.Context(), c.project)
	if err != nil {
		return answer{}, err
	}
	return ok(viewTestUsers(users))
}

// putTestUsers replaces them. Whoever may send a proof can show them what nobody published, so that it takes who may publish.
func (s *Server) putTestUsers(c *call, body []byte) (answer, error) {
	var in testUsersView
	if err := c.decode(body, &in); err != nil {
		return answer{}, err
	}
	applied, users, err := s.deps.Authoring.PutTestUsers(c.Context(), c.actor(), c.project, in.UserIDs)
	if err != nil {
		return answer{}, err
	}
	s.changed(c.project, applied)
	return ok(viewTestUsers(users))
}

// proofView says what became of a proof.
type proofView struct {
	Promotion string     `json:"promotion"`
	Revision  int        `json:"revision,omitempty"` // absent of one that was withdrawn
	Until     *time.Time `json:"until,omitempty"`
	Version   uint64     `json:"rulesVersion"`
	Replicas  *spread    `json:"replicas,omitempty"` // with ?wait=
}

// proof shows a revision to the test users, or shows it no longer.
func (s *Server) proof(c *call, body []byte) (answer, error) {
	var in struct {
		Revision int            `json:"revision"`
		For      rules.Duration `json:"for"`
		Withdraw bool           `json:"withdraw"`
	}
	if err := c.decodeOptional(body, &in); err != nil {
		return answer{}, err
	}
	if in.Revision < 0 {
		return answer{}, &rules.FieldError{Field: "revision", Message: "revisions count from 1"}
	}
	wait, err := c.wait(s.cfg.MaxWait)
	if err != nil {
		return answer{}, err
	}
	id := c.PathValue("id")
	applied, sent, err := s.deps.Authoring.SendProof(c.Context(), c.actor(), c.project, id,
		rules.ProofIntent{Revision: in.Revision, For: time.Duration(in.For), Withdraw: in.Withdraw})
	if err != nil {
		return answer{}, err
	}
	s.changed(c.project, applied)
	view := proofView{Promotion: id, Version: applied.Version}
	if sent != nil {
		view.Revision, view.Until = sent.Revision, &sent.Until
	}
	if wait > 0 {
		view.Replicas = s.await(c.Context(), c.project, applied.Version, wait)
	}
	return ok(view)
}
