package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"

	"pgregory.net/rapid"
)

const day = 24 * time.Hour

// campaign is a project with rules of sends, and one promotion on all channels.
type campaign struct {
	schema *profile.Schema
	rs     *rules.Ruleset
	p      *rules.Compiled
}

func newCampaign(t testing.TB, settings rules.Settings, send *rules.Send) *campaign {
	t.Helper()
	schema, err := profile.NewSchema().WithAttribute("country", profile.Type{Kind: profile.String}, false)
	must := func(next *profile.Schema, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		schema = next
	}
	must(schema, err)
	must(schema.WithAttribute("phone", profile.Type{Kind: profile.String}, false))
	numbers := profile.Type{Kind: profile.Int, Shape: profile.List}
	must(schema.WithAttribute(profile.AttributeMessageTypesOff, numbers, false))
	must(schema.WithAttribute(profile.AttributeMessageTypesOn, numbers, false))
	must(schema.WithEventType("buy", nil))
	settings, err = rules.CheckSettings(settings)
	if err != nil {
		t.Fatal(err)
	}
	must(rules.SendSchema(schema, &settings))
	p := rules.Promotion{
		ID: "spring", Name: "n", Rule: "true", Channels: []string{"push", "whatsapp", "email", "embedded"}, Content: rules.Content{Title: "t"}, Send: send,
	}
	if issues := rules.Check(schema, nil, nil, settings, &p); rules.Failed(issues) {
		t.Fatal(issues)
	}
	spec := &rules.Spec{Project: "shop", Version: 1, Schema: schema, Settings: settings, Promotions: rules.NewRoll(rules.LivePromotion{Revision: 1, Promotion: &p})}
	rs, err := rules.NewCompiler(profile.DefaultRetention).Compile(spec, nil)
	if err != nil || len(rs.Quarantined) > 0 {
		t.Fatal(err, rs.Quarantined)
	}
	compiled, _ := rs.Promotion("spring")
	return &campaign{schema: schema, rs: rs, p: compiled}
}

// person builds a user who consented to everything.
func (c *campaign) person(edit func(b *profile.Builder)) *profile.Snapshot {
	var b profile.Builder
	b.Reset(c.schema, profile.Key{Project: "shop", User: "ada"}, hlc.FromTime(noon))
	for _, channel := range profile.Channels {
		b.Consent(channel, true)
	}
	if edit != nil {
		edit(&b)
	}
	return b.Build()
}

func (c *campaign) check(snap *profile.Snapshot, channel string, now int64) Outcome {
	return Check(c.rs, snap, &Request{Channel: channel, Now: now}, c.p)
}

func attributes(object string) func(*profile.Builder) {
	return func(b *profile.Builder) { b.Attributes([]byte(object)) }
}

func sent(channel, promotion string, ago time.Duration) func(*profile.Builder) {
	return happened(profile.EventSend, ago, fmt.Sprintf(`{"channel":%q,"promotion":%q}`, channel, promotion))
}

func happened(name string, ago time.Duration, props string) func(*profile.Builder) {
	return func(b *profile.Builder) { b.Event(name, noon.Add(-ago).UnixNano(), []byte(props)) }
}

func all(edits ...func(*profile.Builder)) func(*profile.Builder) {
	return func(b *profile.Builder) {
		for _, edit := range edits {
			edit(b)
		}
	}
}

func hours(n int) rules.Duration { return rules.Duration(time.Duration(n) * time.Hour) }

