package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// noon is the instant that tests decide for.
var noon = time.Date(2026, 6, 18, 12, 0, 0, 0, time.UTC)

// shop is a project with one string attribute, one event type, two placements and the given promotions.
type shop struct {
	schema *profile.Schema
	rs     *rules.Ruleset
}

func newShop(t testing.TB, promotions ...rules.LivePromotion) *shop {
	t.Helper()
	schema, err := profile.NewSchema().WithAttribute("country", profile.Type{Kind: profile.String}, false)
	if err != nil {
		t.Fatal(err)
	}
	if schema, err = schema.WithEventType("buy", map[string]profile.Type{"total": {Kind: profile.Double}}); err != nil {
		t.Fatal(err)
	}
	spec := &rules.Spec{
		Project: "shop", Version: 7, Schema: schema, Promotions: rules.NewRoll(promotions...),
		Placements: []rules.Placement{{Placement: 101, Name: "home", Limit: 1}, {Placement: 102, Name: "cards", Limit: 2}},
	}
	rs, err := rules.NewCompiler(720*time.Hour).Compile(spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(rs.Quarantined) > 0 {
		t.Fatalf("quarantined: %+v", rs.Quarantined)
	}
	return &shop{schema, rs}
}

// promotion is in placement 101 at the given priority, changed by the given edits.
func promotion(id, rule string, priority int32, edits ...func(*rules.LivePromotion)) rules.LivePromotion {
	p := rules.LivePromotion{Revision: 1, Promotion: &rules.Promotion{
		ID: id, Name: id, Rule: rule, Placements: []rules.PlacementTarget{{Placement: 101, Priority: priority}}, Content: rules.Content{Title: id},
	}}
	for _, edit := range edits {
		edit(&p)
	}
	return p
}

type event struct {
	name  string
	ago   time.Duration
	props string
}

func (s *shop) user(country string, events ...event) *profile.Snapshot {
	var b profile.Builder
	b.Reset(s.schema, profile.Key{Project: "shop", User: "ada"}, hlc.FromTime(noon))
	if country != "" {
		b.Attributes(fmt.Appendf(nil, `{"country":%q}`, country))
	}
	for _, e := range events {
		b.Event(e.name, noon.Add(-e.ago).UnixNano(), []byte(e.props))
	}
	return b.Build()
}

func (s *shop) decide(snap *profile.Snapshot, req Request) *Decision {
	if req.Now == 0 {
		req.Now = noon.UnixNano()
	}
	req.Channel, req.Explain = "embedded", true
	var d Decision
	Decide(s.rs, snap, &req, &d)
	return &d
}

// String prints a decision as "101: a b | 102: c | reasons".
func (d *Decision) String() string {
	var parts []string
	for _, p := range d.Placements {
		text := fmt.Sprintf("%d:", p.ID)
		for _, m := range p.Messages {
			text += " " + m.Promotion.ID
		}
		parts = append(parts, text)
	}
	for _, r := range d.Rejected {
		parts = append(parts, fmt.Sprintf("%s@%d %s", r.Promotion, r.Placement, r.Reason))
	}
	return strings.Join(parts, " | ")
}

func at(t time.Time) *time.Time { return &t }

func scheduled(start, end *time.Time) func(*rules.LivePromotion) {
	return func(p *rules.LivePromotion) { p.Promotion.Schedule = &rules.Schedule{Start: start, End: end} }
}

func cappedAt(n int64, per time.Duration) func(*rules.LivePromotion) {
	return func(p *rules.LivePromotion) {
		p.Promotion.FrequencyCap = &rules.FrequencyCap{Impressions: n, Per: rules.Duration(per)}
	}
}

func paused(p *rules.LivePromotion) { p.Paused = true }

func TestDecide(t *testing.T) {
	shown := func(id string, n int, ago time.Duration) event {
		return event{profile.EventImpression, ago, fmt.Sprintf(`{"promotion":%q,"placement":101,"count":%d}`, id, n)}
	}
	all := func(p *rules.LivePromotion) { p.Promotion.Holdout = &rules.Holdout{Percent: 100, Salt: "s"} }
	both := func(p *rules.LivePromotion) {
		p.Promotion.Placements = append(p.Promotion.Placements, rules.PlacementTarget{Placement: 102, Priority: 1})
	}
	for _, c := range []struct {
		name       string
		promotions []rules.LivePromotion
		country    string
		events     []event
		req        Request
		want       string
		until      time.Duration // from noon; 0: forever
	}{
		{
			name:       "the first by priority is shown, the others are outranked",
			promotions: []rules.LivePromotion{promotion("b", "true", 2), promotion("a", "true", 1)},
			want:       "101: a | 102: | b@101 outranked",
		},
		{
			name:       "equal priorities go by id",
			promotions: []rules.LivePromotion{promotion("b", "true", 1), promotion("a", "true", 1)},
			want:       "101: a | 102: | b@101 outranked",
		},
		{
			name:       "one promotion may be in several placements",
			promotions: []rules.LivePromotion{promotion("a", "true", 1, both), promotion("b", "true", 1, both), promotion("c", "true", 1, both)},
			want:       "101: a | 102: a b | b@101 outranked | c@101 outranked | c@102 outranked",
		},
		{
			name:       "asked placements come in the asked order, an undeclared one is empty",
			promotions: []rules.LivePromotion{promotion("a", "true", 1)},
			req:        Request{Placements: []int32{999, 101}}, want: "999: | 101: a",
		},
		{
			name:       "a request may show fewer, never more than the placement",
			promotions: []rules.LivePromotion{promotion("a", "true", 1, both), promotion("b", "true", 2, both)},
			req:        Request{Placements: []int32{102}, Limit: 1}, want: "102: a | b@102 outranked",
		},
		{
			name:       "a false rule and a missing attribute give their reasons and free the place",
			promotions: []rules.LivePromotion{promotion("a", "false || user.country == 'US'", 1), promotion("b", "channel == 'push'", 2), promotion("c", "true", 3)},
			want:       "101: c | 102: | a@101 missing_attribute | b@101 rule_false",
		},
		{
			name:       "paused",
			promotions: []rules.LivePromotion{promotion("a", "true", 1, paused), promotion("b", "true", 2)},
			want:       "101: b | 102: | a@101 paused",
		},
		{
			name: "before its start a promotion waits, and the answer says until when",
			promotions: []rules.LivePromotion{
				promotion("a", "true", 1, scheduled(at(noon.Add(time.Hour)), nil)), promotion("b", "true", 2),
			},
			want: "101: b | 102: | a@101 not_started", until: time.Hour,
		},
		{
			name:       "its start is included, its end is not",
			promotions: []rules.LivePromotion{promotion("a", "true", 1, scheduled(at(noon), at(noon.Add(time.Minute)))), promotion("b", "true", 1, scheduled(nil, at(noon)))},
			want:       "101: a | 102: | b@101 outranked", until: time.Minute,
		},
		{
			name:       "ended",
			promotions: []rules.LivePromotion{promotion("b", "true", 1, scheduled(nil, at(noon)))},
			want:       "101: | 102: | b@101 ended",
		},
		{
			name:       "a held-out promotion frees its place",
			promotions: []rules.LivePromotion{promotion("a", "true", 1, all), promotion("b", "true", 2)},
			want:       "101: b | 102: | a@101 held_out",
		},
		{
			name:       "a full cap withholds until enough impressions have left the window",
			promotions: []rules.LivePromotion{promotion("a", "true", 1, cappedAt(3, time.Hour)), promotion("b", "true", 2)},
			events:     []event{shown("a", 1, 50*time.Minute), shown("a", 2, 20*time.Minute), shown("a", 1, 10*time.Minute), shown("b", 9, time.Minute)},
			want:       "101: b | 102: | a@101 frequency_cap", until: 40 * time.Minute,
		},
		{
			name:       "an impression exactly as old as the window no longer counts",
			promotions: []rules.LivePromotion{promotion("a", "true", 1, cappedAt(1, time.Hour))},
			events:     []event{shown("a", 1, time.Hour)},
			want:       "101: a | 102:",
		},
		{
			name:       "a windowed rule says when it turns by time alone",
			promotions: []rules.LivePromotion{promotion("a", "events.exists('buy', hours(24)) && !events.exists('buy', duration('30m'))", 1)},
			events:     []event{{"buy", 10 * time.Minute, ""}},
			want:       "101: | 102: | a@101 rule_false", until: 20 * time.Minute,
		},
		{
			name:       "what lies below a full placement does not bound the answer",
			promotions: []rules.LivePromotion{promotion("a", "true", 1), promotion("b", "events.exists('buy', hours(24))", 2)},
			events:     []event{{"buy", 10 * time.Minute, ""}},
			want:       "101: a | 102: | b@101 outranked",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShop(t, c.promotions...)
			d := s.decide(s.user(c.country, c.events...), c.req)
			if d.String() != c.want {
				t.Errorf("got  %s\nwant %s", d, c.want)
			}
			until := rules.Forever
			if c.until != 0 {
				until = noon.Add(c.until).UnixNano()
			}
			if d.ValidUntil != until || d.RulesVersion != 7 {
				t.Errorf("valid until %v from noon at version %d, want %v at 7", time.Duration(d.ValidUntil-noon.UnixNano()), d.RulesVersion, c.until)
			}
		})
	}
}

