package changefeed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/events/changejson"
	"eligibility/internal/hlc"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// message is a row, or a resolved stamp.
type message struct {
	change   events.Change
	resolved hlc.Timestamp // zero: it is a row
}

// session is one connection's time. One goroutine reads it, another passes on what was read: so a batch is whatever has arrived, without a wait for more.
type session struct {
	feed    *Feed
	cancel  context.CancelCauseFunc // cuts the connection
	arrived chan message            // closed by the reader
	ended   chan error              // one place; why the reader ended
}

// run reads the feed until it ends. That the database says nothing is noticed from before the statement on: it answers only with its first row.
func (s *session) run(ctx context.Context, after hlc.Timestamp) error {
	conn, r, err := s.feed.connect(ctx)
	if err != nil {
		return err
	}
	defer closeConn(conn)
	watchdog := time.AfterFunc(s.feed.cfg.Quiet, func() { s.cancel(ErrSilent) })
	defer watchdog.Stop()
	rows, err := conn.Query(ctx, statement(r, s.feed.cfg.Tables, s.feed.cfg.Resolved, after))
	if err == nil {
		err = s.read(ctx, rows, watchdog)
		if ctx.Err() == nil && rows.Err() == nil {
			s.cancel(err) // a feed that still runs would keep Close waiting for ever
		}
		rows.Close()
	}
	if ctx.Err() == nil && errors.Is(ended(err), ErrMissing) && s.present(ctx, conn) {
		// All tables are there: it is at the time of the cursor that they were not.
		return fmt.Errorf("%w: %w: %w", events.ErrCursorTooOld, ErrTooNew, err)
	}
	return err
}

// read takes the rows as they come.
func (s *session) read(ctx context.Context, rows pgx.Rows, watchdog *time.Timer) error {
	var table pgtype.Text
	var key, value pgtype.DriverBytes // the connection's memory until the next row
	for rows.Next() {
		if err := rows.Scan(&table, &key, &value); err != nil {
			return err
		}
		m, err := s.decode(&table, key, value)
		if err != nil {
			return err
		}
		watchdog.Stop() // what follows may wait for those who take it, which says nothing about the database
		select {
		case s.arrived <- m:
		case <-ctx.Done():
			return ctx.Err()
		}
		watchdog.Reset(s.feed.cfg.Quiet)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF // a feed without an end has ended without an error
}

// decode makes a message of a row of the result. Without a table it is a resolved stamp; nothing else tells the two apart for sure.
func (s *session) decode(table *pgtype.Text, key, value []byte) (m message, err error) {
	if !table.Valid {
		if m.resolved, err = changejson.Resolved(value); err == nil && m.resolved.IsZero() {
			err = changejson.ErrMessage
		}
		return m, err
	}
	m.change, err = s.feed.decoder.Row(table.String, key, value)
	switch {
	case errors.Is(err, changejson.ErrUntold):
		return m, nil // with its stamp and no table it becomes a gap up to there
	case err != nil:
		return m, fmt.Errorf("%w: %w", events.ErrCursorTooOld, err)
	}
	return m, nil
}

// present reports whether all tables of the feed are there now.
func (s *session) present(ctx context.Context, conn *pgx.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, s.feed.cfg.ConnectTimeout)
	defer cancel()
	for i := range s.feed.cfg.Tables {
		if _, err := conn.Exec(ctx, "SELECT 1 FROM "+list(s.feed.cfg.Tables[i:i+1])+" LIMIT 0"); err != nil {
			return false
		}
	}
	return true
}

// pass hands over what has arrived until the reader ends, or yield fails. A resolved stamp ends a batch: what comes after it is not before it.
func (s *session) pass(yield func(events.FeedBatch) error) error {
	changes := make([]events.Change, 0, events.MaxBatchChanges)
	for {
		first, open := <-s.arrived
		if !open {
			return nil
		}
		batch := events.FeedBatch{Changes: changes[:0]}
		s.gather(&batch, first)
		if err := yield(batch); err != nil {
			return err
		}
		clear(batch.Changes) // let go of their strings
	}
}

// gather fills a batch with what is there.
func (s *session) gather(batch *events.FeedBatch, m message) {
	for open := true; open; {
		if !m.resolved.IsZero() {
			batch.Resolved = m.resolved
			return
		}
		if batch.Changes = append(batch.Changes, m.change); len(batch.Changes) == events.MaxBatchChanges {
			return
		}
		select {
		case m, open = <-s.arrived:
		default:
			return
		}
	}
}
