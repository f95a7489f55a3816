package rules_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
	"eligibility/internal/store/embedded"
)

const project = "shop"

var editor = rules.Actor{ID: "key1", RemoteAddr: "192.0.2.1", RequestID: "r1"}

// openStore opens an embedded store in memory.
func openStore(t testing.TB) *embedded.Store {
	t.Helper()
	cfg := embedded.Defaults("")
	cfg.InMemory = true
	store, err := embedded.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// newAuthoring is a service over a store with a project that has an attribute, an event type and a placement.
func newAuthoring(t testing.TB, repo rules.Repo, cfg rules.ServiceConfig) *rules.Service {
	t.Helper()
	s := rules.NewService(repo, cfg)
	ctx := t.Context()
	steps := []func() (rules.Applied, error){
		func() (rules.Applied, error) { return s.CreateProject(ctx, editor, project) },
		func() (rules.Applied, error) {
			return s.DeclareAttribute(ctx, editor, project, "country", profile.Type{Kind: profile.String}, false)
		},
		func() (rules.Applied, error) {
			return s.DeclareEventType(ctx, editor, project, "purchase", map[string]profile.Type{"total": {Kind: profile.Double}})
		},
		func() (rules.Applied, error) {
			return s.DeclarePlacement(ctx, editor, project, rules.Placement{Placement: 101, Name: "banner"})
		},
	}
	for i, step := range steps {
		if applied, err := step(); err != nil || applied.Version != uint64(i+1) || !applied.Changed {
			t.Fatalf("step %d: %+v, %v", i, applied, err)
		}
	}
	return s
}

// offer is a complete promotion.
func offer(id, rule string) rules.Promotion {
	return rules.Promotion{
		ID: id, Name: "Offer " + id, Rule: rule, Placements: []rules.PlacementTarget{{Placement: 101, Priority: 10}},
		Content: rules.Content{Title: "20 % off"},
	}
}

func save(t testing.TB, s *rules.Service, p rules.Promotion) rules.Applied {
	t.Helper()
	applied, err := s.SaveDraft(t.Context(), editor, project, p, "")
	if err != nil {
		t.Fatalf("save draft of %s: %v", p.ID, err)
	}
	return applied
}

func publish(t testing.TB, s *rules.Service, id string) rules.Applied {
	t.Helper()
	applied, err := s.Publish(t.Context(), editor, project, id, rules.Intent{})
	if err != nil {
		t.Fatalf("publish %s: %v", id, err)
	}
	return applied
}

func inForce(t testing.TB, repo rules.Repo, id string) *rules.LivePromotion {
	t.Helper()
	spec, err := repo.Spec(t.Context(), project)
	if err != nil {
		t.Fatal(err)
	}
	if live, ok := spec.Promotions.Find(id); ok {
		return &live
	}
	return nil
}

const (
	ruleUS = "user.country == 'US'"
	ruleDE = "user.country == 'DE'"
	ruleFR = "user.country == 'FR'"
)

func TestTheLifeOfAPromotion(t *testing.T) {
	store := openStore(t)
	s := newAuthoring(t, store, rules.ServiceConfig{})
	ctx := t.Context()

	first := save(t, s, offer("spring", ruleUS))
	if first.Version != 4 || first.Head.Draft != 1 || first.Head.CampaignID < 1 {
		t.Errorf("first draft: %+v %+v, want version 4, draft 1 and a campaign id", first, first.Head)
	}
	save(t, s, offer("spring", ruleDE))
	if live := inForce(t, store, "spring"); live != nil {
		t.Errorf("a draft is in force: %+v", live)
	}

	if got := publish(t, s, "spring"); got.Version != 5 || got.Head.Published != 1 || got.Head.Draft != 0 {
		t.Errorf("publish: %+v %+v, want version 5 with revision 1", got, got.Head)
	}
	if live := inForce(t, store, "spring"); live == nil || live.Promotion.Rule != ruleDE ||
		live.Promotion.CampaignID != first.Head.CampaignID {
		t.Errorf("in force: %+v, want the second draft with the campaign id of the first", live)
	}

	save(t, s, offer("spring", ruleFR))
	if live := inForce(t, store, "spring"); live.Promotion.Rule != ruleDE {
		t.Errorf("in force: %s, want the published rule while there is a newer draft", live.Promotion.Rule)
	}
	publish(t, s, "spring")

	paused, err := s.Pause(ctx, editor, project, "spring", rules.Intent{})
	if err != nil || paused.Version != 7 || !inForce(t, store, "spring").Paused {
		t.Errorf("pause: %+v, %v", paused, err)
	}
	if again, err := s.Pause(ctx, editor, project, "spring", rules.Intent{}); err != nil || again.Changed || again.Version != 7 ||
		again.Head == nil {
		t.Errorf("pause again: %+v, %v, want nothing to change", again, err)
	}
	back, err := s.Rollback(ctx, editor, project, "spring", rules.Intent{Comment: "too many complaints"})
	if err != nil || back.Head.Published != 1 || !back.Head.Paused {
		t.Errorf("rollback: %+v, %v, want revision 1 and still paused", back.Head, err)
	}
	if resumed, err := s.Resume(ctx, editor, project, "spring", rules.Intent{}); err != nil || resumed.Head.State() != rules.StatePublished {
		t.Errorf("resume: %+v, %v", resumed, err)
	}

	retired, err := s.Retire(ctx, editor, project, "spring", rules.Intent{})
	if err != nil || retired.Head.State() != rules.StateRetired || inForce(t, store, "spring") != nil {
		t.Errorf("retire: %+v, %v", retired, err)
	}
	if _, err := s.Pause(ctx, editor, project, "spring", rules.Intent{}); !errors.Is(err, rules.ErrNotPublished) {
		t.Errorf("pause a retired one: %v, want ErrNotPublished", err)
	}
	revived, err := s.Rollback(ctx, editor, project, "spring", rules.Intent{})
	if err != nil || revived.Head.Published != 2 || revived.Head.State() != rules.StatePublished {
		t.Errorf("rollback of a retired one: %+v, %v, want the newest published revision back", revived.Head, err)
	}

	_, revisions, err := s.Revisions(ctx, project, "spring")
	if err != nil || len(revisions) != 2 || revisions[0].Number != 2 || revisions[1].PublishedAt == nil {
		t.Errorf("revisions: %+v, %v", revisions, err)
	}
}

// TestRollbackIsCheckedAgainstTodaysProject: a revision that was fine once may not be any more, and then what is in force stays.
// TestTwoReplicasPublishAtOnce: every publish of another promotion succeeds, and each makes a version of its own.
// TestWithRevision: a preview sees the draft in force, in its order, and nothing of it is stored.
// failing is a repo whose next commits fail with what is set.
type failing struct {
	rules.Repo
	mu   sync.Mutex
	errs []error
}

func (f *failing) Commit(ctx context.Context, c *rules.Commit) (hlc.Timestamp, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.errs) > 0 {
		err := f.errs[0]
		f.errs = f.errs[1:]
		return hlc.Timestamp{}, err
	}
	return f.Repo.Commit(ctx, c)
}

