package embedded

import (
	"context"
	"fmt"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"

	"github.com/cockroachdb/pebble/v2"
)

// DeleteUser erases the profile, the user events, their ids, the ledger of sends and the e-mail row in one commit. Erasing an unknown user changes nothing.
func (s *Store) DeleteUser(ctx context.Context, user profile.Key) (hlc.Timestamp, error) {
	if err := s.beginWrite(ctx); err != nil {
		return hlc.Timestamp{}, err
	}
	c, err := s.erasure(user)
	if err != nil {
		s.abort()
		return hlc.Timestamp{}, fmt.Errorf("delete user: %w: %w", profile.ErrUnavailable, err)
	}
	if c == nil {
		s.abort()
		return s.now(), nil
	}
	at, err := s.commit(c)
	if err != nil {
		return hlc.Timestamp{}, fmt.Errorf("delete user: %w", err)
	}
	return at, nil
}

// erasure returns the commit that erases the user, nil when nothing is stored about them.
func (s *Store) erasure(user profile.Key) (*commit, error) {
	prefix := appendUser(nil, user.Project, user.User)
	known := false
	err := scan(s.db, prefix, following(prefix), func(_, _ []byte) (bool, error) {
		known = true
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	sends := namedKey(tableSends, user.Project, user.User)
	_, reserved, err := get(s.db, sends)
	if err != nil || !known && !reserved {
		return nil, err
	}
	stored, err := s.readRow(s.db, user)
	if err != nil {
		return nil, err
	}
	c := s.newCommit()
	if err := c.batch.DeleteRange(prefix, following(prefix), pebble.Sync); err != nil {
		return nil, err
	}
	if err := c.batch.Delete(sends, nil); err != nil {
		return nil, err
	}
	c.change(events.TableProfile, user.Project, user.User)
	if stored != nil && stored.email != "" {
		if err := c.setEmail(user.Project, stored.email, ""); err != nil {
			return nil, err
		}
	}
	return c, nil
}
