package changefeed

import (
	"context"
	"errors"
	"fmt"
	"net"

	"eligibility/internal/events"
	"eligibility/internal/events/changejson"
	"eligibility/internal/hlc"
	"eligibility/internal/store/crdb/release"

	"github.com/jackc/pgx/v5"
)

// Feed follows the database's changefeed. It is safe for concurrent use; each Follow has a connection of its own.
type Feed struct {
	cfg     Config
	decoder *changejson.Decoder
}

var _ events.Feed = (*Feed)(nil)

// New makes a feed that is not connected yet. The error says what of cfg is at fault.
func New(cfg Config) (*Feed, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Feed{cfg: cfg, decoder: changejson.New(cfg.Tables)}, nil
}

// errNoCursor: nothing vouches for what happened before now.
var errNoCursor = errors.New("no cursor to follow from")

// Follow yields the changes after the stamp and resolved stamps, as events.Feed says: what has arrived goes out at once, at most events.MaxBatchChanges at a
// time. While yield blocks at most as many again are read ahead, and the database waits. A row that cannot be told is yielded with a stamp and no table; one
// that has no stamp ends the feed with events.ErrCursorTooOld, so that everything is assumed to have changed. The reason of an end is one of this package's
// errors, if it is known.
func (f *Feed) Follow(ctx context.Context, after hlc.Timestamp, yield func(events.FeedBatch) error) error {
	if after.IsZero() {
		return fmt.Errorf("%w: %w", events.ErrCursorTooOld, errNoCursor)
	}
	own, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err := f.follow(own, cancel, after, yield)
	if failed, ok := errors.AsType[*yieldError](err); ok {
		return failed.err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, events.ErrCursorTooOld) || errors.Is(err, events.ErrUnavailable) {
		return err
	}
	if own.Err() != nil { // the library only says that it was cancelled
		return fmt.Errorf("%w: %w", events.ErrUnavailable, context.Cause(own))
	}
	return ended(err)
}

// yieldError sets the errors of yield apart from the feed's own.
type yieldError struct{ err error }

func (e *yieldError) Error() string { return e.err.Error() }

// follow connects, and passes on what a session reads, until either ends.
func (f *Feed) follow(ctx context.Context, cancel context.CancelCauseFunc, after hlc.Timestamp, yield func(events.FeedBatch) error) error {
	s := &session{feed: f, cancel: cancel, arrived: make(chan message, events.MaxBatchChanges), ended: make(chan error, 1)}
	go func() {
		defer close(s.arrived)
		s.ended <- s.run(ctx, after)
	}()
	err := s.pass(yield)
	if err != nil {
		cancel(err)
		for range s.arrived { //nolint:revive // until the session has ended: nobody takes these any more, the cursor brings them again
		}
		return &yieldError{err}
	}
	return <-s.ended
}

// connect opens the feed's connection and asks who answers.
func (f *Feed) connect(ctx context.Context) (*pgx.Conn, release.Release, error) {
	cfg, err := f.cfg.connConfig()
	if err != nil {
		return nil, release.Release{}, err
	}
	dial := cfg.DialFunc
	cfg.DialFunc = func(wanted context.Context, network, address string) (net.Conn, error) {
		// When a statement is cut the library connects anew to ask for its cancellation. Closing the connection says the same, without a wait.
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return dial(wanted, network, address)
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, release.Release{}, err
	}
	asking, stop := context.WithTimeout(ctx, f.cfg.ConnectTimeout)
	defer stop()
	var text string
	if err = conn.QueryRow(asking, "SELECT version()").Scan(&text); err != nil {
		closeConn(conn)
		return nil, release.Release{}, err
	}
	r, err := release.Parse(text)
	if err != nil {
		closeConn(conn)
	}
	return conn, r, err
}

// closeConn drops the connection at once and waits until the library has let go of it. A farewell would wait for a server that may be silent.
func closeConn(conn *pgx.Conn) {
	_ = conn.PgConn().Conn().Close() // only fails when it is closed
	_ = conn.Close(context.Background())
	<-conn.PgConn().CleanupDone()
}
