package crdb

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/reserve"

	"github.com/jackc/pgx/v5"
)

var _ reserve.Book = (*Store)(nil)

// Rows are locked as they are read, users before promotions and each in order: two calls never wait for each other. Between replicas the database decides; a transaction that
// comes second to a row that was not there yet is repeated.
const (
	readLedgers = `SELECT user_id, doc FROM send_ledgers WHERE project_id = $1 AND user_id = ANY ($2::TEXT[]) ORDER BY user_id FOR UPDATE`
	readLimits  = `SELECT id, doc FROM send_limits WHERE project_id = $1 AND id = ANY ($2::TEXT[]) ORDER BY id FOR UPDATE`
	putLedgers  = `INSERT INTO send_ledgers (project_id, user_id, doc, expires_at) SELECT $1, r.u, r.d, r.e
			FROM unnest($2::TEXT[], $3::TEXT[], $4::TIMESTAMPTZ[]) AS r(u, d, e)
			ON CONFLICT (project_id, user_id) DO UPDATE SET doc = excluded.doc, expires_at = excluded.expires_at`
	putLimits = `INSERT INTO send_limits (project_id, id, doc) SELECT $1, r.i, r.d FROM unnest($2::TEXT[], $3::TEXT[]) AS r(i, d)
			ON CONFLICT (project_id, id) DO UPDATE SET doc = excluded.doc`
)

// Reserve answers claims in one transaction. Tried again, it finds what an earlier try granted unheard.
func (s *Store) Reserve(ctx context.Context, project string, claims []reserve.Claim) ([]reserve.Grant, error) {
	if len(claims) > reserve.MaxBatch {
		return nil, reserve.ErrTooMany
	}
	var grants []reserve.Grant
	_, err := s.book(ctx, project, "reserve sends", reserve.Users(claims), func(ctx context.Context, tx pgx.Tx, page *reserve.Page) error {
		if err := readDocs(ctx, tx, readLimits, project, reserve.Promotions(claims), page.Limits); err != nil {
			return err
		}
		grants = page.Reserve(claims)
		return nil
	})
	return grants, err
}

// Settle confirms and releases in one transaction, in which the confirmed sends become user events.
func (s *Store) Settle(ctx context.Context, project string, list []reserve.Settlement) ([]reserve.State, hlc.Timestamp, error) {
	if len(list) > reserve.MaxBatch {
		return nil, hlc.Timestamp{}, reserve.ErrTooMany
	}
	var states []reserve.State
	at, err := s.book(ctx, project, "settle sends", reserve.Users(list), func(ctx context.Context, tx pgx.Tx, page *reserve.Page) error {
		if err := readDocs(ctx, tx, readLimits, project, page.Held(list), page.Limits); err != nil {
			return err
		}
		states = page.Settle(list)
		return nil
	})
	return states, at, err
}

// book lets work happen on the locked ledgers of users and writes what becomes of them.
func (s *Store) book(
	ctx context.Context, project, what string, users []string, work func(context.Context, pgx.Tx, *reserve.Page) error,
) (hlc.Timestamp, error) {
	own, cancel := context.WithTimeout(ctx, s.cfg.WriteTimeout)
	defer cancel()
	stamp, err := s.transaction(own, func(ctx context.Context, tx pgx.Tx) error {
		page := &reserve.Page{
			Retention: s.cfg.Retention, Ledgers: make(map[string]*reserve.Ledger, len(users)), Limits: make(map[string]*reserve.Limit),
		}
		if err := readDocs(ctx, tx, readLedgers, project, users, page.Ledgers); err != nil {
			return err
		}
		// The transaction's beginning: events must not lie behind its commit. The documents keep clocks of their own, which only grow: whatever machines think of the
		// time, and however long this one waited for its locks, no slot is given away twice.
		var now time.Time
		if err := tx.QueryRow(ctx, "SELECT now()").Scan(&now); err != nil {
			return err
		}
		page.Now = now.UnixNano()
		if err := work(ctx, tx, page); err != nil {
			return err
		}
		return s.writePage(ctx, tx, project, page)
	})
	if err != nil {
		return hlc.Timestamp{}, outcome(ctx, what, err)
	}
	return parseStamp(stamp)
}

// readDocs reads and locks the named documents of a table into m.
func readDocs[T any](ctx context.Context, tx pgx.Tx, statement, project string, names []string, m map[string]*T) error {
	if len(names) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, statement, project, names)
	if err != nil {
		return err
	}
	var name, text string
	_, err = pgx.ForEachRow(rows, []any{&name, &text}, func() error {
		v := new(T)
		m[name] = v
		return json.Unmarshal([]byte(text), v)
	})
	return err
}

func (s *Store) writePage(ctx context.Context, tx pgx.Tx, project string, page *reserve.Page) error {
	var batch pgx.Batch
	if len(page.Ledgers) > 0 {
		users, docs, err := columns(page.Ledgers)
		if err != nil {
			return err
		}
		ends := make([]time.Time, len(users))
		for i, user := range users {
			ends[i] = time.Unix(0, page.Ledgers[user].Until(s.cfg.Retention))
		}
		batch.Queue(putLedgers, project, users, docs, ends)
	}
	if len(page.Limits) > 0 {
		names, docs, err := columns(page.Limits)
		if err != nil {
			return err
		}
		batch.Queue(putLimits, project, names, docs)
	}
	if len(page.Events) > 0 {
		put, _ := newEventBatch(page.Events) // of our own making: nothing is refused
		batch.Queue(s.sql.putEvents, put.timed.args(project, s.cfg.Retention)...)
	}
	if batch.Len() == 0 {
		return nil
	}
	return tx.SendBatch(ctx, &batch).Close()
}

// columns are the documents as arrays, by ascending name.
func columns[T any](m map[string]*T) (names, docs []string, err error) {
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		doc, err := json.Marshal(m[name])
		if err != nil {
			return nil, nil, err
		}
		docs = append(docs, string(doc))
	}
	return names, docs, nil
}