func TestRejectionsNameTheSubExpressionThatDecided(t *testing.T) {
	s := newShop(t,
		promotion("a", "channel == 'embedded' && events.count('buy', hours(24)) >= 2", 1),
		promotion("b", "user.country == 'US' || user.country == 'CA'", 2),
		promotion("c", "has(user.country) && user.country.startsWith('X')", 3),
		promotion("d", "events.exists('buy', hours(1)) || channel == 'push'", 4))
	d := s.decide(s.user("", event{"buy", 2 * time.Hour, ""}), Request{})
	want := map[string]string{
		"a": `events.count("buy", hours(24)) >= 2`, "b": `user.country == "US" (user.country)`, "c": "has(user.country)",
		"d": `events.exists("buy", hours(1)) || channel == "push"`,
	}
	for _, r := range d.Rejected {
		if r.Detail != want[r.Promotion] {
			t.Errorf("%s: detail %q, want %q", r.Promotion, r.Detail, want[r.Promotion])
		}
	}
}

func TestRulesThatFailAreCounted(t *testing.T) {
	s := newShop(t,
		promotion("missing", "user.country == 'US'", 1), promotion("absorbed", "user.country == 'US' || channel == 'embedded'", 2),
		promotion("false", "channel == 'push' && user.country == 'US'", 3))
	s.rs.Placements[0].Limit = 3
	if d := s.decide(s.user(""), Request{}); d.Errors != 1 {
		t.Errorf("%s counts %d errors, want 1: what CEL absorbs is no error", d, d.Errors)
	}
}

