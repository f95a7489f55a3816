package embedded

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"

	"github.com/cockroachdb/pebble/v2"
)

// PutUsers merges the updates into the users' rows, in their order, in one commit. Items that cannot be stored are reported with the codes
// invalid_user_id, email_taken, profile_too_large or invalid_value and change nothing.
func (s *Store) PutUsers(ctx context.Context, project string, updates []profile.Update) (hlc.Timestamp, []profile.ItemError, error) {
	if err := s.beginWrite(ctx); err != nil {
		return hlc.Timestamp{}, nil, err
	}
	put := userBatch{store: s, project: project, rows: make(map[string]*row, len(updates)), emails: make(map[string]string)}
	var refused []profile.ItemError
	for i := range updates {
		fault, err := put.add(&updates[i])
		if err != nil {
			s.abort()
			return hlc.Timestamp{}, nil, fmt.Errorf("put users: %w: %w", profile.ErrUnavailable, err)
		}
		if fault != nil {
			fault.Index = i
			refused = append(refused, *fault)
		}
	}
	if len(put.order) == 0 {
		s.abort()
		return s.now(), refused, nil
	}
	c, err := put.commit()
	if err != nil {
		s.abort()
		return hlc.Timestamp{}, nil, fmt.Errorf("put users: %w", err)
	}
	at, err := s.commit(c)
	if err != nil {
		return hlc.Timestamp{}, nil, fmt.Errorf("put users: %w", err)
	}
	return at, refused, nil
}

// userBatch is the effect of a batch of updates so far, over what is stored.
type userBatch struct {
	store   *Store
	project string
	rows    map[string]*row   // by user; what is stored, or what an earlier item made of it
	order   []string          // users with an accepted item, in the order of their first
	emails  map[string]string // address → user, "" when it was given up
	scratch []byte
}

// add applies one update or says why it cannot.
func (p *userBatch) add(u *profile.Update) (*profile.ItemError, error) {
	if !profile.ValidUserID(u.UserID) {
		return &profile.ItemError{Code: "invalid_user_id", Detail: profile.ErrUserID.Error()}, nil
	}
	old, accepted := p.rows[u.UserID]
	if !accepted {
		stored, err := p.store.readRow(p.store.db, profile.Key{Project: p.project, User: u.UserID})
		if err != nil {
			return nil, err
		}
		if old = stored; old == nil {
			old = &row{}
		}
	}
	var email *string
	if u.Email != nil {
		address := strings.ToLower(*u.Email)
		email = &address
		if address != "" && address != old.email {
			holder, err := p.holder(address)
			if err != nil {
				return nil, err
			}
			if holder != "" && holder != u.UserID {
				return &profile.ItemError{Code: "email_taken", Detail: "the e-mail address belongs to another user"}, nil
			}
		}
	}
	next := *old
	if err := next.merge(u, email); err != nil {
		return &profile.ItemError{Code: "invalid_value", Detail: "an attribute is not valid JSON"}, nil
	}
	p.scratch = next.encode(p.scratch[:0])
	if len(p.scratch) > profile.MaxAttributesBytes {
		detail := fmt.Sprintf("the profile would take %d bytes, the limit is %d", len(p.scratch), profile.MaxAttributesBytes)
		return &profile.ItemError{Code: "profile_too_large", Detail: detail}, nil
	}
	if next.email != old.email {
		if old.email != "" {
			p.emails[old.email] = ""
		}
		if next.email != "" {
			p.emails[next.email] = u.UserID
		}
	}
	if !accepted {
		p.order = append(p.order, u.UserID)
	}
	p.rows[u.UserID] = &next
	return nil, nil
}

// holder is the user of the address, "" if it is free.
func (p *userBatch) holder(address string) (string, error) {
	if user, ok := p.emails[address]; ok {
		return user, nil
	}
	user, _, err := get(p.store.db, namedKey(tableEmail, p.project, address))
	return string(user), err
}

// commit turns the effect into rows and change records.
func (p *userBatch) commit() (*commit, error) {
	c := p.store.newCommit()
	var key []byte
	for _, user := range p.order {
		key = append(appendUser(key[:0], p.project, user), userRow)
		p.scratch = p.rows[user].encode(p.scratch[:0])
		if err := c.batch.Set(key, p.scratch, nil); err != nil {
			return nil, err
		}
		c.change(events.TableProfile, p.project, user)
	}
	for address, user := range p.emails {
		if err := c.setEmail(p.project, address, user); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// setEmail gives the address to the user, or to nobody when user is "".
func (c *commit) setEmail(project, address, user string) error {
	c.change(events.TableEmail, project, address)
	key := namedKey(tableEmail, project, address)
	if user == "" {
		return c.batch.Delete(key, nil)
	}
	return c.batch.Set(key, []byte(user), nil)
}

// readRow returns the user's stored row, nil when there is none. A row that cannot be decoded is returned empty: a write repairs it.
func (s *Store) readRow(r pebble.Reader, user profile.Key) (*row, error) {
	shared, closer, err := r.Get(append(appendUser(nil, user.Project, user.User), userRow))
	if err == pebble.ErrNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	stored := new(row)
	if err := stored.decode(bytes.Clone(shared)); err != nil {
		*stored = row{}
	}
	return stored, closer.Close()
}
