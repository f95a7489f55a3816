package rules

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"eligibility/internal/profile"
)

// Limits of proofs.
const (
	MaxTestUsers = 50
	MaxProofs    = 20 // that are to be shown at one time
	MaxProofLife = 7 * 24 * time.Hour
	ProofLife    = time.Hour // of a proof that does not say how long it is shown
)

// Errors of proofs.
var (
	ErrNoTestUsers = errors.New("the project has no test users") // a proof would be shown to nobody
	ErrProofs      = fmt.Errorf("at most %d proofs are shown at one time: withdraw one", MaxProofs)
)

// PutTestUsers replaces the project's test users and returns them as they are kept, in order. FieldError.
func (s *Service) PutTestUsers(ctx context.Context, a Actor, project string, users []string) (Applied, []string, error) {
	if len(users) > MaxTestUsers {
		return Applied{}, nil, &FieldError{"userIds", fmt.Sprintf("a project has at most %d test users", MaxTestUsers)}
	}
	for i, user := range users {
		if !profile.ValidUserID(user) {
			return Applied{}, nil, &FieldError{fmt.Sprintf("userIds[%d]", i), "this is no user id"}
		}
	}
	users = slices.Compact(slices.Sorted(slices.Values(users)))
	applied, err := s.prove(ctx, a, project, "test_users.put", project, func(_ *frame, p *Proving) error {
		p.Users = users
		return nil
	})
	return applied, users, err
}

// TestUsers lists the project's test users, in order.
func (s *Service) TestUsers(ctx context.Context, project string) ([]string, error) {
	f, err := s.frame(ctx, project)
	if err != nil || f.settings.Proving == nil {
		return nil, err
	}
	return f.settings.Proving.Users, nil
}

// ProofIntent is what an author says with a proof.
type ProofIntent struct {
	Revision int           // which one is meant; 0: the draft, or what is in force when there is none
	For      time.Duration // how long it is shown; 0: ProofLife
	Withdraw bool          // shows it no longer
}

// SendProof has the promotion's revision shown to the project's test users until it expires, is sent anew or is withdrawn. It puts nothing
// into force for others. The proof is nil when it was withdrawn. Errors: ErrNoTestUsers, ErrProofs, ErrRevision, FieldError, InvalidError
// for a revision whose content or placements could not be published; its rule may be at fault.
func (s *Service) SendProof(ctx context.Context, a Actor, project, id string, in ProofIntent) (Applied, *Proof, error) {
	if in.For == 0 {
		in.For = ProofLife
	}
	if in.For < time.Second || in.For > MaxProofLife {
		return Applied{}, nil, &FieldError{"for", "use a duration from 1s to " + printed(MaxProofLife)}
	}
	var sent *Proof
	action := "proof.send"
	if in.Withdraw {
		action = "proof.withdraw"
	}
	applied, err := s.prove(ctx, a, project, action, id, func(f *frame, p *Proving) (err error) {
		now := s.now()
		p.Proofs = slices.DeleteFunc(slices.Clone(p.Proofs), func(old Proof) bool { return old.Promotion.ID == id || !old.Until.After(now) })
		if in.Withdraw {
			return nil
		}
		switch {
		case len(p.Users) == 0:
			return ErrNoTestUsers
		case len(p.Proofs) >= MaxProofs:
			return ErrProofs
		}
		if sent, err = s.proof(ctx, f, id, in); err != nil {
			return err
		}
		sent.Until = now.Add(in.For)
		p.Proofs = append(p.Proofs, *sent)
		slices.SortFunc(p.Proofs, func(a, b Proof) int { return strings.Compare(a.Promotion.ID, b.Promotion.ID) })
		return nil
	})
	if err == nil && sent == nil && !in.Withdraw { // the request was carried out before
		sent, err = s.shown(ctx, project, id)
	}
	return applied, sent, err
}

// shown is the promotion's proof, nil when there is none.
func (s *Service) shown(ctx context.Context, project, id string) (*Proof, error) {
	f, err := s.frame(ctx, project)
	if err != nil || f.settings.Proving == nil {
		return nil, err
	}
	for i := range f.settings.Proving.Proofs {
		if p := &f.settings.Proving.Proofs[i]; p.Promotion.ID == id {
			return p, nil
		}
	}
	return nil, nil
}

// proof finds the revision and checks all of it but its rule.
func (s *Service) proof(ctx context.Context, f *frame, id string, in ProofIntent) (*Proof, error) {
	head, err := s.repo.Head(ctx, f.project, id)
	if err != nil {
		return nil, err
	}
	number := in.Revision
	switch {
	case number == 0 && head.Draft != 0:
		number = head.Draft
	case number == 0:
		number = head.Published
	}
	rev, err := s.repo.Revision(ctx, f.project, id, number)
	if errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("%w: %d", ErrRevision, number)
	}
	if err != nil {
		return nil, err
	}
	if len(rev.Promotion.Placements) == 0 {
		return nil, &InvalidError{Issues: []Issue{{
			Severity: SeverityError, Field: "placements", Code: codeMissing, Message: "a proof is shown in placements: name one",
		}}}
	}
	d := &document{frame: f, retention: s.cfg.Retention}
	d.targets(&rev.Promotion)
	d.content(&rev.Promotion.Content)
	if Failed(d.issues) {
		return nil, &InvalidError{Issues: d.issues}
	}
	return &Proof{Promotion: rev.Promotion, Revision: number}, nil
}

// prove changes who sees what. What edit leaves as it was is no change.
func (s *Service) prove(ctx context.Context, a Actor, project, action, target string, edit func(*frame, *Proving) error) (Applied, error) {
	return s.change(ctx, a, project, func(f *frame) (*Commit, error) {
		before, next := f.settings, Proving{}
		if before.Proving != nil {
			next = *before.Proving
		}
		if err := edit(f, &next); err != nil {
			return nil, err
		}
		after := before
		if after.Proving = &next; len(next.Users) == 0 && len(next.Proofs) == 0 {
			after.Proving = nil
		}
		if digest(before) == digest(after) {
			return nil, nil
		}
		return &Commit{NewVersion: true, Settings: &after, Audit: entry(a, project, action, target, before, after)}, nil
	})
}
