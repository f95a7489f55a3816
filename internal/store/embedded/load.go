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
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	l := s.builders.Get().(*loader)
	defer s.builders.Put(l)
	v := s.view()
	err := l.load(ctx, s, v, keys, dst)
	if closeErr := v.Close(); err == nil {
		err = closeErr
	}
	s.counters.loads.Add(uint64(len(keys)))
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
			return l.skip(it), nil
		case kept == limit:
			l.builder.Truncated(declared.Name, at+1)
			return l.skip(it), nil
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return false, err
		}
		l.builder.Event(declared.Name, at, value)
		if !it.Next() {
			return false, nil
		}
		if !bytes.HasPrefix(it.Key(), l.typed) {
			return true, nil
		}
	}
}

// skip leaves the type that is being read.
func (l *loader) skip(it *pebble.Iterator) bool {
	l.typed[len(l.typed)-1]++
	return it.SeekGE(l.typed)
}
