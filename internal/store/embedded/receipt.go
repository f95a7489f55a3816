package embedded

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"eligibility/internal/hlc"
	"eligibility/internal/rules"

	"github.com/cockroachdb/pebble/v2"
)

// Receipt returns what the request under the idempotency key came to. rules.ErrNotFound when there was none, or long ago. After a failure of
// the disk nobody knows which of the commits that reads show are durable, so it vouches for none: profile.ErrNotDurable.
func (s *Store) Receipt(ctx context.Context, project, key string) (*rules.Receipt, error) {
	if err := s.failed(); err != nil {
		return nil, fmt.Errorf("read receipt: %w", notDurable(err))
	}
	receipt := new(rules.Receipt)
	err := s.reading(ctx, "read receipt", func(v view) error {
		ok, err := getJSON(v, namedKey(tableReceipt, project, key), receipt)
		return found(ok && !receipt.Expired(v.at), err, "receipt", key)
	})
	if err != nil {
		return nil, err
	}
	return receipt, nil
}

// checkReceipt refuses a second commit for one request.
func (s *Store) checkReceipt(change *rules.Commit) error {
	if change.Receipt == nil {
		return nil
	}
	var stored rules.Receipt
	ok, err := getJSON(s.db, namedKey(tableReceipt, change.Project, change.Receipt.Key), &stored)
	if err != nil {
		return unavailable("read receipt", err)
	}
	if ok && !stored.Expired(hlc.Timestamp{Wall: s.clock.now()}) {
		return fmt.Errorf("%w: the request was carried out before", rules.ErrConflict)
	}
	return nil
}

// receipt adds the change's receipt to the commit, with the commit's time.
func (c *commit) receipt(change *rules.Commit) {
	if change.Receipt == nil {
		return
	}
	receipt, before := *change.Receipt, c.seal
	c.seal = func(at hlc.Timestamp) error {
		receipt.At = at
		if err := c.setJSON(namedKey(tableReceipt, change.Project, receipt.Key), receipt); err != nil || before == nil {
			return err
		}
		return before(at)
	}
}

// sweepReceipts removes those that no longer count. Reads never return them: this only frees room.
func (s *Store) sweepReceipts() error {
	var dead [][]byte
	now := hlc.Timestamp{Wall: s.clock.now()}
	err := scan(s.db, []byte{tableReceipt}, []byte{tableReceipt + 1}, func(key, value []byte) (bool, error) {
		var receipt rules.Receipt
		if err := json.Unmarshal(value, &receipt); err != nil {
			return false, fmt.Errorf("receipt: %w", err)
		}
		if receipt.Expired(now) {
			dead = append(dead, bytes.Clone(key))
		}
		return len(dead) < sweepPage, nil
	})
	if err != nil || len(dead) == 0 {
		return err
	}
	// A key may be in use again since it was seen; the writer's turn keeps it from being so between the second look and the delete.
	s.writer.Lock()
	defer s.writer.Unlock()
	b := s.db.NewBatch()
	for _, key := range dead {
		var receipt rules.Receipt
		if ok, err := getJSON(s.db, key, &receipt); err != nil || !ok || !receipt.Expired(now) {
			continue
		}
		if err := b.Delete(key, nil); err != nil {
			return err
		}
	}
	if err := s.write(b, pebble.NoSync); err != nil {
		return err
	}
	return b.Close()
}