func TestCommitsThatFail(t *testing.T) {
	repo := &failing{Repo: openStore(t)}
	s := newAuthoring(t, repo, rules.ServiceConfig{})
	save(t, s, offer("a", ruleUS))
	t.Run("a conflict is tried again", func(t *testing.T) {
		repo.errs = []error{rules.ErrConflict, rules.ErrConflict, fmt.Errorf("commit: %w", rules.ErrConflict)}
		publish(t, s, "a")
	})
	t.Run("but not for ever", func(t *testing.T) {
		for range 100 {
			repo.errs = append(repo.errs, rules.ErrConflict)
		}
		if _, err := s.Pause(t.Context(), editor, project, "a", rules.Intent{}); !errors.Is(err, rules.ErrConflict) {
			t.Errorf("pause: %v, want ErrConflict", err)
		}
		if tried := 100 - len(repo.errs); tried > 10 {
			t.Errorf("tried %d times, want a few", tried)
		}
		repo.errs = nil
	})
	t.Run("a full disk is told", func(t *testing.T) {
		repo.errs = []error{profile.ErrNotDurable}
		if _, err := s.Pause(t.Context(), editor, project, "a", rules.Intent{}); !errors.Is(err, profile.ErrNotDurable) {
			t.Errorf("pause: %v, want ErrNotDurable", err)
		}
		if applied, err := s.Pause(t.Context(), editor, project, "a", rules.Intent{}); err != nil || !applied.Changed {
			t.Errorf("pause again: %+v, %v", applied, err)
		}
	})
}
