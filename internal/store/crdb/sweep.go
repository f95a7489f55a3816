package crdb

import (
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// The sweep's pace: after a page of rows it rests, so that it is not noticed beside the traffic.
const (
	sweepPage = 500
	sweepRest = 50 * time.Millisecond
)

// sweepForever removes expired rows where the database does not do so by itself. Reads never return them: this only frees room. Every
// replica may run it.
func (s *Store) sweepForever(ctx context.Context) {
	for wait(ctx, s.cfg.SweepEvery) {
		for _, table := range []struct{ name, key string }{
			{"user_events", "project_id, user_id, event_id"},
			{"receipts", "project_id, id, id"},
			{"send_ledgers", "project_id, user_id, user_id"},
			{"commit_marks", "id, id, id"},
		} {
			if err := s.sweepTable(ctx, table.name, table.key); err != nil && ctx.Err() == nil {
				s.log.Warn("store_sweep_failed", "table", table.name, "error", err.Error())
			}
		}
	}
}

// sweepTable passes over a table in the order of its key, page by page.
func (s *Store) sweepTable(ctx context.Context, table, key string) error {
	// A page is a range of keys: what is looked at is bounded however few have expired.
	page := `SELECT ` + key + ` FROM ` + table + ` WHERE (` + key + `) > ($1, $2, $3)
			ORDER BY ` + key + ` LIMIT 1 OFFSET ` + strconv.Itoa(sweepPage-1)
	remove := `DELETE FROM ` + table + ` WHERE expires_at < now() AND (` + key + `) > ($1, $2, $3)`
	var from [3]string
	for {
		var to [3]string
		more := false
		err := s.read(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
			err := conn.QueryRow(ctx, page, from[0], from[1], from[2]).Scan(&to[0], &to[1], &to[2])
			more = err == nil
			if err := optional(err); err != nil {
				return err
			}
			text, args := remove, []any{from[0], from[1], from[2]}
			if more {
				text, args = remove+` AND (`+key+`) <= ($4, $5, $6)`, append(args, to[0], to[1], to[2])
			}
			done, err := conn.Exec(ctx, text, args...)
			s.counters.swept.Add(uint64(done.RowsAffected()))
			return err
		})
		if err != nil || !more || !wait(ctx, sweepRest) {
			return err
		}
		from = to
	}
}
