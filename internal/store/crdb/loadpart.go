package crdb

import (
	"context"
	"fmt"
	"strings"

	"eligibility/internal/profile"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

var _ profile.PartialSource = (*Store)(nil)

// LoadPart is Load of what only asks for: the database leaves the rest where it is.
func (s *Store) LoadPart(ctx context.Context, only *profile.Projection, keys []profile.Key, dst []*profile.Snapshot) error {
	return s.loadUsers(ctx, only, keys, dst)
}

// maxMembers bounds the members that are asked for one by one: those who read more get all.
const maxMembers = 32

// partShape is what the text of a partial load depends on. There are few, so that the texts are kept, here and in the database.
type partShape struct {
	members              int // -1: all of them
	email, zone, consent bool
	events, properties   bool
}

// part is a partial load as it is asked for.
type part struct {
	shape      partShape
	members    []string
	types      []string // of the events that are read
	properties []string // those of them whose properties are read too
}

// of makes out of the projection what is asked for. Names that no schema of the project has do no harm.
func (p *part) of(only *profile.Projection) {
	p.members, p.types, p.properties = only.Members(), only.EventTypes(), p.properties[:0]
	for _, name := range p.types {
		if only.ReadsProperties(name) {
			p.properties = append(p.properties, name)
		}
	}
	if len(p.members) > maxMembers {
		p.members = nil
	}
	p.shape = partShape{
		members: len(p.members), email: only.ReadsEmail(), zone: only.ReadsTimeZone(), consent: only.ReadsConsent(),
		events: len(p.types) > 0, properties: len(p.properties) > 0,
	}
	if p.members == nil && len(only.Members()) > 0 {
		p.shape.members = -1
	}
}

// statement is the text for the shape, which is made once.
func (s *Store) partStatement(shape partShape) string {
	if text, made := s.parts.Load(shape); made {
		return text.(string)
	}
	text := partStatement(&s.dialect, shape)
	s.parts.Store(shape, text)
	return text
}

// partStatement is loadStatement of users of one project, with what is not read left out.
//
//	$1, $2  project and users
//	$3      "project:version" of the schemas that are known
//	$4, $5  with events: retention, and the names of the types
//	$6      with properties: the names of the types that come with theirs
//	…       the names of members of the attributes
//
// What is no JSON object comes as it is, for whoever decodes it to find out.
func partStatement(d *dialect, shape partShape) string {
	column := func(wanted bool, name, typ string) string {
		if wanted {
			return name
		}
		return "NULL::" + typ
	}
	next := 4 // number of the next parameter
	if shape.events {
		next += 2
	}
	properties := "NULL::JSONB"
	if shape.properties {
		properties = fmt.Sprintf("CASE WHEN name = ANY ($%d::TEXT[]) THEN props END", next)
		next++
	}
	attributes := "attrs"
	if shape.members == 0 {
		attributes = "NULL::JSONB"
	}
	if shape.members > 0 {
		var object strings.Builder
		for i := range shape.members {
			if i > 0 {
				object.WriteString(", ")
			}
			fmt.Fprintf(&object, "$%d::TEXT, attrs->$%d::TEXT", next, next)
			next++
		}
		attributes = "CASE WHEN jsonb_typeof(attrs) = 'object' THEN jsonb_build_object(" + object.String() + ") ELSE attrs END"
	}
	var text strings.Builder
	fmt.Fprintf(&text, `SELECT * FROM (
  (SELECT %d AS kind, NULL::TEXT AS project_id, NULL::TEXT AS user_id, %s AS name, NULL::TIMESTAMPTZ AS at, NULL::JSONB AS doc,
			NULL::JSONB AS consent,
     NULL::TEXT AS email, NULL::TEXT AS zone, NULL::INT8 AS version)
  UNION ALL (SELECT %d, project_id, NULL, CASE WHEN project_id || ':' || schema_version::TEXT = ANY ($3::TEXT[])
			THEN NULL ELSE schema_doc END,
     NULL, NULL, NULL, NULL, NULL, schema_version FROM projects WHERE project_id = $1)
  UNION ALL (SELECT %d, NULL, user_id, NULL, NULL, %s, %s, %s, %s, NULL FROM profiles WHERE project_id = $1 AND user_id = ANY ($2::TEXT[]))`,
		rowStamp, d.asOf, rowSchema, rowProfile, attributes, column(shape.consent, "consent", "JSONB"), column(shape.email, "email", "TEXT"),
		column(shape.zone, "time_zone", "TEXT"))
	if shape.events {
		fmt.Fprintf(&text, `
  UNION ALL (SELECT %d, NULL, user_id, name, occurred_at, %s, NULL, NULL, NULL, NULL FROM
    (SELECT user_id, name, occurred_at, props, row_number() OVER (PARTITION BY user_id, name ORDER BY occurred_at DESC, event_id) AS place
      FROM user_events WHERE project_id = $1 AND user_id = ANY ($2::TEXT[]) AND occurred_at > now() - $4::INTERVAL AND name = ANY ($5::TEXT[])) AS w
    WHERE place <= %s)`, rowEvent, properties, placesKept)
	}
	text.WriteString("\n) AS r")
	return text.String()
}

// queryPart asks for a part of the users.
func (l *loader) queryPart(ctx context.Context, conn *pgxpool.Conn, s *Store, known *knownSchemas) (pgx.Rows, error) {
	args := append(l.args[:0], l.projects[0], l.users, known.versions)
	if l.part.shape.events {
		args = append(args, interval(s.cfg.Retention), l.part.types)
	}
	if l.part.shape.properties {
		args = append(args, l.part.properties)
	}
	for _, name := range l.part.members {
		args = append(args, name)
	}
	l.args = args
	return conn.Query(ctx, s.partStatement(l.part.shape), args...)
}
