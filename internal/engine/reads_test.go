package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// chance draws projects, promotions and users.
type chance struct{ *rand.Rand }

func one[T any](c chance, from ...T) T { return from[c.IntN(len(from))] }

// some keeps each of the list with the chance of a half.
func some[T any](c chance, from ...T) (out []T) {
	for _, v := range from {
		if c.IntN(2) == 0 {
			out = append(out, v)
		}
	}
	return out
}

func (c chance) caps() []rules.SendCap {
	return some(c, rules.SendCap{Sends: 1, Per: hours(30)}, rules.SendCap{Channel: one(c, "push", "whatsapp"), Sends: int64(1 + c.IntN(2)), Per: hours(72)})
}

func (c chance) quiet() *rules.QuietHours {
	return one(c, nil, &rules.QuietHours{From: "10:00", To: "15:00"}, &rules.QuietHours{From: "20:00", To: "09:30", Channels: []string{"push", "email"}})
}

func (c chance) conversion() *rules.AfterConversion {
	return one(c, nil, &rules.AfterConversion{Event: one(c, "buy", "view"), For: hours(50)})
}

func (c chance) settings() rules.Settings {
	s := rules.Settings{TimeZone: "Europe/Berlin", Caps: c.caps(), QuietHours: c.quiet()}
	if c.IntN(4) == 0 {
		return s
	}
	s.Sends = &rules.SendSettings{PushDevice: c.IntN(2) == 0, AfterConversion: c.conversion()}
	s.Sends.Subscriptions = some(c, rules.Subscription{Channel: "push", ChannelID: 7}, rules.Subscription{Channel: "whatsapp", ChannelID: 8})
	if c.IntN(3) > 0 {
		w := &rules.WhatsAppSettings{EntryEvent: one(c, "", "ad_click")}
		if c.IntN(2) == 0 {
			w.MarketingBlock = &rules.MarketingBlock{CountryAttribute: one(c, "", "country"), PhoneAttribute: "phone"}
		}
		s.Sends.WhatsApp = w
	}
	return s
}

func (c chance) rule() string {
	return one(c, "user.id != ''", "user.country == 'DE'", "has(user.address) && user.address.city != 'Bonn'", "user.tags.exists(t, t == user.country)",
		"events.count('buy', days(2)) > 0", "events.sum('buy', 'total', days(2)) > 5.0 || user.age > 30", "!events.exists('view', days(2), e, e.page == user.country)",
		"user.?age.orValue(40) > 30 && now.getHours(user.timeZone) < 13", "events.last('view').orValue(now) < now - hours(3)", "user.email.endsWith('.example') && bucket('x') < 6000")
}

func (c chance) promotion() rules.Promotion {
	p := rules.Promotion{ID: "spring", Name: "n", Rule: c.rule(), Channels: []string{"push", "whatsapp", "email", "embedded"}, Content: rules.Content{Title: "t"}}
	if c.IntN(2) == 0 {
		p.FrequencyCap = &rules.FrequencyCap{Impressions: 2, Per: hours(40)}
	}
	if c.IntN(4) > 0 {
		p.Send = &rules.Send{Exclude: one(c, "", c.rule()), Caps: c.caps(), QuietHours: one(c, c.quiet(), &rules.QuietHours{Off: true}), AfterConversion: c.conversion()}
		p.Send.MessageType = one(c, nil, &rules.MessageType{ID: 3}, &rules.MessageType{ID: 3, OptIn: true})
		p.Send.WhatsApp = one(c, nil, &rules.WhatsAppSend{Category: one(c, "marketing", "marketing", "utility", "service")})
	}
	return p
}

