package embedded

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// The sweep's pace: after a page of rows it rests, so that it takes a few per cent of one core.
const (
	sweepPage = 512
	sweepRest = 20 * time.Millisecond
)

// sweepForever removes events that are beyond retention, pass after pass. Reads never return such events: the sweep only frees room, and is
// not announced on the feed.
func (s *Store) sweepForever(ctx context.Context) {
	wait := time.NewTimer(s.cfg.SweepEvery)
	defer wait.Stop()
	var at []byte
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		rest := sweepRest
		if s.writable() == nil {
			var err error
			if at, err = s.sweep(at); err == nil && at == nil {
				err = errors.Join(s.sweepReceipts(), s.sweepSends(ctx))
			}
			if err != nil {
				s.log.Warn("store_sweep_failed", "error", err.Error())
				at = nil
			}
		}
		if at == nil {
			rest = s.cfg.SweepEvery
		}
		wait.Reset(rest)
	}
}

// expired is an event beyond retention.
type expired struct {
	key []byte
	id  []byte // the key of its id's place
	at  int64
}

// sweep looks at one page of rows from the given key (nil: the first), removes the expired events among them, and returns where
// to go on, nil at the end.
func (s *Store) sweep(from []byte) (next []byte, err error) {
	retained := s.retained(s.clock.now())
	lower, upper := []byte{tableUser}, []byte{tableUser + 1}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, err
	}
	defer closing(it, &err)
	if from == nil {
		from = lower
	}
	var dead []expired
	ok := it.SeekGE(from)
	for n := 0; ok && n < sweepPage; n++ {
		user, typed, tail, err := cutUser(it.Key())
		if err != nil {
			return nil, err
		}
		if typed == nil {
			ok = it.SeekGE(afterRow(it.Key(), user))
			continue
		}
		at, id, err := cutEvent(tail)
		if err != nil {
			return nil, err
		}
		if at > retained {
			ok = it.SeekGE(appendTime(bytes.Clone(typed), retained))
			continue
		}
		dead = append(dead, expired{key: bytes.Clone(it.Key()), id: appendID(bytes.Clone(user), string(id)), at: at})
		ok = it.Next()
	}
	if err := it.Error(); err != nil {
		return nil, err
	}
	if ok {
		next = bytes.Clone(it.Key())
	}
	return next, s.bury(dead)
}

// afterRow is where events may follow a row that is none: after the profile this user's, after the ids the next user's.
func afterRow(key, user []byte) []byte {
	if key[len(user)] == userRow {
		return append(bytes.Clone(user), userEvent)
	}
	return following(user)
}

// bury removes events and those of their ids that still lead to them: an event may have been moved to another time since it was seen.
func (s *Store) bury(dead []expired) error {
	if len(dead) == 0 {
		return nil
	}
	s.writer.Lock()
	defer s.writer.Unlock()
	b := s.db.NewBatch()
	for _, e := range dead {
		if err := b.Delete(e.key, nil); err != nil {
			return err
		}
		value, ok, err := get(s.db, e.id)
		if err != nil {
			return err
		}
		if ok {
			if place, err := decodePlace(value); err == nil && place.at != e.at {
				continue
			}
			if err := b.Delete(e.id, nil); err != nil {
				return err
			}
		}
	}
	if err := s.write(b, pebble.NoSync); err != nil {
		return err
	}
	s.counters.swept.Add(uint64(len(dead)))
	return b.Close()
}

// cutUser splits a key of the user table: the user's prefix, the prefix with the event type (nil for rows that are no events), and the
// rest.
func cutUser(key []byte) (user, typed, tail []byte, err error) {
	_, rest, err := cutText(key[1:])
	if err != nil {
		return nil, nil, nil, err
	}
	if _, rest, err = cutText(rest); err != nil || len(rest) == 0 {
		return nil, nil, nil, errKey
	}
	user = key[:len(key)-len(rest)]
	if rest[0] != userEvent {
		return user, nil, nil, nil
	}
	_, tail, err = cutText(rest[1:])
	if err != nil {
		return nil, nil, nil, err
	}
	return user, key[:len(key)-len(tail)], tail, nil
}
