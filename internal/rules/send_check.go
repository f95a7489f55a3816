package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"eligibility/internal/profile"

	"cel.dev/cel-go/common/types"
)

// Limits of what is said about sends.
const (
	MaxSendCaps      = 10
	MaxSendLimit     = 1_000_000_000
	MaxBlockEntries  = 50
	maxQuietChannels = 5
	fieldExclude     = "send.exclude"
)

// categories are those of a WhatsApp message.
func categories() []string {
	return []string{CategoryMarketing, CategoryUtility, CategoryAuthentication, CategoryService}
}

// sendFault reports one fault of what is said about sends: where, code and text.
type sendFault func(field, code, format string, args ...any)

// send checks a promotion's part about sends.
func (d *document) send(p *Promotion) {
	s := p.Send
	if s == nil {
		return
	}
	if !slices.ContainsFunc(p.Channels, func(channel string) bool { return channel != channelEmbedded }) {
		d.fault("send", codeUnknown, "this is about sends: name a channel beside embedded")
	}
	if s.SendLimit < 0 || s.SendLimit > MaxSendLimit {
		d.fault("send.sendLimit", codeOutOfRange, "a limit is 1 to %d sends; leave it out for none", MaxSendLimit)
	}
	checkCaps(d.fault, "send.caps", s.Caps, d.retention)
	checkQuiet(d.fault, "send.quietHours", s.QuietHours, true)
	if after := s.AfterConversion; after != nil {
		checkWindow(d.fault, "send.afterConversion.for", after.For, d.retention)
		if _, ok := d.frame.schema.EventType(after.Event); !ok {
			d.fault("send.afterConversion.event", issueEventType, "there is no event type %.64q; declare it", after.Event)
		}
	}
	if s.MessageType != nil {
		d.messageType(s.MessageType)
	}
	if s.WhatsApp != nil && !slices.Contains(categories(), s.WhatsApp.Category) {
		d.fault("send.whatsapp.category", codeCategory, "the categories are %s", strings.Join(categories(), ", "))
	}
	if _, ok := d.frame.schema.EventType(profile.EventSend); !ok && len(s.Caps) > 0 {
		d.fault("send.caps", issueEventType, "this project is older than counted sends: store its settings once, and they are")
	}
	if s.Exclude != "" {
		d.exclusion(s.Exclude)
	}
}

func (d *document) messageType(m *MessageType) {
	name := profile.AttributeMessageTypesOff
	if m.OptIn {
		name = profile.AttributeMessageTypesOn
	}
	if m.ID < 1 {
		d.fault("send.messageType.id", codeOutOfRange, "a message type is a number from 1")
	}
	if attr, ok := d.frame.schema.Attribute(name); !ok || attr.Type != numbers() {
		d.fault("send.messageType", issueField, "the list of who takes it is read from %s: declare it as %s", name, numbers())
	}
}

// exclusion checks a rule of those who are not to get the promotion.
func (d *document) exclusion(source string) {
	env, err := d.frame.language.get()
	if err != nil {
		d.fault(fieldExclude, "internal_limit", "the project's rule language cannot be made")
		return
	}
	checked, issues := env.check(source, checkLimits{retention: d.retention})
	for _, issue := range issues {
		issue.Field = fieldExclude
		d.issues = append(d.issues, issue)
	}
	if checked == nil || Failed(issues) {
		return
	}
	if _, _, err := buildRule(env, checked, d.retention); err != nil {
		d.fault(fieldExclude, "internal_limit", "the exclusion cannot be planned")
		return
	}
	switch constantTruth(checked.NativeRep().Expr()) {
	case types.True:
		d.fault(fieldExclude, codeAlways, "this excludes every user")
	case types.False:
		d.issues = append(d.issues, Issue{
			Severity: SeverityWarning, Field: fieldExclude, Line: 1, Column: 1, Code: codeNever, Message: "this excludes nobody",
		})
	}
}

// numbers is the type of lists of subscriptions.
func numbers() profile.Type { return profile.Type{Kind: profile.Int, Shape: profile.List} }

func checkCaps(fault sendFault, field string, caps []SendCap, retention time.Duration) {
	if len(caps) > MaxSendCaps {
		fault(field, codeTooMany, "at most %d caps", MaxSendCaps)
		return
	}
	for i, c := range caps {
		at := fmt.Sprintf("%s[%d]", field, i)
		checkSendChannel(fault, at+".channel", c.Channel, true)
		if c.Sends < 1 || c.Sends > MaxCapImpressions {
			fault(at+".sends", codeOutOfRange, "a cap is 1 to %d sends", MaxCapImpressions)
		}
		checkWindow(fault, at+".per", c.Per, retention)
	}
}

func checkWindow(fault sendFault, field string, per Duration, retention time.Duration) {
	if time.Duration(per) <= 0 || time.Duration(per) > retention {
		fault(field, codeWindow, "more than 0 and at most %s, which is how long user events are kept", printed(retention))
	}
}

func checkSendChannel(fault sendFault, field, channel string, optional bool) {
	if channel == "" && optional {
		return
	}
	if channel == channelEmbedded || !knownChannel(channel) {
		fault(field, codeUnknown, "the channels of sends are %s", strings.Join(profile.Channels[1:], ", "))
	}
}

