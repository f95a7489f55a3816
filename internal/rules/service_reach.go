package rules

import (
	"context"
	"slices"
)

// reach is what putting a promotion into force does: what there is to say about it, and to whom it comes.
type reach struct {
	issues []Issue
	radius *Estimate // nil: users could not be sampled in time
}

// sampledBefore draws the users that a publish is held against, nil when that takes too long: then it goes on without.
func (s *Service) sampledBefore(ctx context.Context, project string) (*sample, error) {
	f, err := s.frame(ctx, project)
	if err != nil {
		return nil, err
	}
	return s.sampled(ctx, f, waitToPublish), nil
}

// reach checks the promotion that is to be put into force. InvalidError when it cannot be.
func (s *Service) reach(ctx context.Context, f *frame, head *Head, p *Promotion, users *sample) (reach, error) {
	out := reach{issues: f.check(p, s.cfg.Retention)}
	if Failed(out.issues) {
		return out, &InvalidError{Issues: out.issues}
	}
	if users == nil || users.schema < f.schema.Version {
		return out, nil
	}
	a, _ := s.assess(f, p.Rule)
	if a == nil { // it was checked just now
		return out, nil
	}
	live, err := s.liveRule(ctx, f.project, head)
	if err != nil {
		return out, err
	}
	out.issues = append(out.issues, a.fromData(users)...)
	out.radius = a.estimate(users, s.assessLive(f, live))
	return out, nil
}

// confirm is a ConfirmError when the rule reaches everybody, or nobody. What was in force before (again) may reach whom it likes of today's
// users: going back must not take a second look.
func (r reach) confirm(again bool) error {
	if slices.ContainsFunc(r.issues, func(i Issue) bool { return i.Code == codeAlways }) {
		return &ConfirmError{Message: "the rule is true for every user", Estimate: r.radius}
	}
	if r.radius == nil || again {
		return nil
	}
	if said := r.radius.extreme(); said != "" {
		return &ConfirmError{Message: said, Estimate: r.radius}
	}
	return nil
}
