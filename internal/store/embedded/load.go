package embedded

import (
	"bytes"
	"context"
	"fmt"

	"eligibility/internal/profile"

	"github.com/cockroachdb/pebble/v2"
)

// Load fills dst[i] for keys[i], all as of one fresh stamp, decoded with each project's schema at that stamp.
//
// A snapshot holds the newest profile.MaxEventsPerType events of each declared type that lie within retention, of reserved types
// profile.MaxEngagementPerType. Where more lie within retention, the type is complete from one nanosecond after the newest event left out:
// that is what Events.Since says. Events in the future count as the newest.
func (s *Store) Load(ctx context.Context, keys []profile.Key, dst []*profile.Snapshot) error {
	return s.loading(ctx, len(keys), func(l *loader, v view) error { return l.load(ctx, s, v, keys, dst) })
}

// loading has a loader read users in a fresh view.
func (s *Store) loading(ctx context.Context, users int, load func(l *loader, v view) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	l := s.builders.Get().(*loader)
	defer s.builders.Put(l)
	v := s.view()
	err := load(l, v)
	if closeErr := v.Close(); err == nil {
		err = closeErr
	}
	s.counters.loads.Add(uint64(users))
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("load users: %w: %w", profile.ErrUnavailable, err)
	}
	return err
}

// loader decodes users one after the other and keeps its buffers.
type loader struct {
	builder  profile.Builder
	row      row
	prefix   []byte // of the user
	upper    []byte // end of the user's profile and events
	typed    []byte // prefix of the event type being read
	retained int64
	order    []int  // of a partial load: the keys as the store has them
	picked   []byte // of one: the attributes that are asked for
}

func (l *loader) load(ctx context.Context, s *Store, v view, keys []profile.Key, dst []*profile.Snapshot) (err error) {
	l.retained = s.retained(v.at.Wall)
	var it *pebble.Iterator
	defer func() {
		if it != nil {
			closing(it, &err)
		}
	}()
	for i, key := range keys {
		if err := ctx.Err(); err != nil {
			return err
		}
		l.prefix = appendUser(l.prefix[:0], key.Project, key.User)
		l.upper = append(append(l.upper[:0], l.prefix...), userID)
		if it == nil {
			if it, err = v.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: l.prefix, UpperBound: l.upper}); err != nil {
				return err
			}
		} else {
			it.SetBounds(l.prefix, l.upper)
		}
		l.builder.Reset(v.projects.schema(key.Project), key, v.at)
		if err := l.user(it, v.projects.schema(key.Project)); err != nil {
			return err
		}
		dst[i] = l.builder.Build()
	}
	return nil
}

// user reads the rows of one user.
func (l *loader) user(it *pebble.Iterator, schema *profile.Schema) error {
	for ok := it.First(); ok; {
		rest := it.Key()[len(l.prefix):]
		if len(rest) == 0 {
			return errKey
		}
		if rest[0] == userEvent {
			var err error
			if ok, err = l.events(it, schema, rest); err != nil {
				return err
			}
			continue
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		l.profile(value)
		ok = it.Next()
	}
	return it.Error()
}

func (l *loader) profile(value []byte) {
	b := &l.builder
	b.Found()
	if err := l.row.decode(value); err != nil {
		b.Attributes([]byte("?")) // not JSON: the snapshot is broken, and says so to every rule
		return
	}
	b.Email(l.row.email)
	b.TimeZone(l.row.zone)
	for _, c := range l.row.consent {
		b.Consent(c.channel, c.given)
	}
	b.Attributes(l.row.attributes)
}

// events reads the events of one type, newest first, and leaves the iterator behind the type.
func (l *loader) events(it *pebble.Iterator, schema *profile.Schema, rest []byte) (more bool, err error) {
	text, tail, err := cutText(rest[1:])
	if err != nil {
		return false, err
	}
	key := it.Key()
	l.typed = append(l.typed[:0], key[:len(key)-len(tail)]...)
	declared, known := schema.EventType(string(text))
	if !known {
		return l.skip(it), nil
	}
	whole, err := l.history(it, declared, true)
	if err != nil || !whole {
		return err == nil && l.skip(it), err
	}
	return it.Valid(), nil
}

// history reads the events of the type that the iterator stands at, newest first. It is whole when the iterator is behind the type, and not when older ones are left: they do not
// count. Without properties nothing but the times is read.
func (l *loader) history(it *pebble.Iterator, declared *profile.EventType, properties bool) (whole bool, err error) {
	limit := profile.MaxEventsPerType
	if declared.Reserved {
		limit = profile.MaxEngagementPerType
	}
	for kept := 0; ; kept++ {
		at, ok := eventTime(it.Key()[len(l.typed):])
		switch {
		case !ok:
			return false, errKey
		case at <= l.retained:
			return false, nil
		case kept == limit:
			l.builder.Truncated(declared.Name, at+1)
			return false, nil
		}
		var value []byte
		if properties {
			if value, err = it.ValueAndErr(); err != nil {
				return false, err
			}
		}
		l.builder.Event(declared.Name, at, value)
		if !it.Next() || !bytes.HasPrefix(it.Key(), l.typed) {
			return true, nil
		}
	}
}

// skip leaves the type that is being read.
func (l *loader) skip(it *pebble.Iterator) bool {
	l.typed[len(l.typed)-1]++
	return it.SeekGE(l.typed)
}