func attributesSchema(t *testing.T) *profile.Schema {
	t.Helper()
	schema := profile.NewSchema()
	var err error
	for _, a := range [][2]string{
		{"country", "string"},
		{"phone", "string"},
		{"age", "int"},
		{"address.city", "string"},
		{"tags", "list<string>"},
		{"nobody", "string"},
		{profile.AttributeMessageTypesOff, "list<int>"},
		{profile.AttributeMessageTypesOn, "list<int>"},
		{profile.AttributeChannelsOff, "list<int>"},
	} {
		typ, bad := profile.ParseType(a[1])
		if bad != nil {
			t.Fatal(bad)
		}
		if schema, err = schema.WithAttribute(a[0], typ, false); err != nil {
			t.Fatal(err)
		}
	}
	for name, properties := range map[string]map[string]profile.Type{"buy": {"total": {Kind: profile.Double}}, "view": {"page": {Kind: profile.String}}} {
		if schema, err = schema.WithEventType(name, properties); err != nil {
			t.Fatal(err)
		}
	}
	return schema
}

// drawn is a project with one promotion.
func (c chance) drawn(t *testing.T) (*rules.Ruleset, *rules.Compiled) {
	t.Helper()
	schema := attributesSchema(t)
	settings, err := rules.CheckSettings(c.settings())
	if err != nil {
		t.Fatal(err)
	}
	if schema, err = rules.SendSchema(schema, &settings); err != nil {
		t.Fatal(err)
	}
	p := c.promotion()
	if issues := rules.Check(schema, nil, nil, settings, &p); rules.Failed(issues) {
		t.Fatalf("%+v: %v", p, issues)
	}
	spec := &rules.Spec{Project: "shop", Version: 1, Schema: schema, Settings: settings, Promotions: rules.NewRoll(rules.LivePromotion{Revision: 1, Promotion: &p})}
	rs, err := rules.NewCompiler(profile.DefaultRetention).Compile(spec, nil)
	if err != nil || len(rs.Quarantined) > 0 {
		t.Fatal(err, rs.Quarantined)
	}
	compiled, _ := rs.Promotion("spring")
	return rs, compiled
}

// user returns what builds a drawn user, of what only asks for.
func (c chance) user(schema *profile.Schema) func(only *profile.Projection) *profile.Snapshot {
	type fact func(b *profile.Builder)
	var facts []fact
	note := func(f fact) { facts = append(facts, f) }
	consents := some(c, profile.Channels...)
	for _, channel := range consents {
		given := c.IntN(8) > 0
		note(func(b *profile.Builder) { b.Consent(channel, given) })
	}
	zone, email := one(c, "", "America/New_York", "Asia/Tokyo", "Nowhere"), one(c, "", "a@b.example", "a@b.test")
	note(func(b *profile.Builder) { b.TimeZone(zone); b.Email(email) })
	object := "{"
	for _, member := range some(c,
		`"country":"`+one(c, "DE", "US", "FR")+`"`, `"phone":"`+one(c, "+1 555", "+49 228")+`"`, `"age":`+one(c, "20", "40", `"old"`), `"address":{"city":"`+one(c, "Bonn", "Ulm")+`"}`,
		`"tags":["a","`+one(c, "DE", "b")+`"]`, `"nobody":"x"`, `"unsubscribedMessageTypeIds":`+one(c, "[3]", "[4]", "5"), `"subscribedMessageTypeIds":`+one(c, "[3]", "[]", "5"),
		`"unsubscribedChannelIds":`+one(c, "[7]", "[8,9]", `["x"]`), `"devices":[{"token":"`+one(c, "", "t")+`","endpointEnabled":true}]`) {
		if object != "{" {
			object += ","
		}
		object += member
	}
	if object += "}"; c.IntN(30) == 0 {
		object = "[]"
	}
	note(func(b *profile.Builder) { b.Found(); b.Attributes([]byte(object)) })
	names := []string{"buy", "view", "whatsapp_inbound", "ad_click", profile.EventSend, profile.EventSend, profile.EventImpression, profile.EventImpression, profile.EventClick}
	for range c.IntN(14) {
		name, at := one(c, names...), noon.Add(time.Duration(c.IntN(6*24*60)-5*24*60)*time.Minute).UnixNano()
		properties := one(c, "", fmt.Sprintf(`{"total":%d,"page":%q,"promotion":%q,"channel":%q,"count":2}`, c.IntN(9), one(c, "DE", "x"), one(c, "spring", "other"), one(c, "push", "whatsapp")))
		note(func(b *profile.Builder) { b.Event(name, at, []byte(properties)) })
	}
	if c.IntN(3) == 0 {
		name, since := one(c, names...), noon.Add(-time.Duration(c.IntN(3*24*60))*time.Minute).UnixNano()
		note(func(b *profile.Builder) { b.Truncated(name, since) })
	}
	key := profile.Key{Project: "shop", User: fmt.Sprint("u", c.IntN(100))}
	return func(only *profile.Projection) *profile.Snapshot {
		var b profile.Builder
		b.Reset(schema, key, hlc.FromTime(noon))
		b.Only(only)
		for _, f := range facts {
			f(&b)
		}
		return b.Build()
	}
}

