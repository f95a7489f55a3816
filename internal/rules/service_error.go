package rules

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Errors of the Service beside those of the Repo, of profile.Schema and InvalidError.
var (
	ErrNoProject    = errors.New("there is no such project") // a kind of ErrNotFound
	ErrPrecondition = errors.New("the promotion is at another generation")
	ErrNoDraft      = errors.New("the promotion has no draft")
	ErrNotPublished = errors.New("the promotion is not published")
	ErrRevision     = errors.New("there is no such revision")
	ErrQuota        = errors.New("the project has reached its number of promotions")
	ErrConfirm      = errors.New("the change asks for confirmation")
)

// InvalidError says that a promotion cannot be stored or published as it is, and why.
type InvalidError struct {
	Issues []Issue // at least one of SeverityError
}

// Error prints the first error.
func (e *InvalidError) Error() string {
	for _, issue := range e.Issues {
		if issue.Severity == SeverityError {
			return "promotion is invalid: " + issue.Field + ": " + issue.Message
		}
	}
	return "promotion is invalid"
}

// RuleOnly reports whether nothing but the rule's text is at fault.
func (e *InvalidError) RuleOnly() bool {
	for _, issue := range e.Issues {
		if issue.Severity == SeverityError && issue.Field != fieldRule {
			return false
		}
	}
	return true
}

// ConfirmError is ErrConfirm with what there is to confirm.
type ConfirmError struct {
	Message  string    // for the author
	Estimate *Estimate // nil when it did not take one to see
}

// Error prints both.
func (e *ConfirmError) Error() string { return ErrConfirm.Error() + ": " + e.Message }

// Unwrap says that this is ErrConfirm.
func (e *ConfirmError) Unwrap() error { return ErrConfirm }

// FieldError says that one value of a request is not allowed.
type FieldError struct {
	Field   string // as in the request's JSON
	Message string // for the caller
}

// Error prints both.
func (e *FieldError) Error() string { return e.Field + ": " + e.Message }

// Failed reports whether an issue keeps the promotion from being published.
func Failed(issues []Issue) bool {
	for _, issue := range issues {
		if issue.Severity == SeverityError {
			return true
		}
	}
	return false
}

// checkComment bounds what is kept with a change.
func checkComment(comment string) error {
	switch {
	case utf8.RuneCountInString(comment) > MaxCommentRunes:
		return &FieldError{Field: "comment", Message: "a comment has at most 1000 characters"}
	case strings.ContainsFunc(comment, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }):
		return &FieldError{Field: "comment", Message: "a comment has no control characters"}
	}
	return nil
}
