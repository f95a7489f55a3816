package rules

import (
	"context"
	"errors"
)

// IndexOf says how the index of a ruleset sees a promotion of it. A project whose users cannot be sampled gets the view without rates. Errors: InvalidError when the
// rule no longer checks, those of a project that cannot be read.
func (s *Service) IndexOf(ctx context.Context, rs *Ruleset, p *Compiled) (*IndexedPromotion, error) {
	f, err := s.frame(ctx, rs.Project)
	if err != nil {
		return nil, err
	}
	found, err := s.forView(ctx, rs)
	if err != nil {
		return nil, err
	}
	view := rs.indexed(p, found)
	if found == nil {
		return view, nil
	}
	a, issues := s.assess(f, p.Rule.source)
	if a == nil {
		return nil, &InvalidError{Issues: issues}
	}
	view.TrueRate = a.estimate(found, nil).Share
	return view, nil
}

// IndexSummary says how the index sees a ruleset. Errors: ctx.Err().
func (s *Service) IndexSummary(ctx context.Context, rs *Ruleset) (*IndexSummary, error) {
	found, err := s.forView(ctx, rs)
	if err != nil {
		return nil, err
	}
	return rs.summary(found), nil
}

// forView is a sample that was read with the ruleset's schema; nil when there is none.
func (s *Service) forView(ctx context.Context, rs *Ruleset) (*sample, error) {
	found, err := s.samples.get(ctx, rs.Project, rs.Schema.Version)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, ErrNoSample), err == nil && len(found.users) == 0:
		return nil, nil
	}
	return found, err
}