// TestCheckReadsNoMoreThanReadsSays draws projects, promotions and users who are known in no more than what Reads says: each outcome, with its reason, its details and
// until when it holds, is that of the whole user. That the parts matter is seen from users who are known in nothing.
func TestCheckReadsNoMoreThanReadsSays(t *testing.T) {
	var checker Checker
	asked, blind, reasons := 0, 0, make(map[rules.Reason]int)
	for seed := range uint64(500) {
		c := chance{rand.New(rand.NewPCG(seed, 2))}
		rs, p := c.drawn(t)
		for range 6 {
			build := c.user(rs.Schema)
			whole, nothing := build(nil), build(profile.NewProjection(rs.Schema))
			for _, channel := range p.Channels {
				part := build(Reads(rs, p, channel))
				req := Request{Channel: channel, Now: noon.Add(time.Duration(c.IntN(24*60)) * time.Minute).UnixNano()}
				want, got := Check(rs, whole, &req, p), checker.Check(rs, part, &req, p) // which remembers nothing of the one before
				if got != want {
					t.Fatalf("seed %d, %s: of the part %+v\nof the whole %+v\n%+v %+v", seed, channel, got, want, p.Promotion, rs.Settings)
				}
				if asked++; Check(rs, nothing, &req, p) != want {
					blind++
				}
				reasons[want.Reason]++
				for _, other := range Withholds(rs, whole, &req, p) {
					reasons[other.Reason]++
				}
			}
		}
	}
	t.Logf("%d questions, %d of which need to know the user: %v", asked, blind, reasons)
	for _, reason := range []rules.Reason{
		rules.ReasonEligible, rules.ReasonNoConsent, rules.ReasonFrequencyCap, rules.ReasonUnsubscribed, rules.ReasonNoPushDevice, rules.ReasonExcluded, rules.ReasonExclusionUnknown,
		rules.ReasonAfterConversion, rules.ReasonMarketingBlocked, rules.ReasonWindowClosed, rules.ReasonSendCap, rules.ReasonQuietHours,
	} {
		if reasons[reason] == 0 {
			t.Errorf("nobody was told %s", reason)
		}
	}
	if blind < asked/4 {
		t.Errorf("only %d of %d questions need to know the user", blind, asked)
	}
}

func TestReadsLeavesOutWhatIsNotAsked(t *testing.T) {
	c := newCampaign(t, rules.Settings{}, nil)
	only := Reads(c.rs, c.p, "embedded")
	if only.Whole() || len(only.Members()) > 0 || len(only.EventTypes()) > 0 || only.ReadsEmail() || only.ReadsTimeZone() || !only.ReadsConsent() {
		t.Errorf("a promotion for everybody reads %+v", only)
	}
	c = newCampaign(t, rules.Settings{Sends: &rules.SendSettings{PushDevice: true}}, &rules.Send{Exclude: "user.country == 'US'", Caps: []rules.SendCap{{Sends: 1, Per: hours(24)}}})
	only = Reads(c.rs, c.p, "push")
	if !slices.Equal(only.Members(), []string{"country", profile.AttributeDevices}) || !slices.Equal(only.EventTypes(), []string{profile.EventSend}) || !only.ReadsTimeZone() {
		t.Errorf("a push reads %v, %v", only.Members(), only.EventTypes())
	}
}
