package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"eligibility/internal/events"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// expected reports whether err is an answer to the caller rather than a fault of the store.
func expected(err error) bool {
	return isAny(err, rules.ErrNotFound, rules.ErrConflict, rules.ErrExists, profile.ErrNotDurable, profile.ErrUnavailable,
		context.Canceled, context.DeadlineExceeded)
}

// unavailable gives a fault of Pebble's the name that callers know.
func unavailable(what string, err error) error {
	if err == nil || expected(err) {
		return err
	}
	return fmt.Errorf("%s: %w: %w", what, profile.ErrUnavailable, err)
}

// feedEnd gives an error on the way to the changes the name that followers know.
func feedEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if isAny(err, events.ErrCursorTooOld, events.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", events.ErrUnavailable, err)
}

func notDurable(cause error) error { return fmt.Errorf("%w: %w", profile.ErrNotDurable, cause) }

func isAny(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}
