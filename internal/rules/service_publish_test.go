package rules_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"eligibility/internal/rules"
)

func TestPublishing(t *testing.T) {
	ctx := context.Background()
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, s *rules.Service) error
		want error
	}{
		{"of an unknown promotion", func(_ *testing.T, s *rules.Service) error {
			_, err := s.Publish(ctx, editor, project, "nobody", rules.Intent{})
			return err
		}, rules.ErrNotFound},
		{"in an unknown project", func(_ *testing.T, s *rules.Service) error {
			_, err := s.Publish(ctx, editor, "elsewhere", "spring", rules.Intent{})
			return err
		}, rules.ErrNoProject},
		{"twice finds no draft", func(t *testing.T, s *rules.Service) error {
			save(t, s, offer("a", ruleUS))
			publish(t, s, "a")
			_, err := s.Publish(ctx, editor, project, "a", rules.Intent{})
			return err
		}, rules.ErrNoDraft},
		{"the revision in force again is fine", func(t *testing.T, s *rules.Service) error {
			save(t, s, offer("a", ruleUS))
			first := publish(t, s, "a")
			again, err := s.Publish(ctx, editor, project, "a", rules.Intent{Revision: 1})
			if again.Changed || again.Version != first.Version {
				t.Errorf("repeated publish: %+v, want version %d unchanged", again, first.Version)
			}
			return err
		}, nil},
		{"a revision that is not the draft", func(t *testing.T, s *rules.Service) error {
			save(t, s, offer("a", ruleUS))
			_, err := s.Publish(ctx, editor, project, "a", rules.Intent{Revision: 7})
			return err
		}, rules.ErrRevision},
		{"a rule for everybody asks first", func(t *testing.T, s *rules.Service) error {
			save(t, s, offer("a", "true"))
			_, err := s.Publish(ctx, editor, project, "a", rules.Intent{})
			return err
		}, rules.ErrConfirm},
		{"a rule for everybody, confirmed", func(t *testing.T, s *rules.Service) error {
			save(t, s, offer("a", "user.country == 'x' || !false"))
			_, err := s.Publish(ctx, editor, project, "a", rules.Intent{Confirm: true})
			return err
		}, nil},
		{"over what somebody else saved", func(t *testing.T, s *rules.Service) error {
			seen := save(t, s, offer("a", ruleUS)).Head.Generation
			save(t, s, offer("a", ruleDE))
			_, err := s.Publish(ctx, editor, project, "a", rules.Intent{IfMatch: strconv.FormatUint(seen, 10)})
			return err
		}, rules.ErrPrecondition},
		{"a rollback to a draft", func(t *testing.T, s *rules.Service) error {
			save(t, s, offer("a", ruleUS))
			publish(t, s, "a")
			save(t, s, offer("a", ruleDE))
			_, err := s.Rollback(ctx, editor, project, "a", rules.Intent{Revision: 2})
			return err
		}, rules.ErrNotPublished},
		{"a rollback with nothing before", func(t *testing.T, s *rules.Service) error {
			save(t, s, offer("a", ruleUS))
			publish(t, s, "a")
			_, err := s.Rollback(ctx, editor, project, "a", rules.Intent{})
			return err
		}, rules.ErrRevision},
		{"a rollback to no revision", func(t *testing.T, s *rules.Service) error {
			save(t, s, offer("a", ruleUS))
			publish(t, s, "a")
			_, err := s.Rollback(ctx, editor, project, "a", rules.Intent{Revision: 9})
			return err
		}, rules.ErrRevision},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newAuthoring(t, openStore(t), rules.ServiceConfig{})
			if err := tt.do(t, s); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestARuleThatDoesNotCheckIsKeptAsADraftOnly(t *testing.T) {
	store := openStore(t)
	s := newAuthoring(t, store, rules.ServiceConfig{})
	save(t, s, offer("a", ruleUS))
	publish(t, s, "a")
	save(t, s, offer("a", "user.contry == 'US'"))
	_, err := s.Publish(t.Context(), editor, project, "a", rules.Intent{})
	var invalid *rules.InvalidError
	if !errors.As(err, &invalid) || !invalid.RuleOnly() {
		t.Fatalf("publish: %v, want an InvalidError of the rule", err)
	}
	if live := inForce(t, store, "a"); live.Promotion.Rule != ruleUS {
		t.Errorf("in force: %q, want what was published before", live.Promotion.Rule)
	}
}

func TestRollbackIsCheckedAgainstTodaysProject(t *testing.T) {
	store := openStore(t)
	s := newAuthoring(t, store, rules.ServiceConfig{})
	ctx := t.Context()
	if _, err := s.PutSettings(ctx, editor, project, rules.Settings{URLSchemes: []string{"myshop"}}); err != nil {
		t.Fatal(err)
	}
	p := offer("a", ruleUS)
	p.Content.DefaultAction = &rules.Action{Type: "openUrl", Data: "myshop://cart"}
	save(t, s, p)
	publish(t, s, "a")
	save(t, s, offer("a", ruleDE))
	publish(t, s, "a")
	before, err := s.PutSettings(ctx, editor, project, rules.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Rollback(ctx, editor, project, "a", rules.Intent{Revision: 1})
	var invalid *rules.InvalidError
	if !errors.As(err, &invalid) || invalid.Issues[0].Field != "content.defaultAction.data" {
		t.Errorf("rollback: %v, want the scheme refused", err)
	}
	if live := inForce(t, store, "a"); live.Revision != 2 {
		t.Errorf("in force: revision %d, want 2", live.Revision)
	}
	if version, err := store.Version(ctx, project); err != nil || version != before.Version {
		t.Errorf("version %d, %v, want %d", version, err, before.Version)
	}
}

func TestTwoReplicasPublishAtOnce(t *testing.T) {
	store := openStore(t)
	replicas := []*rules.Service{newAuthoring(t, store, rules.ServiceConfig{}), rules.NewService(store, rules.ServiceConfig{})}
	const each = 10
	for i := range 2 * each {
		save(t, replicas[0], offer(fmt.Sprint("p", i), ruleUS))
	}
	before, err := store.Version(t.Context(), project)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	versions := make(map[uint64]bool)
	for i := range 2 * each {
		wait.Go(func() {
			for {
				applied, err := replicas[i%2].Publish(t.Context(), editor, project, fmt.Sprint("p", i), rules.Intent{})
				if errors.Is(err, rules.ErrConflict) {
					continue // the retries of one call are bounded; the caller's are not
				}
				if err != nil {
					t.Errorf("publish: %v", err)
				}
				mu.Lock()
				versions[applied.Version] = true
				mu.Unlock()
				return
			}
		})
	}
	wait.Wait()
	after, err := store.Version(t.Context(), project)
	if err != nil || after != before+2*each || len(versions) != 2*each {
		t.Errorf("version went from %d to %d with %d distinct answers, want %d of each; %v", before, after, len(versions), 2*each, err)
	}
}
