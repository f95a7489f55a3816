package admin

import (
	"eligibility/internal/problem"
)

// estimate says what share of the users a rule matches. It names a rule, a promotion, whose newest revision is meant, or both: then the rule
// is held against what that promotion has in force.
func (s *Server) estimate(c *call, body []byte) (answer, error) {
	var in struct {
		Rule      string `json:"rule"`
		Promotion string `json:"promotion"`
	}
	if err := c.decode(body, &in); err != nil {
		return answer{}, err
	}
	if in.Rule == "" && in.Promotion == "" {
		return answer{}, problem.New("missing_field", "send the rule's text, or name a promotion").At("rule")
	}
	out, err := s.deps.Authoring.Estimate(c.Context(), c.project, in.Promotion, in.Rule)
	if err != nil {
		return answer{}, err
	}
	return ok(out)
}

// complete says how a rule can go on at a position.
func (s *Server) complete(c *call, body []byte) (answer, error) {
	var in struct {
		Rule     *string `json:"rule"`
		Position *int    `json:"position"`
	}
	if err := c.decode(body, &in); err != nil {
		return answer{}, err
	}
	if in.Rule == nil {
		return answer{}, problem.New("missing_field", "send the rule's text").At("rule")
	}
	if in.Position == nil {
		return answer{}, problem.New("missing_field", "say where, as a number of characters").At("position")
	}
	out, err := s.deps.Authoring.Complete(c.Context(), c.project, *in.Rule, *in.Position)
	if err != nil {
		return answer{}, err
	}
	return ok(out)
}
