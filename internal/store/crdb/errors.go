package crdb

import (
	"context"
	"errors"
	"fmt"

	"eligibility/internal/events"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// ErrAmbiguous: whether the write happened was unknown when its deadline came, or when others had written the same user since. Sending it again sets what it says,
// over what others wrote meanwhile.
var ErrAmbiguous = fmt.Errorf("%w: whether the write happened is not known", profile.ErrUnavailable)

// expected reports whether err is an answer to the caller rather than a fault of the store.
func expected(err error) bool {
	for _, target := range []error{
		rules.ErrNotFound, rules.ErrConflict, rules.ErrExists, profile.ErrUnavailable, profile.ErrProject, events.ErrLeaseHeld,
		events.ErrLeaseLost,
		events.ErrUnavailable, events.ErrCursorTooOld,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// outcome gives an error of a call the name that callers know. ctx is the caller's own: when that has ended, its error is the answer.
func outcome(ctx context.Context, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case expected(err):
		return fmt.Errorf("%s: %w", what, err)
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
	return fmt.Errorf("%s: %w: %w", what, profile.ErrUnavailable, err)
}
