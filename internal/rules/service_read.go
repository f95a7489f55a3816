package rules

import (
	"context"
	"errors"
	"fmt"

	"eligibility/internal/audit"
)

// State is where a promotion stands, in one word.
type State string

// The states.
const (
	StateDraft     State = "draft"     // never in force
	StatePublished State = "published" // in force; it may have a newer draft besides
	StatePaused    State = "paused"    // published and withheld
	StateRetired   State = "retired"   // taken out of force for good
)

// State says where the promotion stands.
func (h *Head) State() State {
	switch {
	case h.Retired:
		return StateRetired
	case h.Published == 0:
		return StateDraft
	case h.Paused:
		return StatePaused
	}
	return StatePublished
}

// Newest is the number of the revision that an author works on: the draft, else the one in force, else the last one.
func (h *Head) Newest() int {
	switch {
	case h.Draft != 0:
		return h.Draft
	case h.Published != 0:
		return h.Published
	}
	return h.Last
}

// Get reads a promotion: its head and the numbered revision, 0 for Newest. ErrNotFound for the promotion, ErrRevision for the number.
func (s *Service) Get(ctx context.Context, project, id string, number int) (*Head, *Revision, error) {
	head, err := s.repo.Head(ctx, project, id)
	if err != nil {
		return nil, nil, err
	}
	if number == 0 {
		number = head.Newest()
	}
	rev, err := s.repo.Revision(ctx, project, id, number)
	if errors.Is(err, ErrNotFound) {
		return nil, nil, fmt.Errorf("%w: the last one is %d", ErrRevision, head.Last)
	}
	if err != nil {
		return nil, nil, err
	}
	return head, rev, nil
}

// List reads heads by id after the given one, retired ones only when asked for, and the id to go on after, "" at the end.
func (s *Service) List(ctx context.Context, project, after string, limit int, retired bool) (heads []Head, next string, err error) {
	heads = []Head{}
	for {
		// One more than wanted says whether there is a next page.
		page, err := s.repo.Heads(ctx, project, after, limit+1)
		if err != nil {
			return nil, "", err
		}
		for i := range page {
			if page[i].Retired && !retired {
				continue
			}
			if len(heads) == limit {
				return heads, heads[limit-1].ID, nil
			}
			heads = append(heads, page[i])
		}
		if len(page) <= limit {
			return heads, "", nil
		}
		after = page[len(page)-1].ID
	}
}

// Revisions reads all revisions of a promotion, newest first. ErrNotFound.
func (s *Service) Revisions(ctx context.Context, project, id string) (*Head, []Revision, error) {
	head, err := s.repo.Head(ctx, project, id)
	if err != nil {
		return nil, nil, err
	}
	revisions, err := s.repo.Revisions(ctx, project, id)
	return head, revisions, err
}

// Audit lists what was done in the project, newest first, before the cursor ("" for the newest), and the cursor to go on with ("" at the
// end).
func (s *Service) Audit(ctx context.Context, project, cursor string, limit int) ([]audit.Entry, string, error) {
	return s.repo.Audit(ctx, project, cursor, limit)
}

// WithRevision is the project's live state at one version as it would be with the promotion's numbered revision in force (0 for Newest):
// what a preview compiles. A paused promotion is previewed as if it were not. Errors: those of Get.
func (s *Service) WithRevision(ctx context.Context, project, id string, number int) (*Spec, *Revision, error) {
	_, rev, err := s.Get(ctx, project, id, number)
	if err != nil {
		return nil, nil, err
	}
	spec, err := s.repo.Spec(ctx, project)
	if err != nil {
		return nil, nil, err
	}
	spec.Promotions = spec.Promotions.With(LivePromotion{Promotion: &rev.Promotion, Revision: rev.Number})
	return spec, rev, nil
}