// TestWhatWithholdsASend: the reason, and how long after noon the send may be tried again (0: no time cures it).
func TestWhatWithholdsASend(t *testing.T) {
	whatsapp := rules.Settings{Sends: &rules.SendSettings{WhatsApp: &rules.WhatsAppSettings{
		EntryEvent:     "ad_click",
		MarketingBlock: &rules.MarketingBlock{CountryAttribute: "country", PhoneAttribute: "phone"},
	}}}
	device := rules.Settings{Sends: &rules.SendSettings{PushDevice: true, Subscriptions: []rules.Subscription{{Channel: "push", ChannelID: 7}}}}
	capped := rules.Settings{Caps: []rules.SendCap{{Channel: "push", Sends: 1, Per: hours(24)}, {Sends: 2, Per: hours(168)}}}
	quiet := rules.Settings{TimeZone: "Asia/Tokyo", QuietHours: &rules.QuietHours{From: "21:00", To: "08:00"}} // noon UTC is 21:00 in Tokyo
	category := func(name string) *rules.Send { return &rules.Send{WhatsApp: &rules.WhatsAppSend{Category: name}} }
	usa := &rules.Send{Exclude: "user.country == 'US'"}
	type edit = func(*profile.Builder)
	for _, c := range []struct {
		name     string
		settings rules.Settings
		send     *rules.Send
		user     edit
		channel  string
		want     string
		again    time.Duration
	}{
		{"nothing asked", rules.Settings{}, nil, nil, "push", "eligible", 0},
		{"no consent comes first", device, usa, all(func(b *profile.Builder) { b.Consent("push", false) }, attributes(`{"country":"US"}`)), "push", "no_consent", 0},
		{"a push without a device", device, nil, nil, "push", "no_push_device", 0},
		{"with one that is off", device, nil, attributes(`{"devices":[{"token":"x","endpointEnabled":false}]}`), "push", "no_push_device", 0},
		{"with one of two on", device, nil, attributes(`{"devices":[{"token":"x","endpointEnabled":false},{"token":"y","endpointEnabled":true}]}`), "push", "eligible", 0},
		{"devices that are no list", device, nil, attributes(`{"devices":"x"}`), "push", "no_push_device", 0},
		{"an e-mail needs none", device, nil, nil, "email", "eligible", 0},
		{"unsubscribed from the channel", device, nil, attributes(`{"unsubscribedChannelIds":[3,7]}`), "push", "unsubscribed", 0},
		{"a list that is none", device, nil, attributes(`{"unsubscribedChannelIds":"7"}`), "push", "unsubscribed", 0},
		{"another channel's", device, nil, attributes(`{"unsubscribedChannelIds":[7]}`), "email", "eligible", 0},
		{"unsubscribed from the type", rules.Settings{}, &rules.Send{MessageType: &rules.MessageType{ID: 5}}, attributes(`{"unsubscribedMessageTypeIds":[5]}`), "push", "unsubscribed", 0},
		{"an unreadable list of types", rules.Settings{}, &rules.Send{MessageType: &rules.MessageType{ID: 5}}, attributes(`{"unsubscribedMessageTypeIds":5}`), "push", "unsubscribed", 0},
		{"not unsubscribed", rules.Settings{}, &rules.Send{MessageType: &rules.MessageType{ID: 5}}, attributes(`{"unsubscribedMessageTypeIds":[6]}`), "push", "eligible", 0},
		{"opt-in that is missing", rules.Settings{}, &rules.Send{MessageType: &rules.MessageType{ID: 5, OptIn: true}}, nil, "push", "unsubscribed", 0},
		{"an unreadable opt-in", rules.Settings{}, &rules.Send{MessageType: &rules.MessageType{ID: 5, OptIn: true}}, attributes(`{"subscribedMessageTypeIds":"5"}`), "push", "unsubscribed", 0},
		{"opted in", rules.Settings{}, &rules.Send{MessageType: &rules.MessageType{ID: 5, OptIn: true}}, attributes(`{"subscribedMessageTypeIds":[5]}`), "push", "eligible", 0},
		{"excluded", rules.Settings{}, usa, attributes(`{"country":"US"}`), "push", "excluded", 0},
		{"not excluded", rules.Settings{}, usa, attributes(`{"country":"DE"}`), "push", "eligible", 0},
		{"exclusion unknown", rules.Settings{}, usa, nil, "push", "exclusion_unknown", 0},
		{"an app is not asked", rules.Settings{}, usa, attributes(`{"country":"US"}`), "embedded", "eligible", 0},
		{"excluded for a while", rules.Settings{}, &rules.Send{Exclude: "events.exists('buy', hours(10))"}, happened("buy", time.Hour, ""), "push", "excluded", 9 * time.Hour},
		{"after a conversion", rules.Settings{}, &rules.Send{AfterConversion: &rules.AfterConversion{Event: "buy", For: hours(10)}}, all(happened("buy", 5*time.Hour, ""), happened("buy", time.Hour, "")), "push", "after_conversion", 9 * time.Hour},
		{"of the project", rules.Settings{Sends: &rules.SendSettings{AfterConversion: &rules.AfterConversion{Event: "buy", For: hours(10)}}}, nil, happened("buy", time.Hour, ""), "push", "after_conversion", 9 * time.Hour},
		{"long after it", rules.Settings{}, &rules.Send{AfterConversion: &rules.AfterConversion{Event: "buy", For: hours(10)}}, happened("buy", 10*time.Hour, ""), "push", "eligible", 0},
		{"conversions that were cut", rules.Settings{}, &rules.Send{AfterConversion: &rules.AfterConversion{Event: "buy", For: hours(10)}}, func(b *profile.Builder) { b.Truncated("buy", noon.Add(-time.Hour).UnixNano()) }, "push", "after_conversion", 9*time.Hour - 1},
		{"marketing in the USA", whatsapp, category("marketing"), attributes(`{"country":"us"}`), "whatsapp", "marketing_blocked", 0},
		{"by telephone", whatsapp, category("marketing"), attributes(`{"phone":"+1 (555) 0100"}`), "whatsapp", "marketing_blocked", 0},
		{"by telephone, dialled", whatsapp, category("marketing"), attributes(`{"phone":"001-555"}`), "whatsapp", "marketing_blocked", 0},
		{"elsewhere", whatsapp, category("marketing"), attributes(`{"country":"DE","phone":"+49 1 555"}`), "whatsapp", "eligible", 0},
		{"utility in the USA", whatsapp, category("utility"), attributes(`{"country":"US"}`), "whatsapp", "eligible", 0},
		{"free text to a stranger", whatsapp, category("service"), nil, "whatsapp", "window_closed", 0},
		{"free text without a category", whatsapp, nil, nil, "whatsapp", "window_closed", 0},
		{"free text within a day", whatsapp, category("service"), happened("whatsapp_inbound", 23*time.Hour, ""), "whatsapp", "eligible", 0},
		{"a day later", whatsapp, category("service"), happened("whatsapp_inbound", day, ""), "whatsapp", "window_closed", 0},
		{"after a click on an ad", whatsapp, category("service"), happened("ad_click", 71*time.Hour, ""), "whatsapp", "eligible", 0},
		{"long after it", whatsapp, category("service"), happened("ad_click", 72*time.Hour, ""), "whatsapp", "window_closed", 0},
		{"before a message that is known to come", whatsapp, category("service"), happened("whatsapp_inbound", -time.Hour, ""), "whatsapp", "window_closed", time.Hour},
		{"the channel's cap", capped, nil, sent("push", "other", 20*time.Hour), "push", "send_cap", 4 * time.Hour},
		{"another channel's", capped, nil, sent("email", "other", time.Hour), "push", "eligible", 0},
		{"the cap of all channels", capped, nil, all(sent("email", "a", day), sent("sms", "b", 2*day)), "push", "send_cap", 5 * day},
		{"two caps end with the later", capped, nil, all(sent("push", "a", time.Hour), sent("sms", "b", 6*day+12*time.Hour)), "push", "send_cap", 23 * time.Hour},
		{"the promotion's cap", rules.Settings{}, &rules.Send{Caps: []rules.SendCap{{Sends: 1, Per: hours(720)}}}, all(sent("push", "other", time.Hour), sent("email", "spring", 29*day)), "push", "send_cap", day},
		{"others' sends", rules.Settings{}, &rules.Send{Caps: []rules.SendCap{{Sends: 1, Per: hours(720)}}}, sent("push", "other", time.Hour), "push", "eligible", 0},
		{"sends that were cut", capped, nil, func(b *profile.Builder) { b.Truncated(profile.EventSend, noon.Add(-time.Hour).UnixNano()) }, "email", "send_cap", 7*day - time.Hour - 1},
		{"quiet where the project is", quiet, nil, nil, "push", "quiet_hours", 11 * time.Hour},
		{"not where the user is", quiet, nil, func(b *profile.Builder) { b.TimeZone("Europe/Berlin") }, "push", "eligible", 0},
		{"in a zone that is none", quiet, nil, func(b *profile.Builder) { b.TimeZone("Moon/Base") }, "push", "quiet_hours", 11 * time.Hour},
		{"but not for this promotion", quiet, &rules.Send{QuietHours: &rules.QuietHours{Off: true}}, nil, "push", "eligible", 0},
		{"at the promotion's own hours", quiet, &rules.Send{QuietHours: &rules.QuietHours{From: "20:00", To: "21:30"}}, nil, "push", "quiet_hours", 30 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := newCampaign(t, c.settings, c.send)
			outcome := got.check(got.person(c.user), c.channel, noon.UnixNano())
			if string(outcome.Reason) != c.want || outcome.Eligible != (c.want == "eligible") {
				t.Fatalf("%+v, want %s", outcome, c.want)
			}
			want := rules.Forever
			if c.again != 0 {
				want = noon.Add(c.again).UnixNano()
			}
			if !outcome.Eligible && outcome.ValidUntil != want {
				t.Errorf("again at %s, want after %s", time.Unix(0, outcome.ValidUntil).UTC(), c.again)
			}
			if warned := outcome.Warning != ""; warned != (outcome.Eligible && c.channel == "whatsapp" && c.send != nil && c.send.WhatsApp.Category == "marketing") {
				t.Errorf("warning %q", outcome.Warning)
			}
		})
	}
}

