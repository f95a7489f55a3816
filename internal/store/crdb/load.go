package crdb

import (
	"context"
	"fmt"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The kinds of row that a load answers with.
const (
	rowStamp   = 0 // name is the stamp of the read
	rowSchema  = 1 // of one project: version, and the document in name unless it is known
	rowProfile = 2
	rowEvent   = 3
)

// loadStatement is everything about some users in one statement, and so at one timestamp. SQL promises no order of the rows.
//
//	$1, $2  project and user, as users says
//	$3      retention
//	$4      names of the event types that are declared
//	$5      "project:version" of the schemas that are known
//
// Of each type come the newest events up to the limit of a snapshot and one more, which tells that and where it was cut. Without $4 the
// answer would not be bounded: callers choose the names of undeclared types.
//
// project and user are the columns, or NULL where the question was about one only: they would be repeated in every row.
func loadStatement(d *dialect, users, projects, project, user string) string {
	return fmt.Sprintf(`SELECT * FROM (
  (SELECT %d AS kind, NULL::TEXT AS project_id, NULL::TEXT AS user_id, %s AS name, NULL::TIMESTAMPTZ AS at, NULL::JSONB AS doc,
			NULL::JSONB AS consent,
     NULL::TEXT AS email, NULL::TEXT AS zone, NULL::INT8 AS version)
  UNION ALL (SELECT %d, project_id, NULL, CASE WHEN project_id || ':' || schema_version::TEXT = ANY ($5::TEXT[])
			THEN NULL ELSE schema_doc END,
     NULL, NULL, NULL, NULL, NULL, schema_version FROM projects WHERE %s)
  UNION ALL (SELECT %d, %s, %s, NULL, updated_at, attrs, consent, email, time_zone, NULL FROM profiles WHERE %s)
  UNION ALL (SELECT %d, %s, %s, name, occurred_at, props, NULL, NULL, NULL, NULL FROM
    (SELECT project_id, user_id, name, occurred_at, props,
        row_number() OVER (PARTITION BY project_id, user_id, name ORDER BY occurred_at DESC, event_id) AS place
      FROM user_events WHERE %s AND occurred_at > now() - $3::INTERVAL AND name = ANY ($4::TEXT[])) AS w
    WHERE place <= %s)
) AS r`, rowStamp, d.asOf, rowSchema, projects, rowProfile, project, user, users, rowEvent, project, user, users, placesKept)
}

// placesKept is how many events of the type name come of a user: those that a snapshot holds, and one more.
var placesKept = fmt.Sprintf("CASE WHEN left(name, %d) = '%s' OR name = '%s' THEN %d ELSE %d END",
	len(profile.ReservedEvents), profile.ReservedEvents, profile.EventSend, profile.MaxEngagementPerType+1, profile.MaxEventsPerType+1)

// Load fills dst[i] for keys[i], all as of the stamp of one statement, decoded with each project's schema at that stamp.
//
// A snapshot holds the newest profile.MaxEventsPerType events of each declared type that lie within retention, of reserved types
// profile.MaxEngagementPerType. Where more lie within retention, the type is complete from one nanosecond after the newest event left
// out: that is what Events.Since says. Events in the future count as the newest. What other writers put into a row and no rule can use
// makes that value invalid, or that snapshot Broken, and never fails the load.
func (s *Store) Load(ctx context.Context, keys []profile.Key, dst []*profile.Snapshot) error {
	return s.loadUsers(ctx, nil, keys, dst)
}

func (s *Store) loadUsers(ctx context.Context, only *profile.Projection, keys []profile.Key, dst []*profile.Snapshot) error {
	if len(keys) == 0 {
		return ctx.Err()
	}
	own, cancel := context.WithTimeout(ctx, s.cfg.LoadTimeout)
	defer cancel()
	l := s.builders.Get().(*loader)
	defer s.builders.Put(l)
	l.ask(keys, only)
	err := s.again(own, func(ctx context.Context, conn *pgxpool.Conn) error { return s.load(ctx, conn, l) })
	if err != nil {
		return outcome(ctx, "load users", err)
	}
	l.build(keys, dst)
	s.counters.loads.Add(uint64(len(keys)))
	return nil
}

// maxSchemaTurns is how often a load runs its statement again for a schema that is new to it. Once is usual; more takes a project whose
// schema changes as fast as it is read.
const maxSchemaTurns = 5

// load runs the statement, once more when a schema has changed since it was last seen: the event types to ask for are then others.
func (s *Store) load(ctx context.Context, conn *pgxpool.Conn, l *loader) error {
	for range maxSchemaTurns {
		known := s.schemas.of(l.projects)
		s.counters.statements.Add(1)
		fresh, err := l.run(ctx, conn, s, known)
		if err != nil || !fresh {
			return err
		}
	}
	return fmt.Errorf("%w: the schema changes faster than it can be read", profile.ErrUnavailable)
}

// ask notes the keys, and what of the users is wanted. Who asks about several projects at once gets everything.
func (l *loader) ask(keys []profile.Key, only *profile.Projection) {
	l.projects, l.users, l.owners, l.pairs = l.projects[:0], l.users[:0], l.owners[:0], false
	for _, key := range keys {
		if len(l.projects) == 0 || l.projects[len(l.projects)-1] != key.Project && !contains(l.projects, key.Project) {
			l.projects = append(l.projects, key.Project)
		}
		l.owners, l.users = append(l.owners, key.Project), append(l.users, key.User)
	}
	l.pairs = len(l.projects) > 1
	if l.only = only; only.Whole() || l.pairs {
		l.only = nil
		return
	}
	l.part.of(only)
}

func contains(list []string, name string) bool {
	for _, item := range list {
		if item == name {
			return true
		}
	}
	return false
}

// run asks the database. fresh says that a schema came which was not known: what came with it may lack events.
func (l *loader) run(ctx context.Context, conn *pgxpool.Conn, s *Store, known knownSchemas) (fresh bool, err error) {
	l.at, l.events, l.schemas = hlc.Timestamp{}, l.events[:0], known.byProject
	if l.found == nil {
		l.found = make(map[profile.Key]*userRows, len(l.users))
	}
	clear(l.found)
	retention := interval(s.cfg.Retention)
	var rows pgx.Rows
	switch {
	case l.only != nil:
		rows, err = l.queryPart(ctx, conn, s, &known)
	case l.pairs:
		rows, err = conn.Query(ctx, s.sql.loadMixed, l.owners, l.users, retention, known.types, known.versions)
	case len(l.users) == 1:
		rows, err = conn.Query(ctx, s.sql.loadOne, l.projects[0], l.users[0], retention, known.types, known.versions)
	default:
		rows, err = conn.Query(ctx, s.sql.loadMany, l.projects[0], l.users, retention, known.types, known.versions)
	}
	if err != nil {
		return false, err
	}
	defer rows.Close()
	for rows.Next() {
		if err := l.row.scan(rows); err != nil {
			return false, err
		}
		unknown, err := l.take(s)
		if err != nil {
			return false, err
		}
		fresh = fresh || unknown
	}
	if err := rows.Err(); err != nil {
		return false, err
	}
	if l.at.IsZero() {
		return false, errNoStamp
	}
	l.oldest = l.at.Wall - int64(s.cfg.Retention)
	return fresh, nil
}

var errNoStamp = fmt.Errorf("%w: a read came without its stamp", profile.ErrUnavailable)

// take notes the scanned row.
func (l *loader) take(s *Store) (freshSchema bool, err error) {
	r := &l.row
	switch r.kind {
	case rowStamp:
		l.at, err = parseStamp(r.name.String)
	case rowSchema:
		if r.name.Valid {
			return true, s.schemas.learn(r.project.String, r.name.String)
		}
	case rowProfile:
		f := l.of(r)
		f.profile, f.attrs, f.consent, f.email, f.zone = true, r.doc, r.consent, r.email.String, r.zone.String
	case rowEvent:
		at := r.at.Time
		if r.at.InfinityModifier != pgtype.Finite || at.Before(profile.MinTime) || !at.Before(profile.MaxTime) {
			return false, nil // another writer's: no time that any window reaches
		}
		f := l.of(r)
		l.events = append(l.events, event{name: r.name.String, at: at.UnixNano(), props: r.doc, next: f.first})
		f.first, f.n = len(l.events), f.n+1
	}
	return false, err
}

func (l *loader) of(r *loadRow) *userRows {
	key := profile.Key{Project: l.projects[0], User: l.users[0]}
	if r.project.Valid {
		key.Project = r.project.String
	}
	if r.user.Valid {
		key.User = r.user.String
	}
	f := l.found[key]
	if f == nil {
		f = new(userRows)
		l.found[key] = f
	}
	return f
}
