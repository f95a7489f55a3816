package rules

import (
	"fmt"
	"slices"
	"time"

	"eligibility/internal/profile"
)

// channelEmbedded is the one channel that is not sent to.
const channelEmbedded = "embedded"

// Windows of WhatsApp in which free text is delivered, after the user wrote and after the user came by an ad.
const (
	ServiceWindow = int64(24 * time.Hour)
	EntryWindow   = int64(72 * time.Hour)
)

// NoSlot stands for an event type or attribute that the schema does not have.
const NoSlot = -1

// Sending is what a project's settings, or one promotion, ask of sends, with everything found in the schema. It is immutable. The zero value asks nothing.
type Sending struct {
	Exclude  *Rule // nil: nobody is excluded
	Limit    int64 // 0: none
	Caps     []Cap
	Quiet    *Quiet
	Loud     bool // of a promotion: the project's quiet hours do not hold
	After    *Conversion
	Category string // of a WhatsApp message, "" when the promotion does not say

	MessageType int64 // 0: none
	TypeSlot    int   // of the list that MessageType is looked for in
	OptIn       bool

	Subscriptions []Subscription
	ChannelsOff   int // slot of the list of message channels the user does not take
	PushDevice    bool
	WhatsApp      *WhatsAppRules
	Sends         int // slot of the event type of sends
}

// Cap is a SendCap that knows what it counts.
type Cap struct {
	SendCap
	Promotion string // whose sends alone are counted; "" counts all
	Text      string
}

// Quiet is QuietHours in seconds of the day.
type Quiet struct {
	From, To int64
	Channels []string // nil: all but embedded
}

// Conversion is AfterConversion with the slot of its event type.
type Conversion struct {
	Slot int
	For  int64 // nanoseconds
	Text string
}

// WhatsAppRules is WhatsAppSettings with slots.
type WhatsAppRules struct {
	Inbound, Entry int
	Country, Phone int      // of the marketing block
	Countries      []string // nil: no block
	Prefixes       []string
}

// Sending is what the project asks of every send.
func (rs *Ruleset) Sending() *Sending { return &rs.sending }

// Zone returns the user's time zone: the one named if there is such a zone, else the project's, else UTC.
func (rs *Ruleset) Zone(name string) *time.Location {
	for _, try := range [...]string{name, rs.Settings.TimeZone} {
		if zone, ok := rs.zones.location(try); ok {
			return zone
		}
	}
	return time.UTC
}

// Sending is what the promotion asks of its sends beside what the project does.
func (c *Compiled) Sending() *Sending { return c.sending }

// slots finds names in a schema and keeps the newest version that brought one.
type slots struct {
	schema *profile.Schema
	since  uint64
}

func (s *slots) event(name string) int {
	typ, ok := s.schema.EventType(name)
	if !ok {
		return NoSlot
	}
	s.since = max(s.since, typ.Since)
	return typ.Slot
}

func (s *slots) attribute(name string, want profile.Type) int {
	attr, ok := s.schema.Attribute(name)
	if !ok || attr.Type != want {
		return NoSlot
	}
	s.since = max(s.since, attr.Since)
	return attr.Slot
}

func (s *slots) conversion(after *AfterConversion) *Conversion {
	if after == nil {
		return nil
	}
	text := fmt.Sprintf("%s in %s", after.Event, printed(time.Duration(after.For)))
	return &Conversion{Slot: s.event(after.Event), For: int64(after.For), Text: text}
}

func (s *slots) caps(caps []SendCap, promotion string) []Cap {
	out := make([]Cap, 0, len(caps))
	for _, c := range caps {
		text := fmt.Sprintf("%d in %s", c.Sends, printed(time.Duration(c.Per)))
		if c.Channel != "" {
			text += " by " + c.Channel
		}
		if promotion != "" {
			text += " of this promotion"
		}
		out = append(out, Cap{SendCap: c, Promotion: promotion, Text: text})
	}
	return slices.Clip(out)
}

func quietOf(q *QuietHours) *Quiet {
	if q == nil || q.Off {
		return nil
	}
	from, _ := clockTime(q.From) // both were checked
	to, _ := clockTime(q.To)
	return &Quiet{From: from, To: to, Channels: q.Channels}
}

// projectSending finds in the schema what the settings ask, and the schema version that a snapshot needs for it.
func projectSending(schema *profile.Schema, settings *Settings) (out Sending, since uint64) {
	find := slots{schema: schema}
	out = Sending{Caps: find.caps(settings.Caps, ""), Quiet: quietOf(settings.QuietHours), Sends: NoSlot, ChannelsOff: NoSlot}
	if len(settings.Caps) > 0 {
		out.Sends = find.event(profile.EventSend)
	}
	s := settings.Sends
	if s == nil {
		return out, find.since
	}
	out.PushDevice, out.After, out.Subscriptions = s.PushDevice, find.conversion(s.AfterConversion), s.Subscriptions
	if len(s.Subscriptions) > 0 {
		out.ChannelsOff = find.attribute(profile.AttributeChannelsOff, numbers())
	}
	if w := s.WhatsApp; w != nil {
		rules := &WhatsAppRules{Inbound: find.event(w.inbound()), Entry: NoSlot, Country: NoSlot, Phone: NoSlot}
		if w.EntryEvent != "" {
			rules.Entry = find.event(w.EntryEvent)
		}
		if b := w.MarketingBlock; b != nil {
			text := profile.Type{Kind: profile.String}
			rules.Country, rules.Phone = find.attribute(b.CountryAttribute, text), find.attribute(b.PhoneAttribute, text)
			rules.Countries, rules.Prefixes = b.Countries, b.PhonePrefixes
			if len(rules.Countries) == 0 {
				rules.Countries = []string{"US"}
			}
			if len(rules.Prefixes) == 0 {
				rules.Prefixes = []string{"+1"}
			}
		}
		out.WhatsApp = rules
	}
	return out, find.since
}

// askNothing is the Sending of promotions that ask nothing of their sends. It is not changed.
var askNothing = &Sending{Sends: NoSlot, TypeSlot: NoSlot}

// promotionSending is the same of a promotion. A rule of exclusion that does not compile says so.
func (c *Compiler) promotionSending(env *env, p *Promotion) (out *Sending, since uint64, issues []Issue) {
	s := p.Send
	if s == nil {
		return askNothing, 0, nil
	}
	out = &Sending{Sends: NoSlot, TypeSlot: NoSlot}
	find := slots{schema: env.schema}
	out.Limit, out.Caps, out.Quiet, out.After = s.SendLimit, find.caps(s.Caps, p.ID), quietOf(s.QuietHours), find.conversion(s.AfterConversion)
	out.Loud = s.QuietHours != nil && s.QuietHours.Off
	if len(s.Caps) > 0 {
		out.Sends = find.event(profile.EventSend)
	}
	if m := s.MessageType; m != nil {
		name := profile.AttributeMessageTypesOff
		if m.OptIn {
			name = profile.AttributeMessageTypesOn
		}
		out.MessageType, out.OptIn, out.TypeSlot = m.ID, m.OptIn, find.attribute(name, numbers())
	}
	if s.WhatsApp != nil {
		out.Category = s.WhatsApp.Category
	}
	if s.Exclude != "" {
		if out.Exclude, issues = c.rule(env, s.Exclude); out.Exclude == nil {
			for i := range issues {
				issues[i].Field = fieldExclude
			}
			return out, 0, issues
		}
		find.since = max(find.since, out.Exclude.readsSchema)
	}
	return out, find.since, nil
}