// TestEverythingThatWithholdsASendIsListed in the documented order.
func TestEverythingThatWithholdsASendIsListed(t *testing.T) {
	c := newCampaign(t, rules.Settings{
		Caps: []rules.SendCap{{Sends: 1, Per: hours(24)}}, QuietHours: &rules.QuietHours{From: "11:00", To: "13:00"},
		Sends: &rules.SendSettings{
			Subscriptions: []rules.Subscription{{Channel: "whatsapp", ChannelID: 1}}, AfterConversion: &rules.AfterConversion{Event: "buy", For: hours(1)},
			WhatsApp: &rules.WhatsAppSettings{},
		},
	}, &rules.Send{Exclude: "user.country == 'US'", WhatsApp: &rules.WhatsAppSend{Category: "service"}})
	snap := c.person(all(
		func(b *profile.Builder) { b.Consent("whatsapp", false) },
		attributes(`{"country":"US","unsubscribedChannelIds":[1]}`), happened("buy", time.Minute, ""), sent("push", "a", time.Minute),
	))
	var got []string
	for _, w := range Withholds(c.rs, snap, &Request{Channel: "whatsapp", Now: noon.UnixNano()}, c.p) {
		got = append(got, string(w.Reason))
	}
	want := "no_consent unsubscribed excluded after_conversion window_closed send_cap quiet_hours"
	if strings.Join(got, " ") != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
}

