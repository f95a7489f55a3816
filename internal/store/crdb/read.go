package crdb

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// readUserStatement is one user for a person's eyes: the newest events of all types, declared or not.
func readUserStatement(d *dialect) string {
	return fmt.Sprintf(`SELECT * FROM (
  (SELECT %d AS kind, NULL::TEXT AS id, %s AS name, NULL::TIMESTAMPTZ AS at, NULL::JSONB AS doc,
			NULL::JSONB AS consent, NULL::TEXT AS email, NULL::TEXT AS zone)
  UNION ALL (SELECT %d, NULL, NULL, NULL, attrs, consent, email, time_zone FROM profiles WHERE project_id = $1 AND user_id = $2)
  UNION ALL (SELECT %d, event_id, name, occurred_at, props, NULL, NULL, NULL FROM user_events
     WHERE project_id = $1 AND user_id = $2 AND occurred_at > now() - $3::INTERVAL AND occurred_at < '2250-01-01 00:00:00+00'
     ORDER BY occurred_at DESC, name, event_id LIMIT $4)
) AS r ORDER BY kind, at DESC, name, id`, rowStamp, d.asOf, rowProfile, rowEvent)
}

// ReadUser returns what is stored about the user as of one stamp, with the newest maxEvents events within retention, of declared types or
// not. Attributes that are no JSON object read as none. profile.ErrUnavailable, ctx.Err().
func (s *Store) ReadUser(ctx context.Context, key profile.Key, maxEvents int) (*profile.Record, error) {
	var record *profile.Record
	err := s.read(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		record = &profile.Record{
			UserID: key.User, Attributes: map[string]json.RawMessage{}, Consent: map[string]bool{}, Events: []profile.Event{},
		}
		rows, err := conn.Query(ctx, s.sql.readUser, key.Project, key.User, interval(s.cfg.Retention), max(maxEvents, 0))
		if err != nil {
			return err
		}
		return describe(rows, record)
	})
	if err != nil {
		return nil, outcome(ctx, "read user", err)
	}
	return record, nil
}

// describe fills the record from the rows.
func describe(rows pgx.Rows, record *profile.Record) error {
	var kind int32
	var id, name, email, zone pgtype.Text
	var at pgtype.Timestamptz
	var doc, consent []byte
	_, err := pgx.ForEachRow(rows, []any{&kind, &id, &name, &at, &doc, &consent, &email, &zone}, func() (err error) {
		switch kind {
		case rowStamp:
			record.AsOf, err = parseStamp(name.String)
		case rowProfile:
			record.Found = true
			record.Email, record.TimeZone, record.Attributes = email.String, zone.String, decodeAttributes(doc)
			if given := decodeConsent(consent); given != nil {
				record.Consent = given
			}
		case rowEvent:
			event := profile.Event{ID: id.String, Name: name.String, OccurredAt: at.Time.UTC()}
			if len(doc) > 0 && string(doc) != "{}" {
				event.Properties = append(json.RawMessage(nil), doc...)
			}
			record.Events = append(record.Events, event)
		}
		return err
	})
	return err
}

// UserByEmail returns the user who holds the address, in any case of letters, or "". profile.ErrUnavailable, ctx.Err().
func (s *Store) UserByEmail(ctx context.Context, project, email string) (string, error) {
	if !storableText(email) {
		return "", nil
	}
	id := ""
	err := s.read(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		return optional(conn.QueryRow(ctx, `SELECT user_id FROM emails
			WHERE project_id = $1 AND email = $2`, project, strings.ToLower(email)).Scan(&id))
	})
	return id, outcome(ctx, "user by e-mail", err)
}

// UserIDs lists the users that have a profile row, by ascending bytes of their id, after the given one. profile.ErrUnavailable, ctx.Err().
func (s *Store) UserIDs(ctx context.Context, project, after string, limit int) ([]string, error) {
	if !storableText(after) {
		return nil, nil
	}
	return list[string](ctx, s, "list users", `SELECT user_id FROM profiles WHERE project_id = $1 AND user_id > $2 ORDER BY user_id LIMIT $3`,
		project, after, max(limit, 0))
}

// list reads one column of several rows.
func list[T any](ctx context.Context, s *Store, what, statement string, args ...any) (all []T, err error) {
	err = s.read(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, statement, args...)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, pgx.RowTo[T])
		return err
	})
	return all, outcome(ctx, what, err)
}

// optional makes the absence of a row no error.
func optional(err error) error {
	if err == pgx.ErrNoRows { //nolint:errorlint // as Scan returns it
		return nil
	}
	return err
}

// atStamp reads documents in one column, with the stamp of the read in another, at one timestamp.
func (s *Store) atStamp(ctx context.Context, statement string, args ...any) (docs []string, at hlc.Timestamp, err error) {
	text := fmt.Sprintf(`SELECT * FROM ((SELECT 0 AS kind, %s AS doc) UNION ALL (SELECT 1, doc
			FROM (%s) AS d)) AS r`, s.dialect.asOf, statement)
	err = s.read(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, text, args...)
		if err != nil {
			return err
		}
		docs = nil
		var kind int32
		var doc string
		_, err = pgx.ForEachRow(rows, []any{&kind, &doc}, func() (err error) {
			if kind == 0 {
				at, err = parseStamp(doc)
				return err
			}
			docs = append(docs, doc)
			return nil
		})
		return err
	})
	return docs, at, err
}
