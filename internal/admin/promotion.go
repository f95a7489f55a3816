package admin

import (
	"net/http"
	"time"

	"eligibility/internal/problem"
	"eligibility/internal/rules"
)

// promotionView is a promotion as it is answered: where it stands, and one revision of it.
type promotionView struct {
	rules.Head
	State       rules.State     `json:"state"`
	Revision    int             `json:"revision"` // of the document below
	CreatedAt   time.Time       `json:"createdAt"`
	CreatedBy   string          `json:"createdBy"`
	PublishedAt *time.Time      `json:"publishedAt,omitempty"`
	PublishedBy string          `json:"publishedBy,omitempty"`
	Promotion   rules.Promotion `json:"promotion"`
	Issues      []rules.Issue   `json:"issues,omitempty"` // of what was just written
}

func viewPromotion(head *rules.Head, rev *rules.Revision) promotionView {
	return promotionView{
		Head: *head, State: head.State(), Revision: rev.Number, CreatedAt: rev.CreatedAt, CreatedBy: rev.CreatedBy,
		PublishedAt: rev.PublishedAt, PublishedBy: rev.PublishedBy, Promotion: rev.Promotion,
	}
}

// headView is a promotion in a list.
type headView struct {
	rules.Head
	State rules.State `json:"state"`
	Name  string      `json:"name"`
}

func (s *Server) listPromotions(c *call, _ []byte) (answer, error) {
	cursor, limit, err := c.paging()
	if err != nil {
		return answer{}, err
	}
	retired, err := c.flag("retired")
	if err != nil {
		return answer{}, err
	}
	heads, next, err := s.deps.Authoring.List(c.Context(), c.project, cursor, limit, retired)
	if err != nil {
		return answer{}, err
	}
	out := page[headView]{Items: make([]headView, 0, len(heads)), NextCursor: next}
	for i := range heads {
		_, rev, err := s.deps.Authoring.Get(c.Context(), c.project, heads[i].ID, 0)
		if err != nil {
			return answer{}, err
		}
		out.Items = append(out.Items, headView{Head: heads[i], State: heads[i].State(), Name: rev.Promotion.Name})
	}
	return ok(out)
}

func (s *Server) getPromotion(c *call, _ []byte) (answer, error) {
	number, err := c.number("revision", 0)
	if err != nil {
		return answer{}, err
	}
	return s.promotion(c, c.PathValue("promotion"), number)
}

func (s *Server) promotion(c *call, id string, revision int) (answer, error) {
	head, rev, err := s.deps.Authoring.Get(c.Context(), c.project, id, revision)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, body: viewPromotion(head, rev), generation: head.Generation}, nil
}

// putPromotion writes the draft. It answers what is stored and what stands between it and publication; an incomplete draft is a success.
func (s *Server) putPromotion(c *call, body []byte) (answer, error) {
	var in rules.Promotion
	if err := c.decode(body, &in); err != nil {
		return answer{}, err
	}
	id := c.PathValue("promotion")
	if in.ID == "" {
		in.ID = id
	}
	if in.ID != id {
		return answer{}, problem.New("invalid_value", "the body names another promotion than the path").At("id")
	}
	ifMatch, err := c.ifMatch()
	if err != nil {
		return answer{}, err
	}
	applied, err := s.deps.Authoring.SaveDraft(c.Context(), c.actor(), c.project, in, ifMatch)
	if err != nil {
		return answer{}, err
	}
	head, rev := applied.Head, applied.Revision
	if head == nil || rev == nil { // what was sent was stored already
		if head, rev, err = s.deps.Authoring.Get(c.Context(), c.project, id, 0); err != nil {
			return answer{}, err
		}
	}
	view := viewPromotion(head, rev)
	if view.Issues, err = s.deps.Authoring.Check(c.Context(), c.project, &rev.Promotion); err != nil {
		return answer{}, err
	}
	status := http.StatusOK
	if applied.Changed && head.Last == 1 && head.Generation == 1 {
		status = http.StatusCreated
	}
	return answer{status: status, body: view, generation: head.Generation}, nil
}

func (s *Server) retirePromotion(c *call, _ []byte) (answer, error) {
	ifMatch, err := c.ifMatch()
	if err != nil {
		return answer{}, err
	}
	applied, err := s.deps.Authoring.Retire(c.Context(), c.actor(), c.project, c.PathValue("promotion"), rules.Intent{IfMatch: ifMatch})
	if err != nil {
		return answer{}, err
	}
	s.changed(c.project, applied)
	return answer{status: http.StatusNoContent}, nil
}

// checked is the answer of both checks.
type checked struct {
	OK     bool          `json:"ok"` // nothing keeps it from being published
	Issues []rules.Issue `json:"issues"`
}

// checkPromotion checks the document in the body, or without one the promotion's newest revision.
func (s *Server) checkPromotion(c *call, body []byte) (answer, error) {
	id := c.PathValue("id")
	p := rules.Promotion{ID: id}
	if len(body) == 0 {
		_, rev, err := s.deps.Authoring.Get(c.Context(), c.project, id, 0)
		if err != nil {
			return answer{}, err
		}
		p = rev.Promotion
	} else if err := c.decode(body, &p); err != nil {
		return answer{}, err
	}
	if p.ID != id {
		return answer{}, problem.New("invalid_value", "the body names another promotion than the path").At("id")
	}
	issues, err := s.deps.Authoring.Check(c.Context(), c.project, &p)
	if err != nil {
		return answer{}, err
	}
	return ok(checked{OK: !rules.Failed(issues), Issues: issues})
}

func (s *Server) checkRule(c *call, body []byte) (answer, error) {
	var in struct {
		Rule *string `json:"rule"`
	}
	if err := c.decode(body, &in); err != nil {
		return answer{}, err
	}
	if in.Rule == nil {
		return answer{}, problem.New("missing_field", "send the rule's text").At("rule")
	}
	issues, err := s.deps.Authoring.CheckRule(c.Context(), c.project, *in.Rule)
	if err != nil {
		return answer{}, err
	}
	return ok(checked{OK: !rules.Failed(issues), Issues: issues})
}
