package embedded

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"slices"

	"eligibility/internal/profile"

	"github.com/cockroachdb/pebble/v2"
)

var _ profile.PartialSource = (*Store)(nil)

// LoadPart is Load of what only asks for: one look-up for the row of each user and one for each event type. It goes through the users in the order in which they are stored,
// with one iterator, so that each look-up begins where the last one ended.
func (s *Store) LoadPart(ctx context.Context, only *profile.Projection, keys []profile.Key, dst []*profile.Snapshot) error {
	if only.Whole() {
		return s.Load(ctx, keys, dst)
	}
	return s.loading(ctx, len(keys), func(l *loader, v view) error { return l.loadPart(ctx, s, v, only, keys, dst) })
}

func (l *loader) loadPart(ctx context.Context, s *Store, v view, only *profile.Projection, keys []profile.Key, dst []*profile.Snapshot) (err error) {
	l.retained = s.retained(v.at.Wall)
	it, err := v.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: []byte{tableUser}, UpperBound: []byte{tableUser + 1}})
	if err != nil {
		return err
	}
	defer closing(it, &err)
	l.sort(keys)
	l.builder.Together(len(keys))
	defer l.builder.Together(0)
	for _, i := range l.order {
		if err := ctx.Err(); err != nil {
			return err
		}
		key := keys[i]
		schema := v.projects.schema(key.Project)
		l.prefix = appendUser(l.prefix[:0], key.Project, key.User)
		l.builder.Reset(schema, key, v.at)
		l.builder.Only(only)
		if err := l.part(it, schema, only); err != nil {
			return err
		}
		dst[i] = l.builder.Build()
	}
	return nil
}

// sort makes order that of the keys in the store.
func (l *loader) sort(keys []profile.Key) {
	l.order = l.order[:0]
	for i := range keys {
		l.order = append(l.order, i)
	}
	compare := func(i, j int) int {
		return cmp.Or(cmp.Compare(keys[i].Project, keys[j].Project), cmp.Compare(keys[i].User, keys[j].User))
	}
	if !slices.IsSortedFunc(l.order, compare) {
		slices.SortFunc(l.order, compare)
	}
}

// part reads the rows of one user that are asked for.
func (l *loader) part(it *pebble.Iterator, schema *profile.Schema, only *profile.Projection) error {
	l.typed = append(append(l.typed[:0], l.prefix...), userRow)
	if it.SeekGE(l.typed) && bytes.Equal(it.Key(), l.typed) {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		l.partProfile(value, only)
	}
	for _, name := range only.EventTypes() {
		declared, known := schema.EventType(name)
		if !known {
			continue
		}
		l.typed = appendType(append(l.typed[:0], l.prefix...), name)
		if !it.SeekGE(l.typed) || !bytes.HasPrefix(it.Key(), l.typed) {
			continue
		}
		if _, err := l.history(it, declared, only.ReadsProperties(name)); err != nil {
			return err
		}
	}
	return it.Error()
}

// partProfile is profile of what is asked for. What is not as this package writes it is decoded as a whole.
func (l *loader) partProfile(value []byte, only *profile.Projection) {
	email, zone, consents, attributes, ok := cutRow(value)
	if !ok {
		l.profile(value)
		return
	}
	b := &l.builder
	b.Found()
	if only.ReadsEmail() {
		b.Email(string(email))
	}
	if only.ReadsTimeZone() {
		b.TimeZone(string(zone))
	}
	for consents.next() {
		b.Consent(consents.channel, consents.given)
	}
	if len(only.Members()) == 0 {
		return
	}
	if l.picked, ok = pick(l.picked[:0], attributes, only.Members()); ok {
		attributes = l.picked
	}
	b.Attributes(attributes)
}

// cutRow takes an encoded row apart without copying anything.
func cutRow(data []byte) (email, zone []byte, consents consentList, attributes []byte, ok bool) {
	if len(data) == 0 || data[0] != rowVersion {
		return nil, nil, consents, nil, false
	}
	rest := data[1:]
	if email, rest, ok = cutSized(rest); !ok {
		return nil, nil, consents, nil, false
	}
	if zone, rest, ok = cutSized(rest); !ok {
		return nil, nil, consents, nil, false
	}
	n, size := binary.Uvarint(rest)
	if size <= 0 {
		return nil, nil, consents, nil, false
	}
	rest = rest[size:]
	consents = consentList{left: n, rest: rest}
	for range n {
		if _, rest, ok = cutSized(rest); !ok || len(rest) == 0 {
			return nil, nil, consents, nil, false
		}
		rest = rest[1:]
	}
	return email, zone, consents, rest, true
}

// consentList is the consents in an encoded row that cutRow has gone through.
type consentList struct {
	left    uint64
	rest    []byte
	channel string // "" for one that is not known
	given   bool
}

func (c *consentList) next() bool {
	if c.left == 0 {
		return false
	}
	name, rest, _ := cutSized(c.rest)
	c.channel, c.given, c.rest = "", rest[0] == 1, rest[1:]
	for _, channel := range profile.Channels {
		if channel == string(name) {
			c.channel = channel
		}
	}
	c.left--
	return true
}
