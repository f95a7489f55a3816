package rules_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"eligibility/internal/profile"
	"eligibility/internal/rules"

	"pgregory.net/rapid"
)

// completing is a service whose project has something of everything to complete.
func completing(t *testing.T) *rules.Service {
	t.Helper()
	s, _ := populated(t, 100)
	for _, a := range []struct {
		name string
		typ  profile.Type
	}{
		{"address.city", profile.Type{Kind: profile.String}},
		{"address.geo.lat", profile.Type{Kind: profile.Double}},
		{"signedUpAt", profile.Type{Kind: profile.Timestamp}},
		{"tags", profile.Type{Kind: profile.String, Shape: profile.List}},
	} {
		if _, err := s.DeclareAttribute(t.Context(), editor, project, a.name, a.typ, false); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestComplete(t *testing.T) {
	s := completing(t)
	for _, tt := range []struct {
		name, rule string // | is the position
		from       int    // of the word, in code points
		want       string // labels in order, all of them or, before …, the first
	}{
		{"nothing yet", "|", 0, "user events request channel now has days hours duration timestamp version bucket size"},
		{"the beginning of a word", "us|", 0, "user"},
		{"an attribute's bare name", "coun|", 0, "user.country"},
		{"after user", "user.|", 5, "id email timeZone consent country …"},
		{"part of an attribute", "user.co|", 5, "consent country"},
		{"a nested one", "user.address.|", 13, "city geo"},
		{"nested more", "user.address.geo.|", 17, "lat"},
		{"an optional one", "user.?address.?c|", 15, "city"},
		{"in the middle", "user.a| == 3 && user.vip", 5, "age address"},
		{"after umlauts", "user.country == 'Österreich' && user.ci|", 37, ""},
		{"what a text can be asked", "user.country.|", 13, "startsWith endsWith contains matches size"},
		{"what a list can be asked", "user.tags.|", 10, "exists all size"},
		{"what a time can be asked", "now.getH|", 4, "getHours"},
		{"the request", "request.|", 8, "platform appVersion locale"},
		{"the event functions", "!events.|", 8, "avg count exists first last max min sum"},
		{"one of them", "events.c|", 7, "count"},
		{"an event type", "events.count('|", 14, "embedded_impression embedded_click embedded_dismiss campaign_send purchase return"},
		{"an event type that is half there", `events.count("pur|`, 14, "purchase"},
		{"an event type in a text that goes on", "events.count('pur|', days(7)) > 1", 14, "purchase"},
		{"a numeric property", "events.sum('purchase', '|", 24, "total"},
		{"not of functions that count", "events.count('purchase', '|", 26, ""},
		{"an event in its condition", "events.count('purchase', days(7), e, e.|", 39, "total category occurredAt"},
		{"an event in half a condition", "events.count('purchase', days(7), e, e.total > 3.0 && e.c|", 56, "category"},
		{"its variable", "events.exists('purchase', days(7), item, it|", 41, "item"},
		{"but not behind it", "events.exists('purchase', days(7), e, e.total > 1.0) && e.|", 58, ""},
		{"a value that was seen", "user.country == '|", 17, "DE US"},
		{"half a value", "user.country == 'U|", 17, "US"},
		{"a value in a list", "user.country in ['US', '|", 24, "DE US"},
		{"an event's value", "events.exists('purchase', days(7), e, e.category == '|", 53, "garden"},
		{"a channel", "channel == 'p|", 12, "push"},
		{"values that are too different", "user.nickname == '|", 18, ""},
		{"after a value comes an operator", "user.age |", 9, ""},
		{"after an operator comes a value", "user.age > n|", 11, "now user.nickname"},
		{"in a number", "user.age > 1|", 12, ""},
		{"after broken text", ")) && && user.ag|", 14, "age"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before, after, _ := strings.Cut(tt.rule, "|")
			got, err := s.Complete(t.Context(), project, before+after, utf8.RuneCountInString(before))
			if err != nil {
				t.Fatal(err)
			}
			var labels []string
			for _, item := range got.Items {
				labels = append(labels, item.Label)
				if item.Kind == "" || item.Insert == "" {
					t.Errorf("incomplete item %+v", item)
				}
			}
			want, partly := strings.CutSuffix(tt.want, " …")
			if text := strings.Join(labels, " "); text != want && !(partly && strings.HasPrefix(text, want)) || got.From != tt.from && len(labels) > 0 {
				t.Errorf("%s: got %q from %d, want %q from %d", tt.rule, text, got.From, tt.want, tt.from)
			}
		})
	}
}

func TestCompletionsAreInsertedAsTheyAre(t *testing.T) {
	s := completing(t)
	for _, tt := range []struct{ before, insert, details string }{
		{"user.country == 'U", "US'", "seen 50 times among 100 users"},
		{"events.su", "sum('", "events.sum('type', 'property', days(7)) or events.sum('type', 'property', days(7), e, e.total > 50.0)"},
		{"events.sum('pur", "purchase'", "2 properties"},
		{"coun", "user.country", "string"},
	} {
		got, err := s.Complete(t.Context(), project, tt.before, utf8.RuneCountInString(tt.before))
		if err != nil || !slices.ContainsFunc(got.Items, func(i rules.Completion) bool { return i.Insert == tt.insert && i.Detail == tt.details }) {
			t.Errorf("%s: got %+v, %v, want %q with %q", tt.before, got, err, tt.insert, tt.details)
		}
	}
}

func TestCompleteTakesAnyText(t *testing.T) {
	s, ctx := completing(t), t.Context()
	parts := rapid.SampledFrom([]string{
		"user", ".", "?", "events", ".count(", "'", "\"", "'''", "purchase", ",", " e,", "e.", "(", ")", "[", "]", "in", " ", "==", "\n", "//", "\\", "ä", "r'", "{", "1.",
	})
	rapid.Check(t, func(t *rapid.T) {
		rule := strings.Join(rapid.SliceOfN(parts, 0, 30).Draw(t, "parts"), "")
		position := rapid.IntRange(0, utf8.RuneCountInString(rule)).Draw(t, "position")
		got, err := s.Complete(ctx, project, rule, position)
		if err != nil || got.From < 0 || got.From > position {
			t.Fatalf("%q at %d: %+v, %v", rule, position, got, err)
		}
	})
	for _, bad := range []struct {
		rule     string
		position int
	}{{"user", -1}, {"user", 5}, {"\xff", 0}, {strings.Repeat("a", 5000), 3}} {
		var field *rules.FieldError
		if _, err := s.Complete(t.Context(), project, bad.rule, bad.position); !errors.As(err, &field) {
			t.Errorf("%.10q at %d: %v", bad.rule, bad.position, err)
		}
	}
}
