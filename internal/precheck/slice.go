package precheck

import (
	"context"
	"time"
)

// Turn has work done when it is its turn, and says how long it should take at most and how much of the processor it took. The work runs on another goroutine; Turn
// returns when it is done, whatever becomes of ctx meanwhile. The error is that of waiting.
type Turn func(ctx context.Context, work func(span time.Duration)) (spent time.Duration, err error)

// A slice has at least as many users as make reading them together worth while, and at most as many as are read together.
const (
	minSliceUsers = 8
	maxSliceUsers = 64
)

// Slice finds out how many users fill a span of the processor's time. Bulk work is cut into slices because whoever shares the processor waits, at the worst, for
// the rest of one: a chunk as a whole would keep a request of an app waiting for many times what it needs itself. The zero Slice is ready.
type Slice struct {
	perUser float64 // nanoseconds, the recent ones count most; 0: nothing is known
}

// Users is how many users the next slice should have.
func (s *Slice) Users(span time.Duration) int {
	if s.perUser == 0 {
		return minSliceUsers
	}
	return min(max(minSliceUsers, int(float64(span)/s.perUser)), maxSliceUsers)
}

// Took notes what a slice of so many users took.
func (s *Slice) Took(users int, spent time.Duration) {
	if users == 0 {
		return
	}
	one := max(1, float64(spent)/float64(users))
	if s.perUser == 0 {
		s.perUser = one
	}
	s.perUser += (one - s.perUser) / 4
}