func checkQuiet(fault sendFault, field string, q *QuietHours, ofPromotion bool) {
	if q == nil {
		return
	}
	if q.Off {
		if !ofPromotion || q.From != "" || q.To != "" || len(q.Channels) > 0 {
			fault(field+".off", codeMalformed, "off stands alone, in a promotion; a project leaves quiet hours out")
		}
		return
	}
	from, okFrom := clockTime(q.From)
	to, okTo := clockTime(q.To)
	if !okFrom {
		fault(field+".from", codeMalformed, "write a time of the day as 21:00")
	}
	if !okTo {
		fault(field+".to", codeMalformed, "write a time of the day as 08:00")
	}
	if okFrom && okTo && from == to {
		fault(field+".to", codeMalformed, "the hours end at another time than they begin")
	}
	if len(q.Channels) > maxQuietChannels {
		fault(field+".channels", codeTooMany, "at most %d channels", maxQuietChannels)
		return
	}
	for i, channel := range q.Channels {
		checkSendChannel(fault, fmt.Sprintf("%s.channels[%d]", field, i), channel, false)
	}
}

// clockTime reads HH:MM as seconds of the day.
func clockTime(text string) (int64, bool) {
	if len(text) != len("15:04") || text[2] != ':' {
		return 0, false
	}
	hours, okHours := parseNumber(text[:2])
	minutes, okMinutes := parseNumber(text[3:])
	if !okHours || !okMinutes || hours > 23 || minutes > 59 {
		return 0, false
	}
	return int64(hours)*3600 + int64(minutes)*60, true
}

// checkSends checks a project's settings about sends by themselves; what they say about the schema is checked when they are stored.
func checkSends(in *Settings) error {
	var first error
	fault := func(field, _, format string, args ...any) {
		if first == nil {
			first = &FieldError{field, fmt.Sprintf(format, args...)}
		}
	}
	checkCaps(fault, "caps", in.Caps, profile.DefaultRetention)
	checkQuiet(fault, "quietHours", in.QuietHours, false)
	s := in.Sends
	if s == nil {
		return first
	}
	if len(s.Subscriptions) > len(profile.Channels) {
		fault("sends.subscriptions", codeTooMany, "one for each channel")
	}
	for i, sub := range s.Subscriptions {
		at := fmt.Sprintf("sends.subscriptions[%d]", i)
		checkSendChannel(fault, at+".channel", sub.Channel, false)
		if sub.ChannelID < 1 {
			fault(at+".channelId", codeOutOfRange, "a message channel is a number from 1")
		}
		if slices.ContainsFunc(s.Subscriptions[:min(i, len(s.Subscriptions))], func(x Subscription) bool { return x.Channel == sub.Channel }) {
			fault(at+".channel", codeDuplicate, "channel %s stands twice", sub.Channel)
		}
	}
	if s.AfterConversion != nil {
		checkWindow(fault, "sends.afterConversion.for", s.AfterConversion.For, profile.DefaultRetention)
	}
	if s.WhatsApp != nil && s.WhatsApp.MarketingBlock != nil {
		b := s.WhatsApp.MarketingBlock
		if b.CountryAttribute == "" && b.PhoneAttribute == "" {
			fault("sends.whatsapp.marketingBlock", codeMissing, "name the attribute of the user's country, or of the telephone number")
		}
		if len(b.Countries) > MaxBlockEntries || len(b.PhonePrefixes) > MaxBlockEntries {
			fault("sends.whatsapp.marketingBlock", codeTooMany, "at most %d countries and prefixes", MaxBlockEntries)
		}
	}
	return first
}

// SendSchema is the schema with all that the settings about sends read: the reserved type of sends, lists of subscriptions and the events of WhatsApp are declared
// if need be. FieldError for what the project itself must declare, and for names that are declared as something else.
func SendSchema(schema *profile.Schema, settings *Settings) (*profile.Schema, error) {
	next, err := schema.WithSends()
	if err != nil {
		return nil, &FieldError{"caps", err.Error()}
	}
	s := settings.Sends
	if s == nil {
		return next, nil
	}
	if len(s.Subscriptions) > 0 {
		if next, err = next.WithAttribute(profile.AttributeChannelsOff, numbers(), false); err != nil {
			return nil, &FieldError{"sends.subscriptions", err.Error()}
		}
	}
	if s.AfterConversion != nil {
		if _, ok := next.EventType(s.AfterConversion.Event); !ok {
			return nil, &FieldError{"sends.afterConversion.event", "there is no such event type: declare it first"}
		}
	}
	if w := s.WhatsApp; w != nil {
		return w.schema(next)
	}
	return next, nil
}

func (w *WhatsAppSettings) schema(next *profile.Schema) (*profile.Schema, error) {
	for field, name := range map[string]string{"inboundEvent": w.inbound(), "entryEvent": w.EntryEvent} {
		if _, ok := next.EventType(name); ok || name == "" {
			continue
		}
		declared, err := next.WithEventType(name, nil)
		if err != nil {
			return nil, &FieldError{"sends.whatsapp." + field, err.Error()}
		}
		next = declared
	}
	if b := w.MarketingBlock; b != nil {
		for field, name := range map[string]string{"countryAttribute": b.CountryAttribute, "phoneAttribute": b.PhoneAttribute} {
			if attr, ok := next.Attribute(name); name != "" && (!ok || attr.Type != profile.Type{Kind: profile.String}) {
				return nil, &FieldError{"sends.whatsapp.marketingBlock." + field, "declare it first, as a string"}
			}
		}
	}
	return next, nil
}

func (w *WhatsAppSettings) inbound() string {
	if w.InboundEvent == "" {
		return "whatsapp_inbound"
	}
	return w.InboundEvent
}
