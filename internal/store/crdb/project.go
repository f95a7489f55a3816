package crdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"eligibility/internal/rules"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The kinds of row that a spec is read from.
const (
	specStamp   = 0
	specProject = 1
	specLive    = 2
)

// readSpecStatement is everything that a ruleset is made from, at one timestamp. $2 and $3 are id and number of the revisions in force
// that are known already: their documents, which never change, stay where they are.
func readSpecStatement(d *dialect) string {
	return fmt.Sprintf(`SELECT * FROM (
  (SELECT %d AS kind, %s AS a, NULL::TEXT AS b, NULL::TEXT AS c, NULL::TEXT AS d, NULL::INT8 AS n)
  UNION ALL (SELECT %d, p.settings, p.context, p.placements, p.schema_doc, r.version FROM projects AS p
			JOIN rulesets AS r ON r.project_id = p.project_id
    WHERE p.project_id = $1)
  UNION ALL (SELECT %d, h.id, h.doc, v.doc, NULL, h.in_force FROM heads AS h
    LEFT JOIN unnest($2::TEXT[], $3::INT8[]) AS k(id, number) ON k.id = h.id AND k.number = h.in_force
    LEFT JOIN revisions AS v ON v.project_id = h.project_id AND v.id = h.id AND v.number = h.in_force AND k.id IS NULL
    WHERE h.project_id = $1 AND h.in_force > 0)
) AS r`, specStamp, d.asOf, specProject, specLive)
}

// Projects lists all project names in order. profile.ErrUnavailable, ctx.Err().
func (s *Store) Projects(ctx context.Context) ([]string, error) {
	return list[string](ctx, s, "list projects", `SELECT project_id FROM rulesets ORDER BY project_id`)
}

// Version returns the project's ruleset version. rules.ErrNotFound, profile.ErrUnavailable, ctx.Err().
func (s *Store) Version(ctx context.Context, name string) (uint64, error) {
	var version int64
	err := s.read(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		return found(conn.QueryRow(ctx, `SELECT version FROM rulesets WHERE project_id = $1`, name).Scan(&version), "project", name)
	})
	return uint64(version), outcome(ctx, "read version", err)
}

// Spec reads everything that the project's ruleset is made from, at one stamp. rules.ErrNotFound, profile.ErrUnavailable, ctx.Err().
func (s *Store) Spec(ctx context.Context, name string) (*rules.Spec, error) {
	var spec *rules.Spec
	err := s.read(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		known := s.live.of(name)
		ids, numbers := keysOf(known)
		rows, err := conn.Query(ctx, s.sql.readSpec, name, ids, numbers)
		if err != nil {
			return err
		}
		spec, err = readSpec(rows, name, known)
		return err
	})
	if err != nil {
		return nil, outcome(ctx, "read spec", err)
	}
	s.live.keep(name, spec.Promotions)
	return spec, nil
}

// readSpec assembles a spec from the rows, which come in any order.
func readSpec(rows pgx.Rows, name string, known liveRevisions) (*rules.Spec, error) {
	spec := &rules.Spec{Project: name}
	exists := false
	var all []rules.LivePromotion
	var kind int32
	var a, b, c, d pgtype.Text
	var n pgtype.Int8
	_, err := pgx.ForEachRow(rows, []any{&kind, &a, &b, &c, &d, &n}, func() (err error) {
		switch kind {
		case specStamp:
			spec.AsOf, err = parseStamp(a.String)
		case specProject:
			exists = true
			spec.Version = uint64(n.Int64)
			if spec.Schema, err = decodeSchema(d.String); err != nil {
				return err
			}
			err = errors.Join(decode(a, &spec.Settings), decode(b, &spec.Context), decode(c, &spec.Placements))
		case specLive:
			var live rules.LivePromotion
			if live, err = readLive(a.String, b.String, c, known); err == nil {
				all = append(all, live)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if !exists {
		return nil, fmt.Errorf("project %q: %w", name, rules.ErrNotFound)
	}
	spec.Promotions = rules.NewRoll(all...)
	return spec, nil
}

// readLive decodes a head and the revision that it puts into force.
func readLive(id, headDoc string, revisionDoc pgtype.Text, known liveRevisions) (rules.LivePromotion, error) {
	var head rules.Head
	if err := json.Unmarshal([]byte(headDoc), &head); err != nil {
		return rules.LivePromotion{}, fmt.Errorf("head of promotion %q: %w", id, err)
	}
	live := rules.LivePromotion{Revision: head.Published, Paused: head.Paused}
	if old, ok := known.Find(id); ok && old.Revision == head.Published {
		live.Promotion = old.Promotion
		return live, nil
	}
	if !revisionDoc.Valid {
		return live, fmt.Errorf("promotion %q: revision %d in force is missing", id, head.Published)
	}
	var revision rules.Revision
	if err := json.Unmarshal([]byte(revisionDoc.String), &revision); err != nil {
		return live, fmt.Errorf("revision %d of promotion %q: %w", head.Published, id, err)
	}
	document := revision.Promotion // and not what else is known of the revision
	live.Promotion = &document
	return live, nil
}

func decode(text pgtype.Text, into any) error { return json.Unmarshal([]byte(text.String), into) }

// found names the absence of a row.
func found(err error, what, id string) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("%s %q: %w", what, id, rules.ErrNotFound)
	}
	return err
}
