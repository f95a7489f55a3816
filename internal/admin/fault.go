package admin

import (
	"context"
	"errors"

	"eligibility/internal/cache"
	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// faults maps the errors of the rooms behind this plane to codes, first match first. The detail is ours when it says something; own means
// that the error's own text was written for the caller.
var faults = []struct {
	err    error
	code   string
	detail string
	own    bool
}{
	{err: rules.ErrNoProject, code: "project_not_found"},
	{err: profile.ErrProject, code: "invalid_project", own: true},
	{err: rules.ErrNotFound, code: "promotion_not_found"},
	{err: rules.ErrRevision, code: "revision_not_found", own: true},
	{err: rules.ErrExists, code: "exists"},
	{err: profile.ErrExists, code: "exists", own: true},
	{err: rules.ErrConflict, code: "conflict", detail: "read it again and repeat what you meant"},
	{err: rules.ErrPrecondition, code: "precondition_failed", detail: "read it again: somebody else changed it"},
	{err: rules.ErrRepeated, code: "idempotency_mismatch", detail: "use a new key for a new request"},
	{err: rules.ErrNoDraft, code: "no_draft", detail: "write one with PUT, or name the revision that is in force to repeat its publication"},
	{err: rules.ErrNotPublished, code: "not_published"},
	{err: rules.ErrNoSample, code: "store_unavailable", detail: "the users cannot be sampled now"},
	{err: rules.ErrNoTestUsers, code: "no_test_users", detail: "name them with PUT …/test-users"},
	{err: rules.ErrProofs, code: "quota", own: true},
	{err: rules.ErrQuota, code: "quota", own: true},
	{err: profile.ErrTooMany, code: "quota", own: true},
	{err: profile.ErrName, code: "schema_invalid", own: true},
	{err: profile.ErrReserved, code: "schema_invalid", own: true},
	{err: profile.ErrType, code: "schema_invalid", own: true},
	{err: profile.ErrNotDurable, code: "not_durable"},
	{err: cache.ErrOverloaded, code: "overloaded"},
	{err: profile.ErrUnavailable, code: "store_unavailable"},
	{err: context.DeadlineExceeded, code: "store_unavailable"},
	{err: context.Canceled, code: "store_unavailable"}, // the caller is gone
}

// retryAfter is how long, in seconds, a caller waits before it tries again what may be better then.
const retryAfter = 1

// problem says an error in the caller's terms. What is not known here is a fault of ours: it is logged, and its text stays inside.
func (s *Server) problem(c *call, err error) *problem.Problem {
	var p *problem.Problem
	if errors.As(err, &p) {
		return p
	}
	var invalid *rules.InvalidError
	if errors.As(err, &invalid) {
		p = problem.New("promotion_invalid", "see issues")
		if invalid.RuleOnly() {
			p = problem.New("rule_invalid", "see issues")
		}
		p.Issues = invalid.Issues
		return p
	}
	var field *rules.FieldError
	if errors.As(err, &field) {
		return problem.New("invalid_value", "%s", field.Message).At(field.Field)
	}
	var confirm *rules.ConfirmError
	if errors.As(err, &confirm) {
		return problem.New("confirm_required", `%s; repeat with {"confirm":true} if that is what you mean`, confirm.Message)
	}
	for _, known := range faults {
		if !errors.Is(err, known.err) {
			continue
		}
		p = problem.New(known.code, "%s", known.detail)
		if known.own {
			p.Detail = err.Error()
		}
		if p.Status() == 503 {
			p.RetryAfter = retryAfter
		}
		return p
	}
	s.deps.Logger.Error("control plane request failed", "request_id", c.id, "method", c.Method, "project", c.project, "error", err)
	return problem.New(problem.Internal, "")
}
