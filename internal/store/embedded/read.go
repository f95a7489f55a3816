package embedded

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"eligibility/internal/profile"

	"github.com/cockroachdb/pebble/v2"
)

// ReadUser returns what is stored about the user as of one stamp, with the newest maxEvents events within retention, of declared types or
// not. An attributes row that is no JSON object reads as no attributes.
func (s *Store) ReadUser(ctx context.Context, user profile.Key, maxEvents int) (*profile.Record, error) {
	record := &profile.Record{UserID: user.User, Attributes: map[string]json.RawMessage{}, Consent: map[string]bool{}}
	err := s.reading(ctx, "read user", func(v view) error {
		record.AsOf = v.at
		stored, err := s.readRow(v, user)
		if err != nil {
			return err
		}
		if stored != nil {
			record.Found = true
			stored.describe(record)
		}
		record.Events, err = newestEvents(v, user, s.retained(v.at.Wall), maxEvents)
		return err
	})
	if err != nil {
		return nil, err
	}
	return record, nil
}

func (r *row) describe(record *profile.Record) {
	record.Email, record.TimeZone = r.email, r.zone
	for _, c := range r.consent {
		record.Consent[c.channel] = c.given
	}
	list, err := members(r.attributes)
	if err != nil {
		return
	}
	for _, m := range list {
		record.Attributes[m.name] = json.RawMessage(m.value)
	}
}

// newestEvents reads at most limit events later than retained, newest first. Of each type it reads no more than that.
func newestEvents(r pebble.Reader, user profile.Key, retained int64, limit int) (list []profile.Event, err error) {
	list = []profile.Event{}
	prefix := appendUser(nil, user.Project, user.User)
	lower := append(bytes.Clone(prefix), userEvent)
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: following(lower)})
	if err != nil {
		return nil, err
	}
	defer closing(it, &err)
	for ok := it.First(); ok && limit > 0; {
		name, rest, err := cutText(it.Key()[len(lower):])
		if err != nil {
			return nil, err
		}
		typed, eventType := bytes.Clone(it.Key()[:len(it.Key())-len(rest)]), string(name)
		for kept := 0; ok && bytes.HasPrefix(it.Key(), typed); kept++ {
			at, id, err := cutEvent(it.Key()[len(typed):])
			if err != nil {
				return nil, err
			}
			if at <= retained || kept == limit {
				ok = it.SeekGE(following(typed))
				break
			}
			event := profile.Event{ID: string(id), Name: eventType, OccurredAt: time.Unix(0, at).UTC()}
			if value := it.Value(); len(value) > 0 {
				event.Properties = bytes.Clone(value)
			}
			list = append(list, event)
			ok = it.Next()
		}
	}
	slices.SortStableFunc(list, func(a, b profile.Event) int {
		return cmp.Or(b.OccurredAt.Compare(a.OccurredAt), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return list[:min(len(list), max(limit, 0))], it.Error()
}

// UserByEmail returns the user who holds the address, in any case of letters, or "".
func (s *Store) UserByEmail(ctx context.Context, project, email string) (string, error) {
	if err := s.enter(ctx); err != nil {
		return "", err
	}
	defer s.leave()
	user, _, err := get(s.db, namedKey(tableEmail, project, strings.ToLower(email)))
	if err != nil {
		return "", fmt.Errorf("user by e-mail: %w: %w", profile.ErrUnavailable, err)
	}
	return string(user), nil
}

// UserIDs lists the users that have a profile row, by ascending bytes of their id, after the given one.
func (s *Store) UserIDs(ctx context.Context, project, after string, limit int) ([]string, error) {
	var ids []string
	err := s.reading(ctx, "list users", func(v view) (err error) {
		prefix := projectPrefix(tableUser, project)
		it, err := v.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: following(prefix)})
		if err != nil {
			return err
		}
		defer closing(it, &err)
		seek := prefix
		if after != "" {
			seek = following(appendUser(nil, project, after))
		}
		for ok := it.SeekGE(seek); ok && len(ids) < limit; ok = it.SeekGE(seek) {
			user, rest, err := cutText(it.Key()[len(prefix):])
			if err != nil || len(rest) == 0 {
				return errKey
			}
			if rest[0] == userRow {
				ids = append(ids, string(user))
			}
			seek = following(it.Key()[:len(it.Key())-len(rest)])
		}
		return it.Error()
	})
	return ids, err
}
