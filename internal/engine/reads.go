package engine

import (
	"slices"

	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// Reads is all that Check can read of a user when it is asked about p on the channel, whatever the user and the instant. What Check learns to read has to be added here;
// a test holds the two together.
func Reads(rs *rules.Ruleset, p *rules.Compiled, channel string) *profile.Projection {
	out := profile.NewProjection(rs.Schema)
	p.Rule.Reads(out)
	if p.FrequencyCap != nil {
		out.Events(profile.SlotImpression)
	}
	if i := slices.Index(profile.Channels, channel); i >= 0 {
		out.Attribute(profile.SlotConsent(i))
	}
	if channel != channelEmbedded {
		sendReads(out, rs.Sending())
		sendReads(out, p.Sending())
	}
	return out
}

// sendReads adds what sends looks at, on any channel but the embedded one.
func sendReads(out *profile.Projection, of *rules.Sending) {
	attribute := func(slot int) {
		if slot != rules.NoSlot {
			out.Attribute(slot)
		}
	}
	times := func(slot int) {
		if slot != rules.NoSlot {
			out.EventTimes(slot)
		}
	}
	out.Attribute(profile.SlotTimeZone)
	if len(of.Subscriptions) > 0 {
		attribute(of.ChannelsOff)
	}
	if of.MessageType != 0 {
		attribute(of.TypeSlot)
	}
	if of.PushDevice {
		out.Devices()
	}
	if of.Exclude != nil {
		of.Exclude.Reads(out)
	}
	if of.After != nil {
		times(of.After.Slot)
	}
	if w := of.WhatsApp; w != nil {
		times(w.Inbound)
		times(w.Entry)
		attribute(w.Country)
		attribute(w.Phone)
	}
	if len(of.Caps) > 0 && of.Sends != rules.NoSlot {
		out.Events(of.Sends)
	}
}
