package admin

// promotionIndex says how the index sees a promotion in force.
func (s *Server) promotionIndex(c *call, _ []byte) (answer, error) {
	rs, err := s.live(c.project)
	if err != nil {
		return answer{}, err
	}
	p, err := s.inForce(c, rs, c.PathValue("promotion"))
	if err != nil {
		return answer{}, err
	}
	view, err := s.deps.Authoring.IndexOf(c.Context(), rs, p)
	if err != nil {
		return answer{}, err
	}
	return ok(view)
}

// indexSummary says how the index sees everything in force.
func (s *Server) indexSummary(c *call, _ []byte) (answer, error) {
	rs, err := s.live(c.project)
	if err != nil {
		return answer{}, err
	}
	view, err := s.deps.Authoring.IndexSummary(c.Context(), rs)
	if err != nil {
		return answer{}, err
	}
	return ok(view)
}
