package rules_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

func TestPublishingSaysWhomItReaches(t *testing.T) {
	s, _ := populated(t, 300)
	ctx := t.Context()
	save(t, s, offer("a", ruleUS))
	if first := publish(t, s, "a"); first.Radius == nil || first.Radius.Matching != 150 || first.Radius.Gains != 150 {
		t.Errorf("first: %+v", first.Radius)
	}
	save(t, s, offer("a", ruleDE))
	if second := publish(t, s, "a"); second.Radius == nil || second.Radius.Gains != 150 || second.Radius.Losses != 150 {
		t.Errorf("second: %+v", second.Radius)
	}
	for name, rule := range map[string]string{
		"nobody": "events.exists('return', days(1))", "everybody": "user.country != 'FR'", "another nobody": ruleFR,
		"nobody, whatever the request": "request.platform == 'ios' && user.country == 'FR'",
	} {
		t.Run("a rule for "+name+" asks first", func(t *testing.T) {
			save(t, s, offer("b", rule))
			_, err := s.Publish(ctx, editor, project, "b", rules.Intent{})
			var confirm *rules.ConfirmError
			if !errors.As(err, &confirm) || !errors.Is(err, rules.ErrConfirm) || confirm.Estimate == nil || !strings.Contains(confirm.Message, "300 users") {
				t.Fatalf("got %v, want it to ask with the numbers", err)
			}
			applied, err := s.Publish(ctx, editor, project, "b", rules.Intent{Confirm: true})
			if err != nil || applied.Radius == nil {
				t.Errorf("confirmed: %+v, %v", applied, err)
			}
		})
	}
	for name, rule := range map[string]string{
		"some":                          "user.age > 100",
		"everybody with a request":      "request.platform == 'ios'",
		"everybody at a time of day":    "now.getHours('UTC') >= 17",
		"everybody but with a fallback": "request.platform == 'ios' || user.country == 'US'",
	} {
		t.Run("a rule for "+name+" does not", func(t *testing.T) {
			save(t, s, offer("b", rule))
			if _, err := s.Publish(ctx, editor, project, "b", rules.Intent{}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestGoingBackAsksNothing(t *testing.T) {
	s, _ := populated(t, 40)
	save(t, s, offer("a", ruleFR))
	if _, err := s.Publish(t.Context(), editor, project, "a", rules.Intent{Confirm: true}); err != nil {
		t.Fatal(err)
	}
	save(t, s, offer("a", ruleUS))
	publish(t, s, "a")
	applied, err := s.Rollback(t.Context(), editor, project, "a", rules.Intent{})
	if err != nil || applied.Radius == nil || applied.Radius.Matching != 0 || applied.Radius.Losses != 20 {
		t.Errorf("got %+v, %v", applied.Radius, err)
	}
}

func TestAFewUsersProveNothing(t *testing.T) {
	s, _ := populated(t, 19)
	save(t, s, offer("a", ruleFR))
	if applied := publish(t, s, "a"); applied.Radius == nil || applied.Radius.Matching != 0 {
		t.Errorf("got %+v", applied.Radius)
	}
}

// stuck is a sampler that never comes to an end.
type stuck struct{}

func (stuck) Sample(ctx context.Context, _ string, _ int) ([]*profile.Snapshot, int, error) {
	<-ctx.Done()
	return nil, 0, ctx.Err()
}

func TestASlowSampleHoldsNothingUp(t *testing.T) {
	s := newAuthoring(t, openStore(t), rules.ServiceConfig{Sampler: stuck{}})
	save(t, s, offer("a", ruleUS))
	begun := time.Now()
	if applied := publish(t, s, "a"); applied.Radius != nil {
		t.Errorf("a radius of nothing: %+v", applied.Radius)
	}
	if issues, err := s.CheckRule(t.Context(), project, ruleUS); err != nil || len(issues) > 0 {
		t.Errorf("check: %v, %v", issues, err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

// TestASampleIsKeptAndForgotten: it serves for half a minute, unless an attribute is declared that it does not know.
func TestASampleIsKeptAndForgotten(t *testing.T) {
	now := time.Now()
	store := openStore(t)
	s := newAuthoring(t, store, rules.ServiceConfig{Sampler: store, Now: func() time.Time { return now }})
	want := func(what string, users int) {
		t.Helper()
		if got, err := s.Estimate(t.Context(), project, "", ruleUS); err != nil || got.Sample != users {
			t.Errorf("%s: %+v, %v, want %d users", what, got, err, users)
		}
	}
	user := func(id string) {
		t.Helper()
		if _, _, err := store.PutUsers(t.Context(), project, []profile.Update{{UserID: id}}); err != nil {
			t.Fatal(err)
		}
	}
	user("a")
	want("at first", 1)
	user("b")
	want("kept", 1)
	now = now.Add(31 * time.Second)
	want("old", 2)
	user("c")
	if _, err := s.DeclareAttribute(t.Context(), editor, project, "shoeSize", profile.Type{Kind: profile.Int}, false); err != nil {
		t.Fatal(err)
	}
	want("of an older schema", 3)
}

// TestPublishAmongManyIsQuick holds a publish with 1,000 promotions in force and a full sample against its bound.
func TestPublishAmongManyIsQuick(t *testing.T) {
	s, store := populated(t, 3000)
	for i := range 1000 {
		save(t, s, offer(fmt.Sprintf("p%d", i), fmt.Sprintf("user.country == 'US' && user.age > %d", i)))
		if _, err := s.Publish(t.Context(), editor, project, fmt.Sprintf("p%d", i), rules.Intent{Confirm: true}); err != nil {
			t.Fatal(err)
		}
	}
	live, compiler := &rules.Live{}, rules.NewCompiler(profile.DefaultRetention)
	apply := func() {
		spec, err := store.Spec(t.Context(), project)
		if err != nil {
			t.Fatal(err)
		}
		rs, err := compiler.Compile(spec, live.Load(project))
		if err != nil {
			t.Fatal(err)
		}
		live.Swap(rs)
	}
	apply()
	for _, kind := range []string{"with a new sample", "with one that is there"} {
		if kind == "with a new sample" {
			s = rules.NewService(store, rules.ServiceConfig{Sampler: store})
		}
		save(t, s, offer("new", "user.age > 100 && events.exists('purchase', days(30)) && request.platform == '"+kind+"'"))
		begun := time.Now()
		applied := publish(t, s, "new")
		published := time.Since(begun)
		apply()
		took := time.Since(begun)
		t.Logf("%s: published in %v, in force after %v", kind, published, took)
		if applied.Radius == nil || applied.Radius.Sample != rules.SampleUsers {
			t.Errorf("%s: radius %+v", kind, applied.Radius)
		}
		if took > 2*time.Second { // the bound is 250 ms on a machine of its own
			t.Errorf("%s: took %v", kind, took)
		}
	}
}
