package changefeed

import (
	"errors"
	"fmt"
	"strings"

	"eligibility/internal/events"

	"github.com/jackc/pgx/v5/pgconn"
)

// Why a feed ended. Each comes together with events.ErrCursorTooOld or events.ErrUnavailable.
var (
	ErrCollected = errors.New("the database has thrown away what happened after the cursor: its gc.ttlseconds is shorter than the relay was away")
	ErrTruncated = errors.New("a table on the feed was truncated, which no change tells")
	ErrDropped   = errors.New("a table on the feed was dropped")
	ErrAltered   = errors.New("a table on the feed got another primary key")
	ErrTooNew    = errors.New("the cursor is older than the tables")
	ErrMissing   = errors.New("a table on the feed, or the database, is not there: eligibility migrate up")
	ErrDenied    = errors.New("this user may not follow the feed: it needs CHANGEFEED and SELECT on its tables")
	ErrRangefeed = errors.New("rangefeeds are off: SET CLUSTER SETTING kv.rangefeed.enabled = true")
	ErrShutdown  = errors.New("the server is shutting down")
	ErrSilent    = errors.New("the feed has said nothing for too long")
	ErrNoFeeds   = errors.New("the database has no changefeeds")
)

// cause is how an end is recognised: by a part of its text, or by its SQLSTATE. Most of the database's errors about feeds have no SQLSTATE of their own.
type cause struct {
	text, state string
	dead        bool // the cursor will never work again
	err         error
}

// causes is in order of precedence. A dropped table's cursor is dead even if the table comes back: what happened between is not told.
func causes() []cause {
	return []cause{
		{text: "must be after replica gc threshold", dead: true, err: ErrCollected},
		{text: "was truncated", dead: true, err: ErrTruncated},
		{text: "was dropped", dead: true, err: ErrDropped},
		{text: "schema change occurred at", dead: true, err: ErrAltered},
		{text: "do not cover requested time", dead: true, err: ErrTooNew},
		{text: "kv.rangefeed.enabled", err: ErrRangefeed},
		{text: "does not exist", err: ErrMissing},
		{state: "3D000", err: ErrMissing},
		{state: "42P01", err: ErrMissing},
		{state: "42501", err: ErrDenied},
		{state: "28000", err: ErrDenied},
		{state: "28P01", err: ErrDenied},
		{state: "57P01", err: ErrShutdown},
		{state: "57P03", err: ErrShutdown},
		{state: "42601", err: ErrNoFeeds},
	}
}

// ended says what the end of a feed means for its cursor.
func ended(err error) error {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return fmt.Errorf("%w: %w", events.ErrUnavailable, err)
	}
	text := strings.ToLower(answer.Message)
	for _, c := range causes() {
		if c.text != "" && !strings.Contains(text, c.text) || c.state != "" && c.state != answer.Code {
			continue
		}
		if c.dead {
			return fmt.Errorf("%w: %w: %w", events.ErrCursorTooOld, c.err, err)
		}
		return fmt.Errorf("%w: %w: %w", events.ErrUnavailable, c.err, err)
	}
	// Whatever else it is, the cursor is kept: an error that never heals ends with ErrCollected.
	return fmt.Errorf("%w: %w", events.ErrUnavailable, err)
}