// TestDecisionChangesExactlyAtItsHorizon walks from edge to edge: just before, nothing has changed.
func TestDecisionChangesExactlyAtItsHorizon(t *testing.T) {
	s := newShop(t,
		promotion("cart", "events.exists('buy', hours(24)) && !events.exists('buy', duration('30m'))", 1, cappedAt(2, time.Hour)),
		promotion("sale", "true", 2, scheduled(at(noon.Add(2*time.Hour)), at(noon.Add(5*time.Hour)))),
		promotion("many", "events.count('buy', hours(3)) >= 2", 3))
	snap := s.user("", event{"buy", 10 * time.Minute, ""}, event{"buy", time.Minute, ""}, event{"buy", -time.Hour, ""},
		event{profile.EventImpression, 30 * time.Minute, `{"promotion":"cart","count":2}`})
	now, steps := noon.UnixNano(), 0
	for ; steps < 50; steps++ {
		d := s.decide(snap, Request{Now: now})
		if d.ValidUntil == rules.Forever {
			break
		}
		before := s.decide(snap, Request{Now: d.ValidUntil - 1})
		d.Rejected, before.Rejected = nil, nil // what is shown must not change; why the rest is not may
		if before.String() != d.String() {
			t.Fatalf("at %v: %s, but just before its horizon %s", time.Duration(now-noon.UnixNano()), d, before)
		}
		if d.ValidUntil <= now {
			t.Fatalf("the horizon %d is not after %d", d.ValidUntil, now)
		}
		now = d.ValidUntil
	}
	if steps < 5 || steps == 50 {
		t.Fatalf("walked %d edges, want a handful and an end", steps)
	}
}

