package rules_test

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"eligibility/internal/rules"
)

func TestDrafts(t *testing.T) {
	store := openStore(t)
	s := newAuthoring(t, store, rules.ServiceConfig{})
	ctx := t.Context()
	first := save(t, s, offer("a", ruleUS)).Head

	t.Run("the same again changes nothing", func(t *testing.T) {
		if again := save(t, s, offer("a", ruleUS)); again.Changed {
			t.Errorf("saved again: %+v", again)
		}
	})
	t.Run("a stale generation is refused", func(t *testing.T) {
		for _, seen := range []string{"0", "2", "x"} {
			if _, err := s.SaveDraft(ctx, editor, project, offer("a", ruleDE), seen); !errors.Is(err, rules.ErrPrecondition) {
				t.Errorf("generation %s: %v, want ErrPrecondition", seen, err)
			}
		}
		if _, err := s.SaveDraft(ctx, editor, project, offer("new", ruleDE), rules.MatchAny); !errors.Is(err, rules.ErrPrecondition) {
			t.Errorf("%q on a new promotion: %v, want ErrPrecondition", rules.MatchAny, err)
		}
	})
	t.Run("the campaign id stays", func(t *testing.T) {
		p := offer("a", ruleDE)
		p.CampaignID = first.CampaignID%1000 + 1001
		var invalid *rules.InvalidError
		if _, err := s.SaveDraft(ctx, editor, project, p, ""); !errors.As(err, &invalid) || invalid.Issues[0].Code != "campaign_id_fixed" {
			t.Errorf("another campaign id: %v", err)
		}
		p.CampaignID = first.CampaignID
		if _, err := s.SaveDraft(ctx, editor, project, p, ""); err != nil {
			t.Errorf("the same campaign id: %v", err)
		}
	})
	t.Run("a document equal to the one in force makes no draft", func(t *testing.T) {
		publish(t, s, "a")
		if again := save(t, s, offer("a", ruleDE)); again.Changed {
			t.Errorf("saved what is in force: %+v", again.Head)
		}
	})
	t.Run("after retirement a draft has a new number", func(t *testing.T) {
		if _, err := s.Retire(ctx, editor, project, "a", rules.Intent{}); err != nil {
			t.Fatal(err)
		}
		if got := save(t, s, offer("a", ruleDE)); !got.Changed || got.Head.Draft != 2 {
			t.Errorf("draft: %+v, want number 2", got.Head)
		}
		if got := publish(t, s, "a"); got.Head.State() != rules.StatePublished {
			t.Errorf("state %s, want published", got.Head.State())
		}
	})
}

func TestOfRacingDraftsGuardedByOneGenerationOneWins(t *testing.T) {
	s := newAuthoring(t, openStore(t), rules.ServiceConfig{})
	seen := strconv.FormatUint(save(t, s, offer("a", ruleUS)).Head.Generation, 10)
	var wait sync.WaitGroup
	results := make([]error, 8)
	for i := range results {
		wait.Go(func() {
			_, results[i] = s.SaveDraft(t.Context(), editor, project, offer("a", fmt.Sprintf("user.country == '%d'", i)), seen)
		})
	}
	wait.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
		} else if !errors.Is(err, rules.ErrPrecondition) {
			t.Errorf("lost with %v, want ErrPrecondition", err)
		}
	}
	if won != 1 {
		t.Errorf("%d writers won, want 1", won)
	}
}

func TestQuota(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	s := newAuthoring(t, openStore(t), rules.ServiceConfig{MaxPromotions: 2, Now: func() time.Time { return now }})
	save(t, s, offer("a", ruleUS))
	save(t, s, offer("b", ruleUS))
	if _, err := s.SaveDraft(t.Context(), editor, project, offer("c", ruleUS), ""); !errors.Is(err, rules.ErrQuota) {
		t.Errorf("third promotion: %v, want ErrQuota", err)
	}
	save(t, s, offer("a", ruleDE)) // one that exists needs no room
	if _, err := s.Retire(t.Context(), editor, project, "b", rules.Intent{}); err != nil {
		t.Fatal(err)
	}
	save(t, s, offer("c", ruleUS))
}

func TestCampaignIDsDiffer(t *testing.T) {
	s := newAuthoring(t, openStore(t), rules.ServiceConfig{})
	seen := make(map[int32]bool)
	for i := range 200 {
		id := save(t, s, offer(fmt.Sprint("p", i), ruleUS)).Head.CampaignID
		if id < 1 || seen[id] {
			t.Fatalf("campaign id %d is out of range or given twice", id)
		}
		seen[id] = true
	}
}
