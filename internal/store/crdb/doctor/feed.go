package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"eligibility/internal/hlc"
	"eligibility/internal/store/crdb/release"
)

// watch follows a feed of the declared tables for a while, as the relay does, on a connection of its own, and measures how far its resolved
// timestamps are behind.
func (f *Facts) watch(ctx context.Context, config *pgx.ConnConfig, needs *Needs) {
	var names []string
	for i := range f.Tables {
		if f.Tables[i].There {
			names = append(names, pgx.Identifier{f.Tables[i].Name}.Sanitize())
		}
	}
	switch {
	case needs.Watch <= 0:
		f.Feed.Skipped = "it was not asked for"
	case f.Release.Dialect != release.CockroachDB:
		f.Feed.Skipped = f.Release.Dialect.String() + " has no changefeeds"
	case len(names) == 0:
		f.Feed.Skipped = "there are no tables to follow yet"
	}
	if f.Feed.Skipped != "" {
		return
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		f.Feed.Err = err
		return
	}
	defer closeConn(conn)
	asked := time.Now()
	now, err := stamp(ctx, conn)
	if err != nil {
		f.Feed.Err = err
		return
	}
	watching, cancel := context.WithTimeout(ctx, needs.Watch)
	defer cancel()
	began := time.Now()
	err = f.Feed.follow(watching, conn, names, now, asked)
	f.Feed.Watched = time.Since(began)
	if watching.Err() == nil {
		f.Feed.Err = err
	}
}

// stamp is the database's time.
func stamp(ctx context.Context, conn *pgx.Conn) (hlc.Timestamp, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var text string
	if err := conn.QueryRow(ctx, "SELECT cluster_logical_timestamp()::STRING").Scan(&text); err != nil {
		return hlc.Timestamp{}, err
	}
	return hlc.Parse(text)
}

// follow reads the feed until ctx ends. The database's time is now plus what passed since it was asked for, an upper bound; so ages are
// never too small.
func (f *FeedFacts) follow(ctx context.Context, conn *pgx.Conn, tables []string, now hlc.Timestamp, asked time.Time) error {
	ctx, cancel := context.WithCancel(ctx)
	rows, err := conn.Query(ctx, "CREATE CHANGEFEED FOR TABLE "+strings.Join(tables, ", ")+
		" WITH updated, resolved='200ms', min_checkpoint_frequency='200ms', schema_change_policy='nobackfill', cursor='"+now.String()+"'")
	if err != nil {
		cancel()
		return err
	}
	defer func() {
		cancel() // first: closing waits for a feed, which never ends by itself
		rows.Close()
	}()
	last := now
	for rows.Next() {
		var table *string
		var key, value []byte
		if err := rows.Scan(&table, &key, &value); err != nil {
			return fmt.Errorf("read the feed: %w", err)
		}
		if table != nil {
			continue
		}
		var message struct{ Resolved string }
		if err := json.NewDecoder(bytes.NewReader(value)).Decode(&message); err != nil {
			return errors.New("a resolved timestamp cannot be read")
		}
		resolved, err := hlc.Parse(message.Resolved)
		if err != nil {
			return errors.New("a resolved timestamp cannot be read")
		}
		if f.Resolved++; f.Resolved > 1 { // before the first one there was no watermark to be old
			f.Worst = max(f.Worst, now.Add(time.Since(asked)).Sub(last))
		}
		last = resolved
	}
	if f.Resolved > 0 {
		f.Worst = max(f.Worst, now.Add(time.Since(asked)).Sub(last))
	}
	return rows.Err()
}
