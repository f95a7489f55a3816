package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"

	"github.com/cockroachdb/pebble/v2"
)

// lease is who relays. Epoch and cursor are stored; holder and expiry are not: whoever opens the directory is its only user, so
// a holder of an earlier incarnation is gone.
type lease struct {
	mono func() time.Duration
	term time.Duration

	mu      sync.Mutex
	stored  storedLease
	holder  string        // "" when it is free
	expires time.Duration // on mono
}

type storedLease struct {
	Epoch  uint64        `json:"epoch"`
	Cursor hlc.Timestamp `json:"cursor"`
}

func (s *Store) loadLease() error {
	_, err := getJSON(s.db, metaKey(metaLease), &s.lease.stored)
	return err
}

// Acquire takes the lease when it is free, expired or the holder's own, with a new epoch that is durable before it is known.
func (s *Store) Acquire(ctx context.Context, holder string) (epoch uint64, cursor hlc.Timestamp, err error) {
	if err := s.enter(ctx); err != nil {
		return 0, hlc.Timestamp{}, err
	}
	defer s.leave()
	l := &s.lease
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.mono()
	if l.holder != "" && l.holder != holder && now < l.expires {
		return 0, hlc.Timestamp{}, fmt.Errorf("%w: %s", events.ErrLeaseHeld, l.holder)
	}
	next := storedLease{Epoch: l.stored.Epoch + 1, Cursor: l.stored.Cursor}
	if err := s.putLease(next, pebble.Sync); err != nil {
		return 0, hlc.Timestamp{}, fmt.Errorf("acquire lease: %w", notDurable(err))
	}
	l.stored, l.holder, l.expires = next, holder, now+l.term
	return next.Epoch, next.Cursor, nil
}

// Renew extends the lease from now. An expired lease that nobody took is still the holder's.
func (s *Store) Renew(ctx context.Context, holder string, epoch uint64) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	l := &s.lease
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.holder != holder || l.stored.Epoch != epoch {
		return events.ErrLeaseLost
	}
	l.expires = l.mono() + l.term
	return nil
}

// SaveCursor stores the cursor without waiting for the disk: after a crash an older cursor only repeats changes.
func (s *Store) SaveCursor(ctx context.Context, epoch uint64, cursor hlc.Timestamp) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	l := &s.lease
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stored.Epoch != epoch {
		return events.ErrLeaseLost
	}
	if !cursor.After(l.stored.Cursor) {
		return nil
	}
	next := storedLease{Epoch: epoch, Cursor: cursor}
	if err := s.putLease(next, pebble.NoSync); err != nil {
		return fmt.Errorf("save cursor: %w", notDurable(err))
	}
	l.stored = next
	return nil
}

// Release frees the lease. Releasing one that was lost changes nothing.
func (s *Store) Release(ctx context.Context, epoch uint64) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	l := &s.lease
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stored.Epoch == epoch {
		l.holder = ""
	}
	return nil
}

func (s *Store) putLease(l storedLease, o *pebble.WriteOptions) error {
	value, err := json.Marshal(l)
	if err != nil {
		return err
	}
	b := s.db.NewBatch()
	if err := b.Set(metaKey(metaLease), value, nil); err != nil {
		return err
	}
	if o.GetSync() {
		return s.writeSync(b)
	}
	if err := s.write(b, o); err != nil {
		return err
	}
	return b.Close()
}
