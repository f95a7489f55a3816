package crdb

import (
	"context"
	"errors"
	"fmt"

	"eligibility/internal/events"
	"eligibility/internal/hlc"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The lease is one row. Safety comes from the epoch, which only grows and fences the holder before: time, which is the clock of whatever
// node answers, only says when another may try.
const (
	acquireLease = `UPDATE relay_state SET holder = $1, epoch = epoch + 1, expires_at = now() + $2::INTERVAL WHERE name = 'main'
		AND (expires_at < now() OR holder = $1 OR holder = '') RETURNING epoch, cursor_hlc::TEXT`
	whoHolds    = `SELECT holder FROM relay_state WHERE name = 'main'`
	renewLease  = `UPDATE relay_state SET expires_at = now() + $3::INTERVAL WHERE name = 'main' AND holder = $1 AND epoch = $2 RETURNING epoch`
	saveCursor  = `UPDATE relay_state SET cursor_hlc = greatest(cursor_hlc, $2::DECIMAL) WHERE name = 'main' AND epoch = $1 RETURNING epoch`
	releaseTerm = `UPDATE relay_state SET holder = '', expires_at = '1970-01-01 00:00:00+00' WHERE name = 'main' AND epoch = $1`
)

// Acquire takes the lease when it is free, expired or the holder's own, with a new epoch. events.ErrLeaseHeld, profile.ErrUnavailable,
// ctx.Err().
//
// When the answer is lost the next try takes the lease again, being the holder's own, with a yet higher epoch: the one between is never
// used.
func (s *Store) Acquire(ctx context.Context, holder string) (epoch uint64, cursor hlc.Timestamp, err error) {
	var number int64
	var text string
	err = s.read(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		err := conn.QueryRow(ctx, acquireLease, holder, interval(s.cfg.LeaseDuration)).Scan(&number, &text)
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		other := ""
		if err := optional(conn.QueryRow(ctx, whoHolds).Scan(&other)); err != nil {
			return err
		}
		return fmt.Errorf("%w: %s", events.ErrLeaseHeld, other)
	})
	if err != nil {
		return 0, hlc.Timestamp{}, outcome(ctx, "acquire lease", err)
	}
	if text != "0" { // never saved
		if cursor, err = parseStamp(text); err != nil {
			return 0, hlc.Timestamp{}, outcome(ctx, "acquire lease", err)
		}
	}
	return uint64(number), cursor, nil
}

// Renew extends the lease from now. An expired lease that nobody took is still the holder's. events.ErrLeaseLost, profile.ErrUnavailable,
// ctx.Err().
func (s *Store) Renew(ctx context.Context, holder string, epoch uint64) error {
	return outcome(ctx, "renew lease", s.fenced(ctx, renewLease, holder, int64(epoch), interval(s.cfg.LeaseDuration)))
}

// SaveCursor stores the cursor; an older one than stored changes nothing. events.ErrLeaseLost, profile.ErrUnavailable, ctx.Err().
func (s *Store) SaveCursor(ctx context.Context, epoch uint64, cursor hlc.Timestamp) error {
	return outcome(ctx, "save cursor", s.fenced(ctx, saveCursor, int64(epoch), cursor.String()))
}

// fenced runs an update that finds no row when the lease is another's.
func (s *Store) fenced(ctx context.Context, statement string, args ...any) error {
	return s.read(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		var epoch int64
		err := conn.QueryRow(ctx, statement, args...).Scan(&epoch)
		if errors.Is(err, pgx.ErrNoRows) {
			return events.ErrLeaseLost
		}
		return err
	})
}

// Release frees the lease. Releasing one that was lost changes nothing. profile.ErrUnavailable, ctx.Err().
func (s *Store) Release(ctx context.Context, epoch uint64) error {
	return outcome(ctx, "release lease", s.read(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		_, err := conn.Exec(ctx, releaseTerm, int64(epoch))
		return err
	}))
}
