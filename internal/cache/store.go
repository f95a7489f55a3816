package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

// store is the profile.Source with what every call to it has in common: a deadline, the renewal of the clock, and a note of whether it
// answers.
//
// It relies on one property of the source beyond its documentation: a load sees every commit that was acknowledged, or delivered by the
// feed, before the load began (no follower reads).
type store struct {
	src     profile.Source
	clock   *hlc.Estimate
	timeout time.Duration
	logger  *slog.Logger
	stats   *counters
	// down is set while the latest call failed.
	down atomic.Bool
}

var errContract = fmt.Errorf("%w: the source answered for another key or not at all", profile.ErrUnavailable)

// load fills dst with the snapshots of keys. Every failure but the end of ctx is profile.ErrUnavailable.
func (s *store) load(ctx context.Context, keys []profile.Key, dst []*profile.Snapshot) error {
	return s.loadBy(ctx, s.src.Load, keys, dst)
}

// loadPart is load of what only asks for, or of more where the source cannot leave anything out.
func (s *store) loadPart(ctx context.Context, only *profile.Projection, keys []profile.Key, dst []*profile.Snapshot) error {
	src, able := s.src.(profile.PartialSource)
	if !able || only.Whole() {
		return s.load(ctx, keys, dst)
	}
	return s.loadBy(ctx, func(ctx context.Context, keys []profile.Key, dst []*profile.Snapshot) error {
		return src.LoadPart(ctx, only, keys, dst)
	}, keys, dst)
}

// reading is the Load of a source, or what stands in for it.
type reading func(ctx context.Context, keys []profile.Key, dst []*profile.Snapshot) error

func (s *store) loadBy(ctx context.Context, read reading, keys []profile.Key, dst []*profile.Snapshot) error {
	clear(dst)
	began := time.Now()
	err := s.call(ctx, func(ctx context.Context) error {
		if err := read(ctx, keys, dst); err != nil {
			return err
		}
		return answered(keys, dst)
	})
	s.stats.batches.Add(1)
	s.stats.loads.Add(uint64(len(keys)))
	s.stats.loadNanos.Add(uint64(time.Since(began)))
	if err != nil {
		s.stats.loadErrors.Add(1)
		return fmt.Errorf("load: %w", err)
	}
	// A load may be served by a node that is behind, so its stamp may show that the database's clock is later than was thought, never that
	// it is earlier.
	if asOf := dst[0].AsOf; asOf.After(s.clock.Now()) {
		s.clock.Observe(asOf, began)
	}
	return nil
}

// answered checks that the source kept its promise: what it gave for another key would show one user's data to another.
func answered(keys []profile.Key, dst []*profile.Snapshot) error {
	for i, snap := range dst {
		if snap == nil || snap.Key != keys[i] {
			return errContract
		}
	}
	return nil
}

// renew asks the database for its time.
func (s *store) renew(ctx context.Context) error {
	began := time.Now()
	var now hlc.Timestamp
	err := s.call(ctx, func(ctx context.Context) (err error) {
		now, err = s.src.Now(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("database time: %w", err)
	}
	s.clock.Observe(now, began)
	return nil
}

func (s *store) call(ctx context.Context, f func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err := f(limited)
	switch {
	case err == nil:
		if s.down.CompareAndSwap(true, false) {
			s.logger.Info("store_available")
		}
		return nil
	case ctx.Err() != nil:
		return ctx.Err() // the caller left: that says nothing about the store
	}
	if s.down.CompareAndSwap(false, true) {
		s.logger.Warn("store_unavailable", "error", err)
	}
	if errors.Is(err, profile.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", profile.ErrUnavailable, err)
}
