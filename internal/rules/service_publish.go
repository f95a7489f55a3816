package rules

import (
	"context"
	"errors"
	"fmt"
)

// Intent is what an author says with a publish, pause, resume, rollback or retirement.
type Intent struct {
	Comment  string
	Confirm  bool   // of a rule that is true for everybody, or that matches everybody or nobody of a sample of the users
	Revision int    // which revision is meant; 0: the draft (publish), the one published before (rollback)
	IfMatch  string // the generation that the author saw; "" for any
}

// Publish puts the draft into force as a new ruleset version; a pause stays. Naming the revision that is in force already changes
// nothing, so that a caller may repeat itself. Errors: ErrNoDraft, ErrRevision for a number that is neither, ErrPrecondition, ErrConfirm,
// InvalidError, ErrConflict when the promotion was changed meanwhile.
func (s *Service) Publish(ctx context.Context, a Actor, project, id string, in Intent) (Applied, error) {
	return s.enforce(ctx, a, project, id, "promotion.publish", in, func(head *Head) (int, error) {
		switch {
		case in.Revision == 0 && head.Draft == 0:
			return 0, ErrNoDraft
		case in.Revision == 0:
			return head.Draft, nil
		case in.Revision == head.Draft || in.Revision == head.Published:
			return in.Revision, nil
		}
		return 0, fmt.Errorf("%w: %d is not the draft", ErrRevision, in.Revision)
	})
}

// Rollback puts a revision that was published before into force again, checked against today's schema; it also brings back a retired
// promotion. A draft stays as it is. Errors: ErrRevision, ErrNotPublished for a revision that never was, and those of Publish.
func (s *Service) Rollback(ctx context.Context, a Actor, project, id string, in Intent) (Applied, error) {
	return s.enforce(ctx, a, project, id, "promotion.rollback", in, func(head *Head) (int, error) {
		if in.Revision > head.Last || in.Revision < 0 {
			return 0, fmt.Errorf("%w: the last one is %d", ErrRevision, head.Last)
		}
		if in.Revision != 0 {
			if in.Revision == head.Draft {
				return 0, ErrNotPublished
			}
			return in.Revision, nil
		}
		return s.before(ctx, project, head)
	})
}

// before is the revision that was in force before the present one; of a retired promotion, the last one that was.
func (s *Service) before(ctx context.Context, project string, head *Head) (int, error) {
	revisions, err := s.repo.Revisions(ctx, project, head.ID)
	if err != nil {
		return 0, err
	}
	for i := range revisions { // newest first
		r := &revisions[i]
		if r.PublishedAt != nil && (head.Published == 0 || r.Number < head.Published) {
			return r.Number, nil
		}
	}
	if head.Published != 0 {
		return 0, fmt.Errorf("%w before revision %d: it is the first that was in force", ErrRevision, head.Published)
	}
	return 0, ErrNotPublished
}

// enforce puts the revision that choose picks into force.
func (s *Service) enforce(ctx context.Context, a Actor, project, id, action string, in Intent, choose func(*Head) (int, error)) (Applied,
	error,
) {
	if err := checkComment(in.Comment); err != nil {
		return Applied{}, err
	}
	users, err := s.sampledBefore(ctx, project) // not while others wait for their turn
	if err != nil {
		return Applied{}, err
	}
	var seen uint64
	var same *Head
	var said reach
	revived := false
	applied, err := s.change(ctx, a, project, func(f *frame) (*Commit, error) {
		head, err := s.head(ctx, project, id, in.IfMatch)
		if err != nil {
			return nil, err
		}
		if seen != 0 && head.Generation != seen { // what the author saw is no longer what would be published
			return nil, ErrConflict
		}
		seen = head.Generation
		number, err := choose(head)
		if err != nil {
			return nil, err
		}
		if number == head.Published && !head.Retired {
			same = head
			return nil, nil
		}
		if revived = head.Retired; revived {
			if err := s.room(ctx, project); err != nil {
				return nil, err
			}
		}
		c, reached, err := s.enforced(ctx, a, f, head, number, action, in, users)
		said = reached
		return c, err
	})
	if applied.Head == nil {
		applied.Head = same
	}
	if applied.Changed {
		applied.Issues, applied.Radius = said.issues, said.radius
	}
	if err == nil && revived {
		s.recount(project)
	}
	return applied, err
}

