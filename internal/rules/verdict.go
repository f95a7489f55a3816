package rules

// Verdict is what one rule says about one input.
type Verdict struct {
	True bool
	// Until is the wall time in nanoseconds up to which, exclusive, passing time alone cannot change the verdict: it may be early, never late. Forever
	// when nothing in the rule depends on time.
	Until int64
	// Failed: the rule is not true because a part of it could not be evaluated for this user.
	Failed bool
	// Code says why the rule is not true: ReasonRuleFalse or the code of the error that decided it. Part is the sub-expression that kept it from being
	// true. Both are zero when True, and in what Eval returns.
	Code   Reason
	Part   *Part
	Detail string // of an error: the attribute that is missing, and the like
}

// Forever is the horizon of what no passing of time can change.
const Forever = int64(1<<63 - 1)

// Reason is a stable code why a promotion did or did not qualify.
type Reason string

// Reasons that a rule itself gives. An error is "not eligible", never a failure of the request.
const (
	ReasonEligible         Reason = "eligible"
	ReasonRuleFalse        Reason = "rule_false"
	ReasonMissingAttribute Reason = "missing_attribute"
	ReasonAttributeInvalid Reason = "attribute_invalid"
	ReasonMissingKey       Reason = "missing_key"
	ReasonEventsTruncated  Reason = "events_truncated"
	ReasonDivisionByZero   Reason = "division_by_zero"
	ReasonOverflow         Reason = "overflow"
	ReasonInvalidArgument  Reason = "invalid_argument"
	ReasonRuleError        Reason = "rule_error"
)

// Reasons to withhold a promotion whose rule may well be true.
const (
	ReasonPaused       Reason = "paused"
	ReasonNotStarted   Reason = "not_started"
	ReasonEnded        Reason = "ended"
	ReasonHeldOut      Reason = "held_out"
	ReasonFrequencyCap Reason = "frequency_cap"
	ReasonOutranked    Reason = "outranked"    // others of higher priority filled the placement
	ReasonNotTargeted  Reason = "not_targeted" // the promotion is not for this channel or placement
	ReasonNoConsent    Reason = "no_consent"   // the user has not consented to the channel
	ReasonQuarantined  Reason = "quarantined"  // this replica cannot compile it
)

// Reasons to withhold a send, in the order in which they are told; no_consent comes first of them.
const (
	ReasonUnsubscribed     Reason = "unsubscribed"      // from the message channel or type
	ReasonNoPushDevice     Reason = "no_push_device"    // no device token that is enabled
	ReasonExcluded         Reason = "excluded"          // by the promotion's rule of exclusion
	ReasonExclusionUnknown Reason = "exclusion_unknown" // that rule cannot be evaluated for the user
	ReasonAfterConversion  Reason = "after_conversion"
	ReasonMarketingBlocked Reason = "marketing_blocked" // the network delivers no marketing there
	ReasonWindowClosed     Reason = "window_closed"     // of WhatsApp's free text
	ReasonSendCap          Reason = "send_cap"
	ReasonQuietHours       Reason = "quiet_hours"
	ReasonSendLimit        Reason = "send_limit"   // all sends of the promotion are taken; told to reservations only
	ReasonAlreadySent      Reason = "already_sent" // the send of this id was confirmed; told to reservations only
)

// WarningNetworkCap comes with an eligible user of a WhatsApp marketing message: the network has a cap of its own for each user and does not say whether it is reached.
const WarningNetworkCap Reason = "network_cap_unknown"

// Explain puts the verdict's part and detail into one line: the text of the sub-expression, and what of it failed.
func (v *Verdict) Explain() string {
	text := v.Detail
	if v.Part != nil && v.Part.Text != "" {
		text = v.Part.Text
		if v.Detail != "" {
			text += " (" + v.Detail + ")"
		}
	}
	return text
}