func TestCheckIsAboutOnePromotionAndChannel(t *testing.T) {
	onPush := func(p *rules.LivePromotion) { p.Promotion.Channels = []string{"push", "email"} }
	s := newShop(t, promotion("a", "user.country == 'US'", 1, onPush))
	promo, _ := s.rs.Promotion("a")
	consent := func(given *bool) *profile.Snapshot {
		var b profile.Builder
		b.Reset(s.schema, profile.Key{Project: "shop", User: "ada"}, hlc.FromTime(noon))
		b.Attributes([]byte(`{"country":"US"}`))
		if given != nil {
			b.Consent("push", *given)
		}
		return b.Build()
	}
	yes, no := true, false
	for _, c := range []struct {
		name, channel string
		snap          *profile.Snapshot
		want          rules.Reason
	}{
		{"consented", "push", consent(&yes), rules.ReasonEligible},
		{"absence of consent means no for push", "push", consent(nil), rules.ReasonNoConsent},
		{"refused", "push", consent(&no), rules.ReasonNoConsent},
		{"e-mail needs no consent of ours", "email", consent(nil), rules.ReasonEligible},
		{"a placement makes it an embedded promotion", "embedded", consent(nil), rules.ReasonEligible},
		{"another channel", "whatsapp", consent(&yes), rules.ReasonNotTargeted},
		{"rule first", "push", s.user("DE"), rules.ReasonRuleFalse},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Check(s.rs, c.snap, &Request{Now: noon.UnixNano(), Channel: c.channel}, promo)
			if got.Reason != c.want || got.Eligible != (c.want == rules.ReasonEligible) {
				t.Errorf("got %+v, want %s", got, c.want)
			}
		})
	}
}

// many is a dozen promotions of the shapes that marketers write.
func many(t testing.TB) *shop {
	var all []rules.LivePromotion
	for i := range 12 {
		rule := []string{
			"user.country == 'US' && events.count('buy', hours(24)) >= 1",
			"user.country in ['DE','FR'] && !events.exists('buy', duration('30m'))",
			"has(user.country) && user.country != 'US' && channel == 'embedded'",
		}[i%3]
		all = append(all, promotion(fmt.Sprintf("p%02d", i), rule, int32(i+1), cappedAt(5, time.Hour)))
	}
	return newShop(t, all...)
}

func TestDecideAllocatesNothing(t *testing.T) {
	s := many(t)
	snap := s.user("DE", event{"buy", time.Hour, `{"total":5}`}, event{profile.EventImpression, time.Minute, `{"promotion":"p01","count":1}`})
	req := Request{Now: noon.UnixNano(), Channel: "embedded"}
	var d Decision
	if got := testing.AllocsPerRun(200, func() { Decide(s.rs, snap, &req, &d) }); got != 0 {
		t.Errorf("Decide allocates %v times, want 0", got)
	}
	if len(d.Placements[0].Messages) != 1 {
		t.Errorf("got %s, want one message", &d)
	}
}

func BenchmarkDecideTwelvePromotions(b *testing.B) {
	s := many(b)
	snap := s.user("DE", event{"buy", time.Hour, `{"total":5}`})
	req := Request{Now: noon.UnixNano(), Channel: "embedded"}
	var d Decision
	b.ReportAllocs()
	for b.Loop() {
		Decide(s.rs, snap, &req, &d)
	}
}