// TestQuietHoursFollowTheClock compares with a walk from minute to minute over days on which the clock is changed, forth and back, by an hour and by half of one, and
// over one that a country left out.
func TestQuietHoursFollowTheClock(t *testing.T) {
	days := []struct{ zone, from string }{
		{"Europe/Berlin", "2026-03-28"},
		{"Europe/Berlin", "2026-10-24"},
		{"America/New_York", "2026-03-07"},
		{"America/New_York", "2026-10-31"},
		{"Australia/Lord_Howe", "2026-04-04"},
		{"Australia/Lord_Howe", "2026-10-03"},
		{"Pacific/Apia", "2011-12-28"},
		{"Asia/Kathmandu", "2026-06-01"},
		{"America/Santiago", "2026-09-05"},
		{"America/Santiago", "2026-04-04"},
		{"UTC", "2026-01-01"},
	}
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.SampledFrom(days).Draw(t, "day")
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		start, err := time.ParseInLocation(time.DateOnly, c.from, zone)
		if err != nil {
			t.Fatal(err)
		}
		minute := rapid.IntRange(0, 24*60-1)
		near := rapid.IntRange(0, 4*60)
		hours := &rules.Quiet{From: int64(rapid.OneOf(near, minute).Draw(t, "from")) * 60, To: int64(rapid.OneOf(near, minute).Draw(t, "to")) * 60}
		if hours.From == hours.To {
			return
		}
		at := start.Add(time.Duration(rapid.IntRange(0, 3*24*60).Draw(t, "minute"))*time.Minute + time.Duration(rapid.Int64Range(0, int64(time.Minute)-1).Draw(t, "within")))
		// Brute force: what the clock of the zone shows, minute by minute.
		shows := func(at time.Time) bool {
			local := at.In(zone)
			second := int64(local.Hour()*3600 + local.Minute()*60 + local.Second())
			if hours.From < hours.To {
				return second >= hours.From && second < hours.To
			}
			return second >= hours.From || second < hours.To
		}
		want := at.Truncate(time.Minute).Add(time.Minute)
		for shows(want) == shows(at) {
			want = want.Add(time.Minute)
		}
		quiet, until := quietAt(zone, hours, at.UnixNano())
		if quiet != shows(at) || until != want.UnixNano() {
			t.Fatalf("%s with %+v: %t until %s, want %t until %s", at, hours, quiet, time.Unix(0, until).In(zone), shows(at), want)
		}
	})
}