// enforced is the commit that puts revision number into force, and whom that reaches.
func (s *Service) enforced(ctx context.Context, a Actor, f *frame, head *Head, number int, action string, in Intent, users *sample) (*Commit,
	reach, error,
) {
	rev, err := s.repo.Revision(ctx, f.project, head.ID, number)
	if errors.Is(err, ErrNotFound) {
		return nil, reach{}, fmt.Errorf("%w: %d", ErrRevision, number)
	}
	if err != nil {
		return nil, reach{}, err
	}
	if number != head.Draft && rev.PublishedAt == nil {
		return nil, reach{}, ErrNotPublished
	}
	reached, err := s.reach(ctx, f, head, &rev.Promotion, users)
	if err == nil && !in.Confirm {
		err = reached.confirm(rev.PublishedAt != nil)
	}
	if err != nil {
		return nil, reach{}, err
	}
	before, err := s.published(ctx, f.project, head)
	if err != nil {
		return nil, reach{}, err
	}
	next := *head
	next.Published, next.Retired = number, false
	if number == head.Draft {
		next.Draft = 0
	}
	c := &Commit{NewVersion: true, Head: s.moved(next, a), Audit: entry(a, f.project, action, head.ID, before, rev.Promotion)}
	c.Audit.Comment = in.Comment
	if rev.PublishedAt == nil {
		now := s.now()
		rev.PublishedAt, rev.PublishedBy = &now, a.ID
		c.Revision = rev
	}
	return c, reached, nil
}

// published is the document in force, nil when none is.
func (s *Service) published(ctx context.Context, project string, head *Head) (any, error) {
	if head.Published == 0 || head.Retired {
		return nil, nil
	}
	rev, err := s.repo.Revision(ctx, project, head.ID, head.Published)
	if err != nil {
		return nil, err
	}
	return rev.Promotion, nil
}

// head reads a promotion's head and holds it against the generation that the author saw.
func (s *Service) head(ctx context.Context, project, id, ifMatch string) (*Head, error) {
	head, err := s.repo.Head(ctx, project, id)
	if err != nil {
		return nil, err
	}
	if !agrees(ifMatch, head) {
		return nil, ErrPrecondition
	}
	return head, nil
}

// Pause withholds a published promotion until Resume. Pausing a paused one changes nothing. ErrNotPublished.
func (s *Service) Pause(ctx context.Context, a Actor, project, id string, in Intent) (Applied, error) {
	return s.flip(ctx, a, project, id, "promotion.pause", in, true)
}

// Resume ends a pause. ErrNotPublished.
func (s *Service) Resume(ctx context.Context, a Actor, project, id string, in Intent) (Applied, error) {
	return s.flip(ctx, a, project, id, "promotion.resume", in, false)
}

// switches is what a pause or a retirement turns; its digest stands in their audit entries.
type switches struct {
	Published int  `json:"published"`
	Paused    bool `json:"paused"`
	Retired   bool `json:"retired"`
}

func (h *Head) switches() switches {
	return switches{Published: h.Published, Paused: h.Paused, Retired: h.Retired}
}

func (s *Service) flip(ctx context.Context, a Actor, project, id, action string, in Intent, paused bool) (Applied, error) {
	return s.turned(ctx, a, project, id, action, in, func(head *Head) error {
		if head.Published == 0 || head.Retired {
			return ErrNotPublished
		}
		head.Paused = paused
		return nil
	})
}

// Retire takes a promotion out of force for good and drops its draft; its revisions stay readable and Rollback or a new draft brings it
// back. Retiring a retired one changes nothing.
func (s *Service) Retire(ctx context.Context, a Actor, project, id string, in Intent) (Applied, error) {
	applied, err := s.turned(ctx, a, project, id, "promotion.retire", in, func(head *Head) error {
		head.Retired, head.Paused, head.Published, head.Draft = true, false, 0, 0
		return nil
	})
	if err == nil && applied.Changed {
		s.recount(project)
	}
	return applied, err
}

// turned applies turn to a promotion's head; it makes a new ruleset version only when what is in force changes.
func (s *Service) turned(ctx context.Context, a Actor, project, id, action string, in Intent, turn func(*Head) error) (Applied, error) {
	if err := checkComment(in.Comment); err != nil {
		return Applied{}, err
	}
	var same *Head
	applied, err := s.change(ctx, a, project, func(*frame) (*Commit, error) {
		head, err := s.head(ctx, project, id, in.IfMatch)
		if err != nil {
			return nil, err
		}
		next := *head
		if err := turn(&next); err != nil {
			return nil, err
		}
		if next == *head {
			same = head
			return nil, nil
		}
		live := head.Published != 0 && !head.Retired
		c := &Commit{NewVersion: live, Head: s.moved(next, a), Audit: entry(a, project, action, id, head.switches(), next.switches())}
		c.Audit.Comment = in.Comment
		return c, nil
	})
	if applied.Head == nil {
		applied.Head = same
	}
	return applied, err
}
