package engine

import (
	"slices"
	"strings"

	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// sender looks at what withholds one send to one user beside the promotion's rule, schedule, holdout and cap of impressions.
type sender struct {
	in      *rules.Input
	channel string
	project *rules.Sending
	own     *rules.Sending
	rs      *rules.Ruleset
	found   []Withheld
	until   int64 // until when what does not withhold cannot begin to by time alone
}

// sends returns all that withholds the send, appended to room, in the fixed order in which reasons are told: first what no time cures, what ends soonest last. until
// is up to when, exclusive, nothing else can begin to withhold it by time alone.
func sends(rs *rules.Ruleset, p *rules.Compiled, in *rules.Input, room []Withheld) (found []Withheld, until int64) {
	s := sender{in: in, channel: in.Channel, rs: rs, project: rs.Sending(), own: p.Sending(), found: room, until: rules.Forever}
	s.add(!consented(in.Snapshot, s.channel), rules.ReasonNoConsent, s.channel, rules.Forever)
	if s.channel == channelEmbedded {
		return s.found, s.until
	}
	s.subscriptions()
	s.device()
	s.exclusion()
	s.conversion(s.project.After)
	s.conversion(s.own.After)
	s.whatsapp()
	s.caps(s.project)
	s.caps(s.own)
	s.quiet()
	return s.found, s.until
}

const (
	channelEmbedded = "embedded"
	channelPush     = "push"
	channelWhatsApp = "whatsapp"
)

// add notes one thing: until is when it ends if it withholds, else when it could begin to.
func (s *sender) add(withholds bool, reason rules.Reason, detail string, until int64) {
	if !withholds {
		s.until = min(s.until, until)
		return
	}
	s.found = append(s.found, Withheld{Reason: reason, Detail: detail, Until: until})
}

func (s *sender) subscriptions() {
	for _, sub := range s.project.Subscriptions {
		if sub.Channel == s.channel {
			s.add(s.listed(s.project.ChannelsOff, sub.ChannelID, true), rules.ReasonUnsubscribed, "message channel", rules.Forever)
		}
	}
	if id := s.own.MessageType; id != 0 {
		off := s.listed(s.own.TypeSlot, id, !s.own.OptIn) != s.own.OptIn
		s.add(off, rules.ReasonUnsubscribed, "message type", rules.Forever)
	}
}

// listed reports whether the list of numbers at slot has id. Of a list that cannot be read it is unreadable: what means that nothing is sent.
func (s *sender) listed(slot int, id int64, unreadable bool) bool {
	if slot == rules.NoSlot {
		return unreadable
	}
	switch s.in.Snapshot.State(slot) {
	case profile.Present:
	case profile.Invalid:
		return unreadable
	default:
		return false
	}
	list := s.in.Snapshot.Values(slot)
	for i := range list.Len() {
		if list.Int(i) == id {
			return true
		}
	}
	return false
}

func (s *sender) device() {
	if s.project.PushDevice && s.channel == channelPush {
		s.add(s.in.Snapshot.Devices == 0, rules.ReasonNoPushDevice, "", rules.Forever)
	}
}

// exclusion fails closed: a message that went out to somebody who was to be left out cannot be taken back.
func (s *sender) exclusion() {
	if s.own.Exclude == nil {
		return
	}
	verdict := s.own.Exclude.Eval(s.in)
	if !verdict.True && verdict.Failed {
		why := s.own.Exclude.Why(s.in)
		s.add(true, rules.ReasonExclusionUnknown, why.Explain(), verdict.Until)
		return
	}
	s.add(verdict.True, rules.ReasonExcluded, "", verdict.Until)
}

// conversion withholds from each event on for as long as the rule says. Where the store cut events that would count, one of them is taken to have been there.
func (s *sender) conversion(after *rules.Conversion) {
	if after == nil {
		return
	}
	if after.Slot == rules.NoSlot {
		s.add(true, rules.ReasonAfterConversion, after.Text, rules.Forever)
		return
	}
	last, next, cut := latest(s.in.Snapshot.Events(after.Slot), s.in.Now, after.For)
	switch {
	case last != 0:
		s.add(true, rules.ReasonAfterConversion, after.Text, last+after.For)
	case cut != 0:
		s.add(true, rules.ReasonAfterConversion, after.Text, cut)
	default:
		s.add(false, rules.ReasonAfterConversion, "", next)
	}
}

// latest is the time of the newest event in (now-per, now], 0 when there is none; the time of the next event to come, rules.Forever when none is known; and until when
// the window reaches into what the store cut, 0 when it does not.
func latest(events profile.Events, now, per int64) (last, next, cut int64) {
	from, to := events.Window(now, per)
	next = rules.Forever
	if to < events.Len() {
		next = events.At(to)
	}
	if to > from {
		last = events.At(to - 1)
	}
	if since := events.Since(); since > 0 && now-per+1 < since {
		cut = since + per - 1
	}
	return last, next, cut
}

func (s *sender) whatsapp() {
	w := s.project.WhatsApp
	if s.channel != channelWhatsApp {
		return
	}
	category := s.own.Category
	if category == rules.CategoryMarketing && w != nil {
		s.add(s.blocked(w), rules.ReasonMarketingBlocked, "", rules.Forever)
	}
	if category == rules.CategoryService || category == "" && w != nil {
		s.window(w)
	}
}

// window holds free text back while no window is open. It closes when the later one does, and opens by itself only with an event that is stored and yet to come.
func (s *sender) window(w *rules.WhatsAppRules) {
	open, opens := int64(0), rules.Forever
	look := func(slot int, window int64) {
		if slot == rules.NoSlot {
			return
		}
		last, next, _ := latest(s.in.Snapshot.Events(slot), s.in.Now, window)
		if last != 0 {
			open = max(open, last+window)
		}
		opens = min(opens, next)
	}
	if w != nil {
		look(w.Inbound, rules.ServiceWindow)
		look(w.Entry, rules.EntryWindow)
	}
	if open == 0 {
		s.add(true, rules.ReasonWindowClosed, "", opens)
		return
	}
	s.add(false, rules.ReasonWindowClosed, "", open)
}

// blocked reports whether the user is where no marketing is delivered, by country or by telephone number. Who tells neither is not.
func (s *sender) blocked(w *rules.WhatsAppRules) bool {
	if country, ok := s.text(w.Country); ok && slices.ContainsFunc(w.Countries, func(c string) bool { return strings.EqualFold(c, country) }) {
		return true
	}
	phone, ok := s.text(w.Phone)
	return ok && slices.ContainsFunc(w.Prefixes, func(prefix string) bool { return dials(phone, prefix) })
}

// dials reports whether a telephone number begins with the prefix, however it is spaced. Without a sign it is international when it begins with 00.
func dials(phone, prefix string) bool {
	at := 0
	if strings.HasPrefix(phone, "00") {
		phone, prefix = phone[2:], strings.TrimPrefix(prefix, "+")
	}
	for i := 0; i < len(phone) && at < len(prefix); i++ {
		switch c := phone[i]; {
		case c == prefix[at]:
			at++
		case c == ' ' || c == '-' || c == '(' || c == ')' || c == '.' || c == '/':
		default:
			return false
		}
	}
	return at == len(prefix)
}

func (s *sender) text(slot int) (string, bool) {
	if slot == rules.NoSlot || s.in.Snapshot.State(slot) != profile.Present {
		return "", false
	}
	return s.in.Snapshot.String(slot), true
}

// caps counts the confirmed sends of each cap's window.
func (s *sender) caps(of *rules.Sending) {
	for i := range of.Caps {
		c := &of.Caps[i]
		if c.Channel != "" && c.Channel != s.channel {
			continue
		}
		if of.Sends == rules.NoSlot {
			s.add(true, rules.ReasonSendCap, c.Text, rules.Forever)
			continue
		}
		full, until := filled(s.in.Snapshot.Events(of.Sends), c, s.in.Now)
		s.add(full, rules.ReasonSendCap, c.Text, until)
	}
}

// filled says whether the sends in (now-per, now] fill the cap, and until when that stays so. As with impressions, a window that reaches into what the store cut is full.
func filled(events profile.Events, c *rules.Cap, now int64) (full bool, until int64) {
	per := int64(c.Per)
	from, to := events.Window(now, per)
	sum := int64(0)
	for i := from; i < to; i++ {
		sum += counted(events, i, c)
	}
	until = rules.Forever
	if to < events.Len() {
		until = events.At(to)
	}
	if sum < c.Sends {
		if since := events.Since(); since > 0 && now-per+1 < since {
			return true, min(until, since+per-1)
		}
		return false, until
	}
	for i := from; i < to; i++ {
		if sum -= counted(events, i, c); sum < c.Sends {
			return true, events.At(i) + per
		}
	}
	return true, rules.Forever
}

// counted is 1 for a send that the cap counts.
func counted(events profile.Events, i int, c *rules.Cap) int64 {
	if c.Channel != "" && (!events.Has(i, profile.PropSendChannel) || events.String(i, profile.PropSendChannel) != c.Channel) {
		return 0
	}
	if c.Promotion != "" && (!events.Has(i, profile.PropSendPromotion) || events.String(i, profile.PropSendPromotion) != c.Promotion) {
		return 0
	}
	return 1
}

// quiet asks the clock where the user is. What the promotion says stands in place of what the project does.
func (s *sender) quiet() {
	hours := s.project.Quiet
	if s.own.Loud {
		return
	}
	if s.own.Quiet != nil {
		hours = s.own.Quiet
	}
	if hours == nil || hours.Channels != nil && !slices.Contains(hours.Channels, s.channel) {
		return
	}
	name, _ := s.text(profile.SlotTimeZone)
	quiet, until := quietAt(s.rs.Zone(name), hours, s.in.Now)
	s.add(quiet, rules.ReasonQuietHours, "", until)
}

// warning is what comes with an eligible user of the send.
func warning(p *rules.Compiled, channel string) rules.Reason {
	if channel == channelWhatsApp && p.Sending().Category == rules.CategoryMarketing {
		return rules.WarningNetworkCap
	}
	return ""
}
