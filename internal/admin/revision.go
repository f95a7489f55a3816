package admin

import (
	"errors"
	"time"

	"eligibility/internal/audit"
	"eligibility/internal/problem"
	"eligibility/internal/rules"
)

// revisionView is a revision in a list.
type revisionView struct {
	Number      int             `json:"revision"`
	InForce     bool            `json:"inForce"`
	Draft       bool            `json:"draft"`
	CreatedAt   time.Time       `json:"createdAt"`
	CreatedBy   string          `json:"createdBy"`
	PublishedAt *time.Time      `json:"publishedAt,omitempty"` // for the first time
	PublishedBy string          `json:"publishedBy,omitempty"`
	Promotion   rules.Promotion `json:"promotion"`
}

func (s *Server) listRevisions(c *call, _ []byte) (answer, error) {
	head, revisions, err := s.deps.Authoring.Revisions(c.Context(), c.project, c.PathValue("promotion"))
	if err != nil {
		return answer{}, err
	}
	items := make([]revisionView, 0, len(revisions))
	for i := range revisions {
		r := &revisions[i]
		items = append(items, revisionView{
			Number: r.Number, InForce: r.Number == head.Published && !head.Retired, Draft: r.Number == head.Draft,
			CreatedAt: r.CreatedAt, CreatedBy: r.CreatedBy, PublishedAt: r.PublishedAt, PublishedBy: r.PublishedBy, Promotion: r.Promotion,
		})
	}
	return all(items)
}

// diffView is what changed between two revisions.
type diffView struct {
	Promotion   string             `json:"promotion"`
	From        int                `json:"from"`
	To          int                `json:"to"`
	Differences []rules.Difference `json:"differences"`
}

func (s *Server) diff(c *call, _ []byte) (answer, error) {
	from, err := c.number("from", 0)
	if err != nil {
		return answer{}, err
	}
	to, err := c.number("to", 0)
	if err != nil {
		return answer{}, err
	}
	view := diffView{Promotion: c.PathValue("promotion")}
	view.From, view.To, view.Differences, err = s.deps.Authoring.Diff(c.Context(), c.project, view.Promotion, from, to)
	if err != nil {
		return answer{}, err
	}
	return ok(view)
}

func (s *Server) listAudit(c *call, _ []byte) (answer, error) {
	cursor, limit, err := c.paging()
	if err != nil {
		return answer{}, err
	}
	entries, next, err := s.deps.Authoring.Audit(c.Context(), c.project, cursor, limit)
	if cursor != "" && errors.Is(err, rules.ErrNotFound) {
		return answer{}, problem.New("invalid_parameter", "use the nextCursor of the page before").At("cursor")
	}
	if err != nil {
		return answer{}, err
	}
	if entries == nil {
		entries = []audit.Entry{}
	}
	return ok(page[audit.Entry]{Items: entries, NextCursor: next})
}
