package crdb

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"eligibility/internal/access"
	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
	"eligibility/internal/store/crdb/changefeed"

	"github.com/jackc/pgx/v5/pgxpool"
)

var (
	_ profile.Source = (*Store)(nil)
	_ profile.Writer = (*Store)(nil)
	_ profile.Reader = (*Store)(nil)
	_ rules.Repo     = (*Store)(nil)
	_ rules.Sampler  = (*Store)(nil)
	_ access.Repo    = (*Store)(nil)
	_ events.Feed    = (*Store)(nil)
	_ events.Lease   = (*Store)(nil)
)

// Store is one replica's access to the database. All methods are safe for concurrent use; after Close they fail with
// profile.ErrUnavailable (Follow with events.ErrUnavailable).
type Store struct {
	cfg     Config
	log     *slog.Logger
	dialect dialect
	sql     statements
	parts   sync.Map // of partShape → text of the statement
	pool    *pgxpool.Pool
	feed    events.Feed

	schemas  schemas
	observed observations
	live     liveCache
	builders sync.Pool // of *loader
	counters counters

	cancel context.CancelFunc // ends what runs beside the calls, and every feed
	quit   context.Context    // ended by cancel; only compared and derived from, never handed to a call
	tasks  sync.WaitGroup
	close  sync.Once
}

// counters is what Stats reads.
type counters struct {
	loads, statements, contended, lost, busy, ambiguous, swept atomic.Uint64
}

func (c *counters) retried(kind fault) {
	switch kind {
	case faultContended, faultReplan:
		c.contended.Add(1)
	case faultLost:
		c.lost.Add(1)
	case faultBusy:
		c.busy.Add(1)
	case faultAmbiguous:
		c.ambiguous.Add(1)
	}
}

// Open connects to the database and checks that its tables are those this build needs; it makes none. ErrSchema, profile.ErrUnavailable,
// or an error of the configuration. Call Fill before taking traffic.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	s := &Store{cfg: cfg, log: cfg.Logger, feed: cfg.Feed}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.builders.New = func() any { return new(loader) }
	if s.feed == nil {
		feed, err := changefeed.New(changefeed.Defaults(cfg.URL))
		if err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		s.feed = feed
	}
	if err := s.inspect(ctx); err != nil {
		return nil, err
	}
	pool, err := s.openPool()
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	s.pool = pool
	s.quit, s.cancel = context.WithCancel(context.Background())
	if s.dialect.sweeps() {
		s.tasks.Go(func() { s.sweepForever(s.quit) })
	}
	return s, nil
}

// inspect looks at the database over a connection of its own: what it is, and whether its tables fit.
func (s *Store) inspect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.WriteTimeout)
	defer cancel()
	conn, err := connect(ctx, s.cfg.URL)
	if err != nil {
		return fmt.Errorf("connect to the database: %w: %w", profile.ErrUnavailable, err)
	}
	defer closeConn(conn)
	if s.dialect, err = probe(ctx, conn); err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	s.sql = statementsOf(&s.dialect)
	return checkSchema(ctx, conn)
}

// Database names what the store is on: "CockroachDB v24.1.0".
func (s *Store) Database() string { return s.dialect.release.String() }

// Now returns the database's clock, a stamp at or after every commit acknowledged before the call. profile.ErrUnavailable, ctx.Err().
func (s *Store) Now(ctx context.Context) (hlc.Timestamp, error) {
	var text string
	err := s.read(ctx, func(ctx context.Context, conn *pgxpool.Conn) error { return conn.QueryRow(ctx, s.sql.now).Scan(&text) })
	if err != nil {
		return hlc.Timestamp{}, outcome(ctx, "read the database's clock", err)
	}
	return parseStamp(text)
}

// read runs a read within the time of any call. It is tried again when its connection is lost.
func (s *Store) read(ctx context.Context, try func(ctx context.Context, conn *pgxpool.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.WriteTimeout)
	defer cancel()
	return s.again(ctx, try)
}

// parseStamp reads a stamp that the database gave.
func parseStamp(text string) (hlc.Timestamp, error) {
	at, err := hlc.Parse(text)
	if err != nil {
		return at, fmt.Errorf("%w: the database's clock: %w", profile.ErrUnavailable, err)
	}
	return at, nil
}

// Follow yields the changes of every commit after the stamp, as events.Feed says.
func (s *Store) Follow(ctx context.Context, after hlc.Timestamp, yield func(events.FeedBatch) error) error {
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.quit, cancel)()
	err := s.feed.Follow(own, after, yield)
	if ctx.Err() == nil && s.quit.Err() != nil {
		return fmt.Errorf("%w: the store was closed", events.ErrUnavailable)
	}
	return err
}

// Close ends the feeds, waits for the calls in flight and closes the pool. Further calls do nothing.
func (s *Store) Close() error {
	s.close.Do(func() {
		s.cancel()
		s.tasks.Wait()
		s.pool.Close()
	})
	return nil
}
