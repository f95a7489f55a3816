package embedded

import (
	"context"
	"fmt"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"

	"github.com/cockroachdb/pebble/v2"
)

// commit is one atomic change on its way into the store.
type commit struct {
	batch   *pebble.Batch
	changes []byte // the change record: appendChange for each changed row
	seal    func(at hlc.Timestamp) error
	applied func() // runs in the critical section, right after the batch became visible
}

func (s *Store) newCommit() *commit { return &commit{batch: s.db.NewBatch()} }

// drop gives up a commit that was not begun.
func (c *commit) drop() { _ = c.batch.Close() }

// change adds a row to the commit's change record.
func (c *commit) change(table events.Table, project, key string) {
	c.changes = appendChange(c.changes, table, project, key)
}

// beginWrite begins a read-modify-write; commit or abort ends it.
func (s *Store) beginWrite(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	if err := s.writable(); err != nil {
		s.leave()
		return err
	}
	s.writer.Lock()
	return nil
}

func (s *Store) abort() {
	s.writer.Unlock()
	s.leave()
}

// commit stamps and applies c, and returns once it is durable. It ends what beginWrite began. After a failure nobody knows whether c will
// be there after a restart; in this process the store is then read-only.
func (s *Store) commit(c *commit) (hlc.Timestamp, error) {
	defer s.leave()
	begun := time.Now()
	at, err := s.applyInOrder(c)
	s.writer.Unlock()
	if err != nil {
		return hlc.Timestamp{}, notDurable(err)
	}
	err = c.batch.SyncWait()
	s.flight.land(at.Wall, err == nil)
	if err != nil {
		s.fail(err, false)
		return hlc.Timestamp{}, notDurable(err)
	}
	s.counters.committed(time.Since(begun))
	return at, c.batch.Close()
}

// applyInOrder makes stamps and visibility agree: no read and no other commit comes between this commit's stamp and its rows.
func (s *Store) applyInOrder(c *commit) (hlc.Timestamp, error) {
	at, err := s.lockOrder()
	if err != nil {
		return at, err
	}
	defer s.order.Unlock()
	if c.seal != nil {
		if err := c.seal(at); err != nil {
			return at, err
		}
	}
	if len(c.changes) > 0 {
		if err := c.batch.Set(changeKey(nil, at.Wall), c.changes, nil); err != nil {
			return at, err
		}
	}
	s.flight.depart(at.Wall)
	if err := s.write(c.batch, pebble.Sync); err != nil {
		return at, err // it stays in flight for ever: the feed must not pass a commit of which nobody knows
	}
	if c.applied != nil {
		c.applied()
	}
	return at, nil
}

// lockOrder takes the order lock and a stamp under it. The disk, if the clock needs it, is waited for without the lock: reads go on.
func (s *Store) lockOrder() (hlc.Timestamp, error) {
	for {
		if err := s.clock.ensure(); err != nil {
			return hlc.Timestamp{}, err
		}
		s.order.Lock()
		if at, ok := s.clock.tick(); ok {
			return at, nil
		}
		s.order.Unlock()
	}
}

// write hands a batch to Pebble, for pebble.Sync without waiting for the fsync: the caller calls SyncWait. It is the only way into
// Pebble: a panic inside Pebble's commit leaves its locks held, so that no other write may be on its way there meanwhile or come after it.
func (s *Store) write(b *pebble.Batch, o *pebble.WriteOptions) (err error) {
	s.apply.Lock()
	defer s.apply.Unlock()
	if err := s.failed(); err != nil {
		return err
	}
	defer func() {
		if cause := recover(); cause != nil {
			s.fail(fmt.Errorf("commit: %v", cause), true)
			err = s.failed()
		}
	}()
	if o.GetSync() {
		err = s.db.ApplyNoSyncWait(b, o)
	} else {
		err = s.db.Apply(b, o)
	}
	if err != nil {
		return err
	}
	return s.failed() // Pebble reports some errors to its logger only
}

// writeSync writes a batch that has no place in the order of commits and waits until it is durable.
func (s *Store) writeSync(b *pebble.Batch) error {
	if err := s.write(b, pebble.Sync); err != nil {
		return err
	}
	if err := b.SyncWait(); err != nil {
		s.fail(err, false)
		return err
	}
	return b.Close()
}

// fail makes the store read-only for good. The first cause counts.
func (s *Store) fail(cause error, wrecked bool) {
	if s.failure.CompareAndSwap(nil, &failure{cause: cause, wrecked: wrecked}) {
		s.log.Error("store_failed", "error", cause.Error(), "effect", "writes are refused until the process is started again")
		s.flight.wake()
	}
}

func (s *Store) failed() error {
	if f := s.failure.Load(); f != nil {
		return f.cause
	}
	return nil
}

// writable says in advance that a write would fail.
func (s *Store) writable() error {
	if err := s.failed(); err != nil {
		return notDurable(err)
	}
	if s.full.Load() {
		return fmt.Errorf("%w: less than %d bytes are free on the volume of %s", profile.ErrNotDurable, s.cfg.MinFreeBytes, s.cfg.Dir)
	}
	return nil
}
