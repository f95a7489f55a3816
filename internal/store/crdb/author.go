package crdb

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"eligibility/internal/audit"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"

	"github.com/jackc/pgx/v5"
)

var errCommit = errors.New("malformed commit")

const (
	insertMark = `INSERT INTO commit_marks (id, wall, logical, expires_at) VALUES ($1, $2, $3, now() + INTERVAL '24 hours')`
	readMark   = `SELECT wall, logical FROM commit_marks WHERE id = $1`
	putHead    = `INSERT INTO heads (project_id, id, generation, in_force, doc) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (project_id, id) DO UPDATE SET generation = excluded.generation, in_force = excluded.in_force, doc = excluded.doc`
	putRevision = `INSERT INTO revisions (project_id, id, number, doc) VALUES ($1, $2, $3, $4)
			ON CONFLICT (project_id, id, number) DO UPDATE SET doc = excluded.doc`
	putReceipt = `INSERT INTO receipts (project_id, id, doc, expires_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (project_id, id) DO UPDATE SET doc = excluded.doc, expires_at = excluded.expires_at`
	putAudit = `INSERT INTO audit_log (project_id, wall, logical, id, doc) VALUES ($1, $2, $3, $4, $5)`
)

// authored is one commit of what marketers author, on its way into the database.
type authored struct {
	id    string // of its mark
	at    hlc.Timestamp
	batch pgx.Batch
	err   error // the first of queueing
}

// put queues a statement; an argument that is a doc is encoded.
func (a *authored) put(statement string, args ...any) {
	for i, arg := range args {
		d, ok := arg.(doc)
		if !ok {
			continue
		}
		text, err := json.Marshal(d.value)
		if err != nil && a.err == nil {
			a.err = err
		}
		args[i] = string(text)
	}
	a.batch.Queue(statement, args...)
}

// doc marks an argument that is stored as a document.
type doc struct{ value any }

// record queues the audit entry, with the commit's time.
func (a *authored) record(entry audit.Entry) {
	entry.At = a.at.Time()
	a.put(putAudit, entry.Project, a.at.Wall, int64(a.at.Logical), a.id, doc{entry})
}

// author runs prepare in a transaction whose stamp is known inside it. Each commit leaves a mark under an id of its own: a try that finds
// it follows one that succeeded unheard.
func (s *Store) author(
	ctx context.Context, what string, prepare func(ctx context.Context, tx pgx.Tx, a *authored) error,
) (hlc.Timestamp, error) {
	own, cancel := context.WithTimeout(ctx, s.cfg.WriteTimeout)
	defer cancel()
	id := rand.Text()
	var at hlc.Timestamp
	_, err := s.transaction(own, func(ctx context.Context, tx pgx.Tx) error {
		a := &authored{id: id}
		done, err := a.begin(ctx, tx, s)
		if err == nil && !done {
			err = prepare(ctx, tx, a)
		}
		at = a.at
		if err != nil || done {
			return err
		}
		a.put(insertMark, a.id, a.at.Wall, int64(a.at.Logical))
		if a.err != nil {
			return a.err
		}
		return tx.SendBatch(ctx, &a.batch).Close()
	})
	if err != nil {
		return hlc.Timestamp{}, outcome(ctx, what, err)
	}
	return at, nil
}

// begin takes the transaction's stamp, and looks for the mark of an earlier try.
func (a *authored) begin(ctx context.Context, tx pgx.Tx, s *Store) (done bool, err error) {
	var batch pgx.Batch
	batch.Queue(s.sql.stamp).QueryRow(func(row pgx.Row) error {
		var text string
		if err := row.Scan(&text); err != nil {
			return err
		}
		a.at, err = parseStamp(text)
		return err
	})
	var wall, logical int64
	batch.Queue(readMark, a.id).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&wall, &logical)
		done = err == nil
		return optional(err)
	})
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return false, err
	}
	if done {
		a.at = hlc.Timestamp{Wall: wall, Logical: uint32(logical)}
	}
	return done, nil
}

// CreateProject makes a project at ruleset version 1 with the spec's settings, schema (that of a new project when nil), context and
// placements. Promotions are committed one by one afterwards; the spec's are not read. rules.ErrExists, profile.ErrProject,
// profile.ErrUnavailable, ErrAmbiguous, ctx.Err().
func (s *Store) CreateProject(ctx context.Context, spec rules.Spec, entry audit.Entry) (hlc.Timestamp, error) {
	if !profile.ValidProject(spec.Project) {
		return hlc.Timestamp{}, fmt.Errorf("create project: %w", profile.ErrProject)
	}
	if spec.Schema == nil {
		spec.Schema = profile.NewSchema()
	}
	return s.author(ctx, "create project", func(ctx context.Context, tx pgx.Tx, a *authored) error {
		var made string
		err := tx.QueryRow(ctx, `INSERT INTO rulesets (project_id, version) VALUES ($1, 1) ON CONFLICT (project_id) DO NOTHING
			RETURNING project_id`, spec.Project).
			Scan(&made)
		if errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("project %q: %w", spec.Project, rules.ErrExists)
		}
		if err != nil {
			return err
		}
		a.put(`INSERT INTO projects (project_id, settings, context, placements, schema_version, schema_doc) VALUES ($1, $2, $3, $4, $5, $6)`,
			spec.Project, doc{spec.Settings}, doc{spec.Context}, doc{spec.Placements}, int64(spec.Schema.Version), doc{spec.Schema})
		entry.Version = 1
		a.record(entry)
		return nil
	})
}

