package rules_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"eligibility/internal/profile"
	"eligibility/internal/rules"
	"eligibility/internal/store/embedded"
)

// populated is an authoring service over a store with users 0 to n-1. Of them, every second is in the US, the rest in DE; every third has an
// age, which is its number; every fifth has bought something; nobody has ever returned anything, and nobody but user 7 has a nickname.
func populated(t testing.TB, n int) (*rules.Service, *embedded.Store) {
	t.Helper()
	store := openStore(t)
	s := newAuthoring(t, store, rules.ServiceConfig{Sampler: store})
	ctx := t.Context()
	for name, kind := range map[string]profile.Kind{"age": profile.Int, "nickname": profile.String} {
		if _, err := s.DeclareAttribute(ctx, editor, project, name, profile.Type{Kind: kind}, false); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"purchase", "return"} {
		if _, err := s.DeclareEventType(ctx, editor, project, name, map[string]profile.Type{"category": {Kind: profile.String}}); err != nil {
			t.Fatal(err)
		}
	}
	for from := 0; from < n; from += 1000 {
		populate(t, store, from, min(from+1000, n))
	}
	return s, store
}

func populate(t testing.TB, store *embedded.Store, from, to int) {
	t.Helper()
	var users []profile.Update
	var events []profile.NewEvent
	for i := from; i < to; i++ {
		u := profile.Update{UserID: fmt.Sprintf("u%06d", i), Attributes: map[string]json.RawMessage{"country": json.RawMessage(`"DE"`)}}
		if i%2 == 0 {
			u.Attributes["country"] = json.RawMessage(`"US"`)
		}
		if i%3 == 0 {
			u.Attributes["age"] = json.RawMessage(fmt.Sprint(i))
		}
		if i == 7 {
			u.Attributes["nickname"] = json.RawMessage(`"Seven"`)
		}
		if i%5 == 0 {
			events = append(events, profile.NewEvent{UserID: u.UserID, Name: "purchase", Properties: json.RawMessage(`{"category":"garden"}`)})
		}
		users = append(users, u)
	}
	if _, failed, err := store.PutUsers(t.Context(), project, users); err != nil || len(failed) > 0 {
		t.Fatal(failed, err)
	}
	if _, failed, err := store.PutEvents(t.Context(), project, events); err != nil || len(failed) > 0 {
		t.Fatal(failed, err)
	}
}

func TestAnEstimateOverAllUsersIsExact(t *testing.T) {
	s, _ := populated(t, 300)
	for _, tt := range []struct {
		rule     string
		matching int
		reasons  map[rules.Reason]int
		assumed  []string
	}{
		{"user.country == 'US'", 150, map[rules.Reason]int{rules.ReasonRuleFalse: 150}, nil},
		{"user.age < 150", 50, map[rules.Reason]int{rules.ReasonRuleFalse: 50, rules.ReasonMissingAttribute: 200}, nil},
		{
			"user.country == 'US' && user.age >= 0", 50,
			map[rules.Reason]int{rules.ReasonRuleFalse: 150, rules.ReasonMissingAttribute: 100},
			nil,
		},
		{"events.exists('purchase', days(1))", 60, map[rules.Reason]int{rules.ReasonRuleFalse: 240}, nil},
		{"events.exists('return', days(1))", 0, map[rules.Reason]int{rules.ReasonRuleFalse: 300}, nil},
		{
			"request.platform == 'ios' && user.country == 'US'", 150,
			map[rules.Reason]int{rules.ReasonRuleFalse: 150},
			[]string{`request.platform == "ios"`},
		},
		{
			"!(channel == 'push') && now.getHours('UTC') >= 17 && user.country == 'US'", 150,
			map[rules.Reason]int{rules.ReasonRuleFalse: 150},
			[]string{`!(channel == "push")`, `now.getHours("UTC") >= 17`},
		},
		{
			"request.platform == 'ios' ? user.country == 'US' : user.age >= 0", 200,
			map[rules.Reason]int{rules.ReasonMissingAttribute: 100},
			[]string{`request.platform == "ios"`, `!(request.platform == "ios")`},
		},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			got, err := s.Estimate(t.Context(), project, "", tt.rule)
			if err != nil {
				t.Fatal(err)
			}
			share := float64(tt.matching) / 300
			if got.Sample != 300 || got.Users != 300 || got.Matching != tt.matching || got.Share != share || got.Low != share || got.High != share {
				t.Errorf("got %+v, want %d of 300, exactly", got, tt.matching)
			}
			if fmt.Sprint(got.Reasons) != fmt.Sprint(tt.reasons) || !slices.Equal(got.Assumed, tt.assumed) {
				t.Errorf("got reasons %v assuming %v, want %v assuming %v", got.Reasons, got.Assumed, tt.reasons, tt.assumed)
			}
			if got.Gains != tt.matching || got.Losses != 0 {
				t.Errorf("against nothing: %d gains, %d losses", got.Gains, got.Losses)
			}
		})
	}
}

// TestAnEstimateOfManyUsersIsNear draws a sample; chance alone takes it this far from the truth once in 10^8 runs.
func TestAnEstimateOfManyUsersIsNear(t *testing.T) {
	const users = 6000
	s, _ := populated(t, users)
	got, err := s.Estimate(t.Context(), project, "", "events.exists('purchase', days(1))")
	if err != nil {
		t.Fatal(err)
	}
	const truth = 0.2
	if got.Sample != rules.SampleUsers || got.Users != users || math.Abs(got.Share-truth) > 0.07 {
		t.Errorf("got %+v, want a share near %v", got, truth)
	}
	if !(got.Low < got.Share && got.Share < got.High && got.High-got.Low < 0.05 && got.High-got.Low > 0.03) {
		t.Errorf("interval %v to %v around %v", got.Low, got.High, got.Share)
	}
	if want := math.Round(float64(got.Matching) * users / rules.SampleUsers); float64(got.Gains) != want {
		t.Errorf("%d gains, want %v: scaled to all users", got.Gains, want)
	}
}

func TestAnEstimateAgainstWhatIsInForce(t *testing.T) {
	s, _ := populated(t, 300)
	save(t, s, offer("a", ruleUS))
	publish(t, s, "a")
	save(t, s, offer("a", "user.age >= 0"))
	for name, ask := range map[string]struct{ id, rule string }{"its newest revision": {"a", ""}, "another rule": {"a", "user.age > -1"}} {
		got, err := s.Estimate(t.Context(), project, ask.id, ask.rule)
		if err != nil || got.Matching != 100 || got.Gains != 50 || got.Losses != 100 {
			t.Errorf("%s: got %+v, %v, want 100 matching, 50 gains, 100 losses", name, got, err)
		}
	}
	if _, err := s.Estimate(t.Context(), project, "nobody", ""); !errors.Is(err, rules.ErrNotFound) {
		t.Errorf("an unknown promotion: %v", err)
	}
	var invalid *rules.InvalidError
	if _, err := s.Estimate(t.Context(), project, "", "user.contry"); !errors.As(err, &invalid) {
		t.Errorf("a rule that does not check: %v", err)
	}
	without := rules.NewService(openStore(t), rules.ServiceConfig{})
	newAuthoringOn(t, without)
	if _, err := without.Estimate(t.Context(), project, "", "true"); !errors.Is(err, rules.ErrNoSample) {
		t.Errorf("without a sampler: %v", err)
	}
}

func newAuthoringOn(t *testing.T, s *rules.Service) {
	t.Helper()
	if _, err := s.CreateProject(t.Context(), editor, project); err != nil {
		t.Fatal(err)
	}
}
