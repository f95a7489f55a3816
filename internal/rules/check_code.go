package rules

// Codes of the issues of a rule's text. They are stable: programs and documentation refer to them.
const (
	issueSyntax           = "syntax_error"
	issueTooLong          = "too_long"
	issueTooComplex       = "too_complex"
	issueNesting          = "nesting"
	issueMustBeBool       = "must_be_bool"
	issueField            = "undeclared_field"
	issueReference        = "undeclared_reference"
	issueEventType        = "undeclared_event_type"
	issueTypes            = "type_mismatch"
	issueArity            = "wrong_arity"
	issueRegexTooLarge    = "regex_too_large"
	issueRegexNotConstant = "regex_not_constant"
	issueRegex            = "invalid_regex"
	issueZone             = "unknown_zone"
	issueZoneNotConstant  = "zone_not_constant"
	issueLiteral          = "bad_literal"
	issueWindow           = "window_out_of_range"
	issueWindowConstant   = "window_not_constant"
	issueShadowed         = "shadowed_name"
	issueNotAllowed       = "not_allowed"
	issueEmptyList        = "empty_list"
	issueConstantError    = "constant_error"
	issueInternal         = "internal_limit"
)

// Codes of what a rule that checks still leaves to say: about its meaning, and about what the stored users hold.
const (
	issueUnreachable    = "unreachable"
	issueRedundant      = "redundant"
	issueTrueWhenSet    = "true_when_set"
	issueEventNeverSeen = "event_type_never_seen"
	issueRarelySet      = "attribute_rarely_set"
	issueErrorsWithout  = "errors_without_attribute"
	issueValueNeverSeen = "value_never_seen"
)
