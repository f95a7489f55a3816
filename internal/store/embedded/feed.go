package embedded

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
)

// resolveEvery is how often a follower gets a resolved stamp, with or without changes.
const resolveEvery = 100 * time.Millisecond

// Follow yields the changes of every commit after the stamp in the order of commits, each once it is durable, and a resolved stamp every
// 100 ms. It returns events.ErrCursorTooOld when changes after the stamp were trimmed (see Config.ChangeRetention), events.ErrUnavailable
// when the store is closed or can no longer make anything durable.
func (s *Store) Follow(ctx context.Context, after hlc.Timestamp, yield func(events.FeedBatch) error) error {
	wake := s.flight.subscribe()
	defer s.flight.unsubscribe(wake)
	ticks := time.NewTicker(resolveEvery)
	defer ticks.Stop()
	f := follower{store: s, cursor: after.Wall, yield: yield}
	if err := f.resolve(ctx); err != nil { // a follower that starts behind catches up before its first wait
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.quit:
			return fmt.Errorf("%w: the store was closed", events.ErrUnavailable)
		case <-wake:
			if err := s.failed(); err != nil {
				return fmt.Errorf("%w: %w", events.ErrUnavailable, err)
			}
			if err := f.catchUp(ctx, s.flight.announced()); err != nil {
				return err
			}
		case <-ticks.C:
			if err := f.resolve(ctx); err != nil {
				return err
			}
		}
	}
}

// follower is one run of Follow.
type follower struct {
	store   *Store
	cursor  int64 // every change up to it was yielded
	yield   func(events.FeedBatch) error
	changes []events.Change
	names   map[string]string // project names of this page: one allocation each
}

// resolve yields a stamp below every commit that may still be announced.
func (f *follower) resolve(ctx context.Context) error {
	s := f.store
	if err := s.failed(); err != nil {
		return fmt.Errorf("%w: %w", events.ErrUnavailable, err)
	}
	if err := s.enter(ctx); err != nil {
		return feedEnd(ctx, err)
	}
	resolved := s.resolved()
	s.leave()
	if err := f.catchUp(ctx, resolved); err != nil {
		return err
	}
	return f.yield(events.FeedBatch{Resolved: hlc.Timestamp{Wall: resolved}})
}

// resolved is the greatest stamp T such that every commit at or before T is durable and no later commit gets a stamp at or before T.
func (s *Store) resolved() int64 {
	s.clock.await()
	s.order.RLock() // no commit is between its stamp and its place in flight
	defer s.order.RUnlock()
	now := s.clock.read().Wall
	if first, ok := s.flight.first(); ok {
		return first - 1
	}
	return now
}

// catchUp yields the changes after the cursor and up to bound, page by page.
func (f *follower) catchUp(ctx context.Context, bound int64) error {
	for f.cursor < bound {
		reached, err := f.page(ctx, bound)
		if err != nil {
			return feedEnd(ctx, err)
		}
		for rest := f.changes; len(rest) > 0; {
			n := min(len(rest), events.MaxBatchChanges)
			if err := f.yield(events.FeedBatch{Changes: rest[:n:n]}); err != nil {
				return err
			}
			rest = rest[n:]
		}
		f.cursor = reached
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// page reads whole commits after the cursor until about one batch of changes is full, and returns the stamp up to which it read.
func (f *follower) page(ctx context.Context, bound int64) (reached int64, err error) {
	s := f.store
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	f.changes, f.names = f.changes[:0], make(map[string]string, 1)
	reached = bound
	err = scan(s.db, changeKey(nil, f.cursor+1), changeKey(nil, bound+1), func(key, value []byte) (bool, error) {
		if len(key) != 9 {
			return false, errKey
		}
		at := int64(binary.BigEndian.Uint64(key[1:]))
		if err := f.decode(at, value); err != nil {
			return false, err
		}
		if len(f.changes) >= events.MaxBatchChanges {
			reached = at
			return false, nil
		}
		return true, nil
	})
	// Asked after the iterator was made: what was trimmed before that is known by now.
	if trimmed := s.trimmed.Load(); err == nil && f.cursor < trimmed {
		return 0, fmt.Errorf("%w: it is at %v, changes up to %v are gone", events.ErrCursorTooOld,
			hlc.Timestamp{Wall: f.cursor}, hlc.Timestamp{Wall: trimmed})
	}
	return reached, err
}

// appendChange adds one changed row to a change record.
func appendChange(dst []byte, table events.Table, project, key string) []byte {
	return appendSized(appendSized(append(dst, byte(table)), project), key)
}

// decode appends the changes of one record.
func (f *follower) decode(at int64, record []byte) error {
	for len(record) > 0 {
		table, rest := events.Table(record[0]), record[1:]
		project, rest, ok := cutSized(rest)
		if !ok {
			return errKey
		}
		key, rest, ok := cutSized(rest)
		if !ok {
			return errKey
		}
		name, ok := f.names[string(project)]
		if !ok {
			name = string(project)
			f.names[name] = name
		}
		f.changes = append(f.changes, events.Change{Table: table, Project: name, Key: string(key), At: hlc.Timestamp{Wall: at}})
		record = rest
	}
	return nil
}
