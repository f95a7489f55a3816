package sim

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

// errFault is how the world fails.
var errFault = errors.New("the world is against it")

var _ profile.Source = (*source)(nil)

// source is the store as one replica reads it.
type source struct {
	w     *world
	gates *gates
	name  string
	plan  *plan
	pace  time.Duration // what a call takes when the gates are open
}

// Load reads when the schedule says so and comes back when it says so.
func (s *source) Load(ctx context.Context, keys []profile.Key, dst []*profile.Snapshot) error {
	users := make([]string, len(keys))
	for i, key := range keys {
		users[i] = key.User
	}
	slices.Sort(users) // who came first in one step is chance
	label := s.name + " load " + strings.Join(users, " ")
	v, err := s.gates.pass(ctx, label+" reads", s.pace)
	if err != nil {
		return err
	}
	if v.fail {
		return errFault
	}
	got := make([]*profile.Snapshot, len(keys))
	s.read(keys, got, v)
	if v, err = s.gates.pass(ctx, label+" returns", s.pace); err != nil {
		return err
	}
	if v.fail {
		return errFault
	}
	copy(dst, got)
	return nil
}

// read takes all keys at one instant: from the row's own node, from one whose clock is behind, or from one that is behind altogether.
func (s *source) read(keys []profile.Key, dst []*profile.Snapshot, v verdict) {
	w := s.w
	w.mu.Lock()
	defer w.mu.Unlock()
	asOf := w.now()
	follower := s.plan.followerReads && v.draw != 0 && v.pick(1, 4) == 0
	if follower {
		asOf = asOf.Add(-time.Duration(v.pick(2, 3000)) * time.Millisecond)
	} else if s.plan.skewed && v.draw != 0 && v.pick(1, 2) == 0 {
		asOf = asOf.Add(-time.Duration(v.pick(2, int(skew/time.Millisecond))) * time.Millisecond)
	}
	asOf = hlc.Max(asOf, hlc.Timestamp{Wall: dawn})
	w.read = hlc.Max(w.read, asOf)
	for i, key := range keys {
		commits := len(w.rows[key])
		if follower {
			commits = w.upTo(key, asOf)
		}
		dst[i] = w.snapshot(key, commits, w.schema(), asOf)
	}
}

// Now reads the database's clock.
func (s *source) Now(ctx context.Context) (hlc.Timestamp, error) {
	if !s.plan.gatedTime {
		if err := wait(ctx, s.pace); err != nil {
			return hlc.Timestamp{}, err
		}
	} else if v, err := s.gates.pass(ctx, s.name+" asks the time", s.pace); err != nil {
		return hlc.Timestamp{}, err
	} else if v.fail {
		return hlc.Timestamp{}, errFault
	}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	return s.w.now(), nil
}