// TestSendsAreWithheldExactlyAsLongAsTheySay is law L5 of sends: between now and ValidUntil nobody becomes eligible and nobody ceases to be, and at it something ends.
func TestSendsAreWithheldExactlyAsLongAsTheySay(t *testing.T) {
	c := newCampaign(t, rules.Settings{
		TimeZone: "Europe/Berlin", QuietHours: &rules.QuietHours{From: "20:00", To: "09:30"},
		Caps:  []rules.SendCap{{Channel: "whatsapp", Sends: 2, Per: hours(24)}, {Sends: 4, Per: hours(168)}},
		Sends: &rules.SendSettings{WhatsApp: &rules.WhatsAppSettings{EntryEvent: "ad_click"}},
	}, &rules.Send{
		AfterConversion: &rules.AfterConversion{Event: "buy", For: hours(30)}, WhatsApp: &rules.WhatsAppSend{Category: "service"},
		Exclude: "events.count('buy', hours(60)) > 2", Caps: []rules.SendCap{{Sends: 2, Per: hours(72)}},
	})
	names := []string{"buy", "ad_click", "whatsapp_inbound", profile.EventSend, profile.EventSend}
	rapid.Check(t, func(t *rapid.T) {
		var edits []func(*profile.Builder)
		for range rapid.IntRange(0, 12).Draw(t, "events") {
			name := rapid.SampledFrom(names).Draw(t, "name")
			ago := time.Duration(rapid.IntRange(-24*60, 8*24*60).Draw(t, "minutes ago")) * time.Minute
			if name == profile.EventSend {
				edits = append(edits, sent(rapid.SampledFrom(profile.Channels[1:]).Draw(t, "channel"), rapid.SampledFrom([]string{"spring", "x"}).Draw(t, "of"), ago))
				continue
			}
			edits = append(edits, happened(name, ago, ""))
		}
		if rapid.Bool().Draw(t, "cut") {
			at := noon.Add(-time.Duration(rapid.IntRange(0, 10*24*60).Draw(t, "cut before")) * time.Minute)
			edits = append(edits, func(b *profile.Builder) { b.Truncated(rapid.SampledFrom(names).Draw(t, "cut name"), at.UnixNano()) })
		}
		snap := c.person(all(edits...))
		now := noon.Add(time.Duration(rapid.IntRange(-24*60, 24*60).Draw(t, "now")) * time.Minute).UnixNano()
		before := c.check(snap, "whatsapp", now)
		withheld := Withholds(c.rs, snap, &Request{Channel: "whatsapp", Now: now}, c.p)
		if before.ValidUntil <= now || (len(withheld) == 0) != before.Eligible {
			t.Fatalf("%+v at %d, withheld by %+v", before, now, withheld)
		}
		if before.ValidUntil == rules.Forever {
			return
		}
		probes := []int64{before.ValidUntil - 1, now + (before.ValidUntil-now)/2}
		for at := now; at < before.ValidUntil; at += int64(7 * time.Minute) {
			probes = append(probes, at)
		}
		for _, at := range probes {
			if c.check(snap, "whatsapp", at).Eligible != before.Eligible {
				t.Fatalf("turned at %s, before %s", time.Unix(0, at).UTC(), time.Unix(0, before.ValidUntil).UTC())
			}
		}
		after := c.check(snap, "whatsapp", before.ValidUntil)
		if before.Eligible || after.Eligible || after.Reason != before.Reason {
			return
		}
		// The same reason again is another hour, window or cap.
		then := Withholds(c.rs, snap, &Request{Channel: "whatsapp", Now: before.ValidUntil}, c.p)
		for _, w := range withheld {
			if w.Until == before.ValidUntil && slices.Contains(then, w) {
				t.Fatalf("%+v should have ended", w)
			}
		}
	})
}

func BenchmarkCheckOfASend(b *testing.B) {
	for _, c := range []struct {
		name     string
		settings rules.Settings
	}{
		{"plain", rules.Settings{}},
		{"ruled", rules.Settings{
			TimeZone: "Europe/Berlin", QuietHours: &rules.QuietHours{From: "20:00", To: "09:30"}, Caps: []rules.SendCap{{Channel: "push", Sends: 9, Per: hours(24)}, {Sends: 40, Per: hours(168)}},
			Sends: &rules.SendSettings{PushDevice: true, Subscriptions: []rules.Subscription{{Channel: "push", ChannelID: 1}}},
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			campaign := newCampaign(b, c.settings, nil)
			snap := campaign.person(all(sent("push", "a", time.Hour), sent("email", "a", 2*day), attributes(`{"devices":[{"token":"y","endpointEnabled":true}]}`)))
			b.ReportAllocs()
			for b.Loop() {
				if !campaign.check(snap, "push", noon.UnixNano()).Eligible {
					b.Fatal("not eligible")
				}
			}
		})
	}
}