// Commit applies one change of what marketers author, or nothing of it: rules.ErrConflict when the project has another version than the
// change was computed from, when the promotion's head has changed meanwhile, when a published revision would get another content, or when
// there is a receipt under its key. rules.ErrNotFound, profile.ErrUnavailable, ErrAmbiguous, ctx.Err().
func (s *Store) Commit(ctx context.Context, change *rules.Commit) (hlc.Timestamp, error) {
	if r := change.Revision; r != nil && (change.Head == nil || change.Head.ID != r.Promotion.ID || r.Number < 1) {
		return hlc.Timestamp{}, fmt.Errorf("commit: %w: a revision comes with the head of its promotion and a number from 1", errCommit)
	}
	return s.author(ctx, "commit", func(ctx context.Context, tx pgx.Tx, a *authored) error {
		if err := checkCommit(ctx, tx, a.at, change); err != nil {
			return err
		}
		a.change(change)
		return nil
	})
}

// checkCommit compares the change with what is stored, and keeps other changes of the project out until the transaction ends.
func checkCommit(ctx context.Context, tx pgx.Tx, at hlc.Timestamp, change *rules.Commit) error {
	var version, generation int64
	var revision, receipt string
	var batch pgx.Batch
	var missing error
	scan := func(into ...any) func(pgx.Row) error {
		return func(row pgx.Row) error { return optional(row.Scan(into...)) }
	}
	batch.Queue(`SELECT version FROM rulesets WHERE project_id = $1 FOR UPDATE`, change.Project).QueryRow(func(row pgx.Row) error {
		missing = found(row.Scan(&version), "project", change.Project)
		if errors.Is(missing, rules.ErrNotFound) {
			return nil
		}
		return missing
	})
	if change.Head != nil {
		batch.Queue(`SELECT generation FROM heads WHERE project_id = $1 AND id = $2`, change.Project, change.Head.ID).QueryRow(scan(&generation))
	}
	if r := change.Revision; r != nil {
		batch.Queue(`SELECT doc FROM revisions WHERE project_id = $1 AND id = $2 AND number = $3`, change.Project, change.Head.ID, r.Number).
			QueryRow(scan(&revision))
	}
	if change.Receipt != nil {
		batch.Queue(`SELECT doc FROM receipts WHERE project_id = $1 AND id = $2`, change.Project, change.Receipt.Key).QueryRow(scan(&receipt))
	}
	if err := errors.Join(tx.SendBatch(ctx, &batch).Close(), missing); err != nil {
		return err
	}
	if change.NewVersion && uint64(version) != change.ExpectVersion {
		return fmt.Errorf("%w: ruleset version is %d, the change was computed from %d", rules.ErrConflict, version, change.ExpectVersion)
	}
	if change.Head != nil && change.Head.Generation != uint64(generation)+1 {
		return fmt.Errorf("promotion %q: %w: it is at generation %d", change.Head.ID, rules.ErrConflict, generation)
	}
	return errors.Join(checkRevision(change, revision), checkReceipt(receipt, at))
}

// checkRevision keeps the content of published revisions as it is.
func checkRevision(change *rules.Commit, stored string) error {
	if stored == "" {
		return nil
	}
	var old rules.Revision
	if err := json.Unmarshal([]byte(stored), &old); err != nil {
		return err
	}
	if old.PublishedAt == nil {
		return nil
	}
	before, beforeErr := json.Marshal(old.Promotion)
	after, afterErr := json.Marshal(change.Revision.Promotion)
	if err := errors.Join(beforeErr, afterErr); err != nil {
		return err
	}
	if !bytes.Equal(before, after) {
		return fmt.Errorf("promotion %q: %w: revision %d is published and stays as it is", change.Head.ID, rules.ErrConflict, old.Number)
	}
	return nil
}

// checkReceipt refuses a second commit for one request.
func checkReceipt(stored string, at hlc.Timestamp) error {
	if stored == "" {
		return nil
	}
	var old rules.Receipt
	if err := json.Unmarshal([]byte(stored), &old); err != nil {
		return err
	}
	if old.Expired(at) {
		return nil
	}
	return fmt.Errorf("%w: the request was carried out before", rules.ErrConflict)
}

// change queues the rows of an accepted change.
func (a *authored) change(c *rules.Commit) {
	for _, part := range []struct {
		column string
		value  any
		brings bool
	}{
		{"settings", c.Settings, c.Settings != nil},
		{"context", c.Context, c.Context != nil},
		{"placements", c.Placements, c.Placements != nil},
	} {
		if part.brings {
			a.put(`UPDATE projects SET `+part.column+` = $2 WHERE project_id = $1`, c.Project, doc{part.value})
		}
	}
	if c.Schema != nil {
		a.put(`UPDATE projects SET schema_doc = $2, schema_version = $3 WHERE project_id = $1`, c.Project, doc{c.Schema}, int64(c.Schema.Version))
	}
	if h := c.Head; h != nil {
		inForce := h.Published
		if h.Retired {
			inForce = 0
		}
		a.put(putHead, c.Project, h.ID, int64(h.Generation), int64(inForce), doc{h})
	}
	if r := c.Revision; r != nil {
		a.put(putRevision, c.Project, r.Promotion.ID, int64(r.Number), doc{r})
	}
	entry := c.Audit
	entry.Project, entry.Version = c.Project, 0
	if c.NewVersion {
		entry.Version = c.ExpectVersion + 1
		a.put(`UPDATE rulesets SET version = $2, published_at = now() WHERE project_id = $1`, c.Project, int64(entry.Version))
	}
	if c.Receipt != nil {
		receipt := *c.Receipt
		receipt.At = a.at
		a.put(putReceipt, c.Project, receipt.Key, doc{receipt}, a.at.Time().Add(rules.ReceiptLife))
	}
	if !c.OnlyReceipt() {
		a.record(entry)
	}
}
