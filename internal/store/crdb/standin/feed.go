package standin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"

	"github.com/jackc/pgx/v5"
)

// pollEvery is how often the outbox is looked at, and a resolved stamp sent.
const pollEvery = 10 * time.Millisecond

// Feed reads the outbox straight, for tests of the store alone: the production feed follows a changefeed that is served from the same
// outbox.
type Feed struct{ URL string }

var _ events.Feed = Feed{}

// Follow yields the changes after the stamp in the order of commits, and resolved stamps. events.ErrUnavailable, events.ErrCursorTooOld,
// ctx.Err().
func (f Feed) Follow(ctx context.Context, after hlc.Timestamp, yield func(events.FeedBatch) error) error {
	conn, err := pgx.Connect(ctx, f.URL)
	if err != nil {
		return ended(ctx, err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if err := checkCursor(ctx, conn, after); err != nil {
		return ended(ctx, err)
	}
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		// Commits happen in the order of stamps: whatever has a stamp below this one is visible now.
		var text string
		if err := conn.QueryRow(ctx, "SELECT hlc_tick()").Scan(&text); err != nil {
			return ended(ctx, err)
		}
		resolved, err := hlc.Parse(text)
		if err != nil {
			return ended(ctx, err)
		}
		changes, err := read(ctx, conn, after, resolved)
		if err != nil {
			return ended(ctx, err)
		}
		for len(changes) > 0 {
			n := min(len(changes), events.MaxBatchChanges)
			if err := yield(events.FeedBatch{Changes: changes[:n:n]}); err != nil {
				return err
			}
			changes = changes[n:]
		}
		if err := yield(events.FeedBatch{Resolved: resolved}); err != nil {
			return err
		}
		after = resolved
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-poll.C:
		}
	}
}

func checkCursor(ctx context.Context, conn *pgx.Conn, after hlc.Timestamp) error {
	var tooOld bool
	err := conn.QueryRow(ctx, "SELECT (trimmed_wall, trimmed_logical) > ($1, $2) FROM hlc_clock", after.Wall, int64(after.Logical)).Scan(&tooOld)
	if err == nil && tooOld {
		return events.ErrCursorTooOld
	}
	return err
}

// Forget throws away what the outbox holds up to now, as a database does with old versions: cursors before now are dead.
func Forget(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "SELECT hlc_tick()")
		if err == nil {
			_, err = tx.Exec(ctx, "UPDATE hlc_clock SET trimmed_wall = wall, trimmed_logical = logical")
		}
		if err == nil {
			_, err = tx.Exec(ctx, "DELETE FROM hlc_outbox")
		}
		return err
	})
}

func read(ctx context.Context, conn *pgx.Conn, after, upTo hlc.Timestamp) (changes []events.Change, err error) {
	rows, err := conn.Query(ctx, `SELECT wall, logical, table_name, key FROM hlc_outbox
			WHERE (wall, logical) > ($1, $2) AND (wall, logical) <= ($3, $4)
		ORDER BY wall, logical, id`, after.Wall, int64(after.Logical), upTo.Wall, int64(upTo.Logical))
	if err != nil {
		return nil, err
	}
	var wall, logical int64
	var table, key string
	_, err = pgx.ForEachRow(rows, []any{&wall, &logical, &table, &key}, func() error {
		change, err := decode(table, key)
		if err != nil {
			return err
		}
		change.At = hlc.Timestamp{Wall: wall, Logical: uint32(logical)}
		changes = append(changes, change)
		return nil
	})
	return changes, err
}

// decode makes a change of a row's table and key.
func decode(table, key string) (change events.Change, err error) {
	var parts []string
	if err := json.Unmarshal([]byte(key), &parts); err != nil || len(parts) == 0 {
		return change, fmt.Errorf("outbox key %q", key)
	}
	change.Project = parts[0]
	switch table {
	case "profiles", "user_events":
		change.Table = events.TableProfile
	case "emails":
		change.Table = events.TableEmail
	case "rulesets":
		change.Table = events.TableRuleset
	case "api_keys":
		change.Table = events.TableAccessKey
	}
	if len(parts) > 1 {
		change.Key = parts[1]
	}
	return change, nil
}

// ended names the end of a feed.
func ended(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, events.ErrCursorTooOld):
		return err
	}
	return fmt.Errorf("%w: %w", events.ErrUnavailable, err)
}
