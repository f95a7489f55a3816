package rules

// ReasonMeanings are the codes that say why a promotion did or did not qualify, those of the rule first.
func ReasonMeanings() []Meaning {
	return []Meaning{
		{string(ReasonEligible), "The user qualifies."},
		{string(ReasonRuleFalse), "The rule is false."},
		{string(ReasonMissingAttribute), "The rule needs an attribute that is not set."},
		{string(ReasonAttributeInvalid), "The rule needs an attribute whose stored value is not of the declared type."},
		{string(ReasonMissingKey), "The rule asks a list, map or optional for what it does not have."},
		{string(ReasonEventsTruncated), "The rule asks for events that are further back than what is kept of this user."},
		{string(ReasonDivisionByZero), "The rule divides by zero."},
		{string(ReasonOverflow), "A number or time of the rule leaves its range."},
		{string(ReasonInvalidArgument), "A function got a value that it cannot work with, such as a version that is none."},
		{string(ReasonRuleError), "The rule cannot be evaluated for another reason."},
		{string(ReasonPaused), "The promotion is paused."},
		{string(ReasonNotStarted), "Its schedule has not begun."},
		{string(ReasonEnded), "Its schedule has ended."},
		{string(ReasonHeldOut), "The user is in the share that is withheld for measurement."},
		{string(ReasonFrequencyCap), "The user was shown it as often as the cap allows."},
		{string(ReasonOutranked), "Promotions of higher priority fill the placement."},
		{string(ReasonNotTargeted), "The promotion is not for this channel or placement."},
		{string(ReasonNoConsent), "The user has not agreed to this channel."},
		{string(ReasonQuarantined), "This replica cannot compile the promotion."},
		{string(ReasonUnsubscribed), "The user does not take messages of this channel or message type."},
		{string(ReasonNoPushDevice), "The user has no registered device that takes pushes."},
		{string(ReasonExcluded), "The promotion's rule of exclusion holds for the user."},
		{string(ReasonExclusionUnknown), "The rule of exclusion cannot be evaluated for the user: whether to leave out is not known, so nothing is sent."},
		{string(ReasonAfterConversion), "The user did lately what the message asks for."},
		{string(ReasonMarketingBlocked), "The network delivers no marketing messages to the user's country."},
		{string(ReasonWindowClosed), "Free text needs a message from the user in the last 24 hours, or a click on an ad in the last 72."},
		{string(ReasonSendCap), "The user was sent as many messages as a cap allows, reserved ones included."},
		{string(ReasonQuietHours), "It is a quiet hour where the user is."},
		{string(ReasonSendLimit), "All sends of the promotion are taken. Reservations that lapse give theirs back."},
		{string(ReasonAlreadySent), "The send of this id was confirmed before."},
	}
}

// IssueMeanings are the codes of issues of a rule's text and of the promotion around it.
func IssueMeanings() []Meaning {
	return []Meaning{
		{issueSyntax, "The rule is not an expression of the language."},
		{issueTooLong, "A text is too long."},
		{issueTooComplex, "The rule has too many parts, or takes too many steps for a user with long lists and many events."},
		{issueNesting, "A condition on elements or events contains another one."},
		{issueMustBeBool, "The rule is a value and not a condition."},
		{issueField, "There is no such attribute, context field or property."},
		{issueReference, "There is no such variable or function."},
		{issueEventType, "There is no such event type."},
		{issueTypes, "Types do not go together."},
		{issueArity, "A function has too few or too many arguments."},
		{issueRegexTooLarge, "A pattern is too large."},
		{issueRegexNotConstant, "A pattern is not written out."},
		{issueRegex, "A pattern is not a regular expression."},
		{issueZone, "There is no such time zone."},
		{issueZoneNotConstant, "A time zone is computed in a way that cannot be checked."},
		{issueLiteral, "A duration, timestamp or version that is written out is none."},
		{issueWindow, "A window is longer than events are kept, or not positive."},
		{issueWindowConstant, "A window is not written out."},
		{issueShadowed, "A loop variable has the name of something else."},
		{issueNotAllowed, "The language does without this."},
		{issueEmptyList, "An empty list has no elements to compare with."},
		{issueConstantError, "A part without variables is always an error."},
		{issueInternal, "The rule is beyond what can be checked; make it simpler."},
		{"time_opaque", "Warning: it cannot be told when the rule turns by time alone, so answers with the promotion are never reused."},
		{codeAlways, "Warning: the rule is true for every user; publishing it asks for confirmation."},
		{codeNever, "The rule is true for nobody. A warning where the author switched it off with a constant, else an error."},
		{issueUnreachable, "Warning: an alternative of the rule can never be the one."},
		{issueRedundant, "Warning: a part of the rule changes nothing."},
		{issueTrueWhenSet, "Warning: a condition holds for whatever value an attribute has; it asks no more than that there is one."},
		{issueEventNeverSeen, "Warning: of the users sampled none has an event of this type."},
		{issueRarelySet, "Warning: hardly any of the users sampled have the attribute."},
		{issueErrorsWithout, "Warning: users without the attribute do not qualify, because the rule fails for them."},
		{issueValueNeverSeen, "Warning: of the users sampled none has this value."},
		{issueUnreachable, "Warning: no user can meet this part of the rule."},
		{issueRedundant, "Warning: this part of the rule decides nothing."},
		{issueTrueWhenSet, "Warning: this part is true for every user who has the attribute at all."},
		{issueEventNeverSeen, "Warning: no stored user has done this."},
		{issueRarelySet, "Warning: hardly any stored user has the attribute."},
		{issueErrorsWithout, "Warning: the rule is an error for users without the attribute."},
		{issueValueNeverSeen, "Warning: no stored user has this value."},
		{codeMissing, "Something required is missing."},
		{codeMalformed, "A value is malformed."},
		{codeTooLarge, "The content is too large."},
		{codeTooMany, "A list has too many items."},
		{codeOutOfRange, "A value is outside of its range."},
		{codeUndeclared, "The placement is not declared."},
		{codeUnknown, "There is no such channel."},
		{codeDuplicate, "Something stands twice."},
		{codeOrder, "The schedule ends before it starts."},
		{codeCategory, "There is no such category of message."},
		{codeURL, "The URL begins with a scheme that is not allowed."},
		{codeFixed, "A promotion's campaign id cannot be changed."},
	}
}

// Bound is a limit of the language.
type Bound struct {
	What string
	Most int
}

// Bounds are the limits that every rule keeps.
func Bounds() []Bound {
	return []Bound{
		{"characters of a rule", maxCodePoints},
		{"parts of a rule, what functions over events expand to included", maxNodes},
		{"levels of nesting", maxRecursion},
		{"steps for the largest user", maxSteps},
		{"compiled size of a pattern", maxPatternSize},
		{"issues in one answer", maxIssues},
	}
}
