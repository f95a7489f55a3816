package embedded

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/reserve"

	"github.com/cockroachdb/pebble/v2"
)

var _ reserve.Book = (*Store)(nil)

// Reserve answers claims in one commit. Claims of other calls may wait for the same fsync: the next call decides on what this one has written while this one
// still waits for the disk. It writes even when it grants nothing new, so that what it saw of others' commits is durable before it tells.
func (s *Store) Reserve(ctx context.Context, project string, claims []reserve.Claim) ([]reserve.Grant, error) {
	if len(claims) > reserve.MaxBatch {
		return nil, reserve.ErrTooMany
	}
	var grants []reserve.Grant
	_, err := s.book(ctx, project, "reserve sends", reserve.Users(claims), func(page *reserve.Page) error {
		if err := s.limits(page, project, reserve.Promotions(claims)); err != nil {
			return err
		}
		grants = page.Reserve(claims)
		return nil
	})
	return grants, err
}

// Settle confirms and releases in one commit, in which the confirmed sends become user events.
func (s *Store) Settle(ctx context.Context, project string, list []reserve.Settlement) ([]reserve.State, hlc.Timestamp, error) {
	if len(list) > reserve.MaxBatch {
		return nil, hlc.Timestamp{}, reserve.ErrTooMany
	}
	var states []reserve.State
	at, err := s.book(ctx, project, "settle sends", reserve.Users(list), func(page *reserve.Page) error {
		if err := s.limits(page, project, page.Held(list)); err != nil {
			return err
		}
		states = page.Settle(list)
		return nil
	})
	return states, at, err
}

// book lets work happen on the ledgers of users, as the only writer, and commits what becomes of them.
func (s *Store) book(ctx context.Context, project, what string, users []string, work func(page *reserve.Page) error) (hlc.Timestamp, error) {
	if err := s.beginWrite(ctx); err != nil {
		return hlc.Timestamp{}, err
	}
	c := s.newCommit()
	err := s.onPage(project, users, c, work)
	if err != nil || c.batch.Empty() {
		c.drop()
		s.abort()
		return s.now(), unavailable(what, err)
	}
	at, err := s.commit(c)
	if err != nil {
		return hlc.Timestamp{}, fmt.Errorf("%s: %w", what, err)
	}
	return at, nil
}

// onPage reads the page, lets work happen and puts all of it into the commit.
func (s *Store) onPage(project string, users []string, c *commit, work func(page *reserve.Page) error) error {
	page := &reserve.Page{
		Now: s.now().Wall, Retention: s.cfg.Retention, Ledgers: make(map[string]*reserve.Ledger, len(users)), Limits: make(map[string]*reserve.Limit),
	}
	for _, user := range users {
		ledger := new(reserve.Ledger)
		if _, err := getJSON(s.db, namedKey(tableSends, project, user), ledger); err != nil {
			return err
		}
		page.Ledgers[user] = ledger
	}
	if err := work(page); err != nil {
		return err
	}
	for user, ledger := range page.Ledgers {
		if err := c.setJSON(namedKey(tableSends, project, user), ledger); err != nil {
			return err
		}
	}
	for promotion, limit := range page.Limits {
		if err := c.setJSON(namedKey(tableSendLimit, project, promotion), limit); err != nil {
			return err
		}
	}
	put := eventBatch{store: s, project: project, stamp: page.Now, c: c, users: make(map[string]bool)}
	for i := range page.Events {
		if err := put.add(&page.Events[i], i); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) limits(page *reserve.Page, project string, promotions []string) error {
	for _, promotion := range promotions {
		limit := new(reserve.Limit)
		if _, err := getJSON(s.db, namedKey(tableSendLimit, project, promotion), limit); err != nil {
			return err
		}
		page.Limits[promotion] = limit
	}
	return nil
}

// sweepSends removes the ledgers of which nothing matters any more, page by page.
func (s *Store) sweepSends(ctx context.Context) error {
	rest := time.NewTimer(0)
	defer rest.Stop()
	for from := []byte{tableSends}; from != nil; {
		select {
		case <-ctx.Done():
			return nil
		case <-rest.C:
		}
		var err error
		if from, err = s.sweepLedgers(from); err != nil {
			return err
		}
		rest.Reset(sweepRest)
	}
	return nil
}

// sweepLedgers looks at one page of ledgers from the given key and returns where to go on, nil at the end.
func (s *Store) sweepLedgers(from []byte) (next []byte, err error) {
	var dead [][]byte
	now, n := s.clock.now(), 0
	err = scan(s.db, from, []byte{tableSends + 1}, func(key, value []byte) (bool, error) {
		if n++; n > sweepPage {
			next = bytes.Clone(key)
			return false, nil
		}
		if s.stale(value, now) {
			dead = append(dead, bytes.Clone(key))
		}
		return true, nil
	})
	if err != nil || len(dead) == 0 {
		return next, err
	}
	s.writer.Lock() // a ledger may be in use again since it was seen
	defer s.writer.Unlock()
	b := s.db.NewBatch()
	for _, key := range dead {
		value, ok, err := get(s.db, key)
		if err != nil {
			return nil, err
		}
		if ok && s.stale(value, now) {
			if err := b.Delete(key, nil); err != nil {
				return nil, err
			}
		}
	}
	if err := s.write(b, pebble.NoSync); err != nil {
		return nil, err
	}
	return next, b.Close()
}

// stale reports whether nothing of a stored ledger matters any more.
func (s *Store) stale(value []byte, now int64) bool {
	var ledger reserve.Ledger
	return json.Unmarshal(value, &ledger) == nil && ledger.Until(s.cfg.Retention) < now
}
