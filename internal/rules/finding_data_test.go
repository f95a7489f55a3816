package rules_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestFindingsFromWhatUsersHold(t *testing.T) {
	s, _ := populated(t, 300)
	const guard = "ask has(user.age) first, or give a default with orValue"
	for _, tt := range []struct {
		name, rule string
		want       []string
	}{
		{"a country of another spelling", "user.country == 'USA'", []string{"value_never_seen «'USA'» did you mean 'US'?"}},
		{"a country that nobody lives in", "user.country in ['US', 'FR']", []string{"value_never_seen «'FR'» seen are 'DE', 'US'"}},
		{"countries that are there", "user.country in ['US', 'DE'] && user.country != 'DE'", nil},
		{"an event that never happened", "!events.exists('return', days(7))", []string{"event_type_never_seen «'return'» make sure that the app sends it"}},
		{"one that did", "events.exists('purchase', days(7))", nil},
		{
			"an event's property of another spelling", "events.exists('purchase', days(7), e, e.category == 'gardn')",
			[]string{"value_never_seen «'gardn'» did you mean 'garden'?"},
		},
		{"an attribute of one in 300", "user.?nickname.orValue('') != ''", []string{"attribute_rarely_set «user.?nickname»"}},
		{"an attribute that two thirds lack", "user.age > 100", []string{"errors_without_attribute «user.age» " + guard}},
		{"in an alternative", "user.country == 'US' || user.age > 100", []string{"errors_without_attribute «user.age» " + guard}},
		{"settled before it matters", "user.country == 'FR' && user.age > 100", []string{"value_never_seen «'FR'» seen are 'DE', 'US'"}},
		{"asked for first", "has(user.age) && user.age > 100", nil},
		{"with a default", "user.?age.orValue(0) > 100", nil},
		{"of the request", "request.platform == 'ios'", nil},
		{"values that are no list to choose from", "user.id == 'nobody'", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			issues, err := s.CheckRule(t.Context(), project, tt.rule)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, i := range issues {
				if i.Severity != "warning" || i.Message == "" || i.Field != "rule" {
					t.Errorf("%+v", i)
				}
				text := string([]rune(tt.rule)[i.Column-1 : i.Column-1+i.Length])
				got = append(got, strings.TrimSpace(fmt.Sprintf("%s «%s» %s", i.Code, text, i.Suggestion)))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s\n got %q\nwant %q", tt.rule, got, tt.want)
			}
		})
	}
	t.Run("a promotion's check has them too", func(t *testing.T) {
		p := offer("a", "user.country == 'USA'")
		issues, err := s.Check(t.Context(), project, &p)
		if err != nil || len(issues) != 1 || issues[0].Code != "value_never_seen" {
			t.Errorf("got %+v, %v", issues, err)
		}
	})
	t.Run("a publish goes on and says them", func(t *testing.T) {
		save(t, s, offer("a", "user.age > 100"))
		if applied := publish(t, s, "a"); len(applied.Issues) != 1 || applied.Issues[0].Code != "errors_without_attribute" {
			t.Errorf("got %+v", applied.Issues)
		}
	})
}
