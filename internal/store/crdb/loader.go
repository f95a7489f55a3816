package crdb

import (
	"strings"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// loader holds what one load asked for and what came, and keeps its buffers.
type loader struct {
	builder  profile.Builder
	projects []string // of the keys, each once
	users    []string // of the keys, each once; of one project
	pairs    bool     // the keys are of several projects: users goes with owners
	owners   []string
	only     *profile.Projection // what is wanted of the users, nil for everything
	part     part                // the same as it is asked for
	args     []any

	at      hlc.Timestamp
	found   map[profile.Key]*userRows
	events  []event
	schemas map[string]*profile.Schema
	oldest  int64 // events at or before it are beyond retention

	row loadRow
}

// userRows is the rows of one user.
type userRows struct {
	profile  bool
	attrs    []byte
	consent  []byte
	email    string
	zone     string
	first, n int // of its events; a list linked by event.next
}

type event struct {
	name  string
	at    int64
	props []byte
	next  int // index + 1 of the user's event before this one, 0 at the end
}

// loadRow is where a row is scanned to.
type loadRow struct {
	kind                int32
	project, user, name pgtype.Text
	email, zone         pgtype.Text
	at                  pgtype.Timestamptz
	doc, consent        []byte
	version             pgtype.Int8
	targets             [10]any
}

func (r *loadRow) scan(rows pgx.Rows) error {
	if r.targets[0] == nil {
		r.targets = [10]any{&r.kind, &r.project, &r.user, &r.name, &r.at, &r.doc, &r.consent, &r.email, &r.zone, &r.version}
	}
	r.doc, r.consent = nil, nil // what was scanned before belongs to its user
	return rows.Scan(r.targets[:]...)
}

// build makes the snapshots.
func (l *loader) build(keys []profile.Key, dst []*profile.Snapshot) {
	if l.only != nil {
		l.builder.Together(len(keys))
		defer l.builder.Together(0)
	}
	var empty *profile.Schema // of projects that do not exist
	for i, key := range keys {
		schema := l.schemas[key.Project]
		if schema == nil {
			if empty == nil {
				empty = profile.NewSchema()
			}
			schema = empty
		}
		l.builder.Reset(schema, key, l.at)
		l.builder.Only(l.only)
		if f := l.found[key]; f != nil {
			l.profile(f)
			l.history(f, schema)
		}
		dst[i] = l.builder.Build()
	}
	clear(l.found)
	clear(l.events)
}

func (l *loader) profile(f *userRows) {
	if !f.profile {
		return
	}
	b := &l.builder
	b.Found()
	b.Email(strings.ToLower(f.email))
	b.TimeZone(f.zone)
	for channel, given := range decodeConsent(f.consent) {
		b.Consent(channel, given)
	}
	b.Attributes(f.attrs)
}

// history gives the builder the events of one user. The database sends one more of a type than a snapshot holds: where it did, the oldest
// says since when the type is complete.
func (l *loader) history(f *userRows, schema *profile.Schema) {
	type kept struct {
		n      int
		oldest int64
	}
	counts := make(map[string]kept, 8)
	for i := f.first; i != 0; i = l.events[i-1].next {
		e := &l.events[i-1]
		if e.at <= l.oldest {
			continue
		}
		c := counts[e.name]
		if c.n++; c.n == 1 || e.at < c.oldest {
			c.oldest = e.at
		}
		counts[e.name] = c
	}
	for i := f.first; i != 0; i = l.events[i-1].next {
		e := &l.events[i-1]
		c := counts[e.name]
		if e.at <= l.oldest {
			continue
		}
		if c.n > limitOf(schema, e.name) && e.at == c.oldest {
			l.builder.Truncated(e.name, e.at+1)
			counts[e.name] = kept{n: c.n - 1, oldest: profile.MinTime.UnixNano()} // one is left out, its twins at the same time stay
			continue
		}
		l.builder.Event(e.name, e.at, e.props)
	}
}

func limitOf(schema *profile.Schema, name string) int {
	if declared, ok := schema.EventType(name); ok && declared.Reserved {
		return profile.MaxEngagementPerType
	}
	return profile.MaxEventsPerType
}
