package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/audit"
	"eligibility/internal/demo/shop"
	"eligibility/internal/profile"
	"eligibility/internal/rules"

	"golang.org/x/sync/errgroup"
)

// Store is where shoppers and keys are put.
type Store interface {
	profile.Writer
	access.Repo
}

// Seeded says what Seed did.
type Seeded struct {
	Kept       bool // the directory held the shop already and was left as it is; the other fields but Took are zero
	Users      int
	Events     int
	Promotions int
	Took       time.Duration
}

// ErrForeign is returned for a store that holds something else than the demo's shop: it is left untouched.
var ErrForeign = errors.New("the data directory holds other data than the demo's")

// Seed puts the shop into the store, unless it is there already. The keys come last: a store without them was not filled to the end, and
// seeding it once more is safe. Call it before the replica starts, so that it starts with everything in force.
func Seed(ctx context.Context, store Store, authoring *rules.Service, cfg shop.Config) (Seeded, error) {
	began := time.Now()
	if err := cfg.Validate(); err != nil {
		return Seeded{}, err
	}
	done, err := seeded(ctx, store, authoring)
	if err != nil || done {
		return Seeded{Kept: done, Took: time.Since(began)}, err
	}
	out := Seeded{Users: cfg.Users}
	work, workCtx := errgroup.WithContext(ctx)
	work.Go(func() (err error) {
		out.Promotions, err = author(workCtx, authoring, cfg.Now)
		return err
	})
	work.Go(func() (err error) {
		out.Events, err = fill(workCtx, store, cfg)
		return err
	})
	if err := work.Wait(); err != nil {
		return Seeded{}, fmt.Errorf("seed the demo: %w", err)
	}
	for _, credential := range credentials(cfg.Now) {
		entry := audit.Entry{Project: Project, Actor: actor().ID, Action: "key.create", Target: credential.ID}
		if _, err := store.PutCredential(ctx, credential, entry); err != nil {
			return Seeded{}, fmt.Errorf("seed the demo: put key %s: %w", credential.ID, err)
		}
	}
	out.Took = time.Since(began)
	return out, nil
}

// seeded reports whether the store holds the finished shop. ErrForeign when it holds anything else.
func seeded(ctx context.Context, store Store, authoring *rules.Service) (bool, error) {
	projects, err := authoring.Projects(ctx)
	if err != nil {
		return false, fmt.Errorf("list projects: %w", err)
	}
	stored, _, err := store.Credentials(ctx)
	if err != nil {
		return false, fmt.Errorf("list keys: %w", err)
	}
	for _, project := range projects {
		if project != Project {
			return false, fmt.Errorf("%w: project %q", ErrForeign, project)
		}
	}
	found := 0
	for i := range stored {
		if !stored[i].Demo {
			return false, fmt.Errorf("%w: key %q of project %q", ErrForeign, stored[i].ID, stored[i].Project)
		}
		found++
	}
	return found >= len(Keys()), nil
}

// actor is who the audit names for all that is seeded.
func actor() rules.Actor { return rules.Actor{ID: "demo"} }

// author makes the project: schema, context, placements, and the promotions, all published.
func author(ctx context.Context, authoring *rules.Service, now time.Time) (promotions int, err error) {
	if _, err := authoring.CreateProject(ctx, actor(), Project); err != nil && !errors.Is(err, rules.ErrExists) {
		return 0, fmt.Errorf("create project: %w", err)
	}
	if err := declare(ctx, authoring); err != nil {
		return 0, err
	}
	documents, err := shop.Promotions(now)
	if err != nil {
		return 0, err
	}
	for _, document := range documents {
		if _, err := authoring.SaveDraft(ctx, actor(), Project, document, ""); err != nil {
			return 0, fmt.Errorf("save promotion %s: %w", document.ID, err)
		}
		// The house banner is for everybody, which a publisher has to confirm.
		intent := rules.Intent{Comment: "seeded by the demo", Confirm: true}
		if _, err := authoring.Publish(ctx, actor(), Project, document.ID, intent); err != nil && !errors.Is(err, rules.ErrNoDraft) {
			return 0, fmt.Errorf("publish promotion %s: %w", document.ID, err)
		}
	}
	return len(documents), nil
}

func declare(ctx context.Context, authoring *rules.Service) error {
	for _, a := range shop.Attributes() {
		if _, err := authoring.DeclareAttribute(ctx, actor(), Project, a.Name, a.Type, a.ServerOnly); err != nil {
			return fmt.Errorf("declare attribute: %w", err)
		}
	}
	for _, e := range shop.EventTypes() {
		if _, err := authoring.DeclareEventType(ctx, actor(), Project, e.Name, e.Properties); err != nil {
			return fmt.Errorf("declare event type: %w", err)
		}
	}
	for _, field := range shop.Context() {
		if _, err := authoring.DeclareContext(ctx, actor(), Project, field); err != nil {
			return fmt.Errorf("declare context field: %w", err)
		}
	}
	for _, placement := range shop.Placements() {
		if _, err := authoring.DeclarePlacement(ctx, actor(), Project, placement); err != nil {
			return fmt.Errorf("declare placement: %w", err)
		}
	}
	return nil
}
