package crdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"eligibility/internal/profile"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"
)

// connectTimeout bounds one attempt to connect: a node that does not answer must not hold up what another could serve.
const connectTimeout = 3 * time.Second

// connect opens one connection beside any pool.
func connect(ctx context.Context, url string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errURL
	}
	prepare(cfg)
	return pgx.ConnectConfig(ctx, cfg)
}

func prepare(cfg *pgx.ConnConfig) {
	cfg.ConnectTimeout = connectTimeout
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "eligibility"
	}
}

// openPool makes the pool, without connecting yet.
func (s *Store) openPool() (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(s.cfg.URL)
	if err != nil {
		return nil, errURL
	}
	prepare(cfg.ConnConfig)
	cfg.MaxConns, cfg.MinConns = int32(s.cfg.Conns), int32(s.cfg.Conns)
	cfg.MaxConnLifetime, cfg.MaxConnLifetimeJitter = s.cfg.ConnLifetime, s.cfg.ConnJitter
	cfg.MaxConnIdleTime = s.cfg.ConnLifetime // never for being idle
	cfg.HealthCheckPeriod = 5 * time.Second
	cfg.AfterConnect = s.greet
	return pgxpool.NewWithConfig(context.Background(), cfg)
}

// greet sets up a new session. What a release does not know is left as it is.
func (s *Store) greet(ctx context.Context, conn *pgx.Conn) error {
	// Should this process hang in the middle of a transaction, its locks must not hang with it.
	limits := []string{
		fmt.Sprintf("SET statement_timeout = %d", (s.cfg.WriteTimeout + s.cfg.SampleTimeout).Milliseconds()),
		fmt.Sprintf("SET idle_in_transaction_session_timeout = %d", s.cfg.WriteTimeout.Milliseconds()),
	}
	for _, statement := range append(limits, s.dialect.session...) {
		_, err := conn.Exec(ctx, statement)
		if answer, ok := errors.AsType[*pgconn.PgError](err); ok && (answer.Code == "42704" || answer.Code == "22023") {
			continue // no such setting
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Fill opens all connections of the pool, so that the first calls after a start do not wait for handshakes. profile.ErrUnavailable,
// ctx.Err().
func (s *Store) Fill(ctx context.Context) error {
	var group errgroup.Group
	held := make([]*pgxpool.Conn, s.cfg.Conns)
	for i := range held {
		group.Go(func() (err error) {
			held[i], err = s.pool.Acquire(ctx)
			return err
		})
	}
	err := group.Wait()
	for _, conn := range held {
		if conn != nil {
			conn.Release()
		}
	}
	return outcome(ctx, "fill the pool", acquired(err))
}

// acquired names the error of a pool that was closed.
func acquired(err error) error {
	if err != nil && err.Error() == "closed pool" {
		return fmt.Errorf("%w: the store is closed", profile.ErrUnavailable)
	}
	return err
}

// PoolStats is a reading of the pool. Times and counts are since the store was opened.
type PoolStats struct {
	Conns, Idle, Busy, Max int           // connections now
	Acquires               int64         // calls that got a connection
	Waited                 int64         // of them, those for which none was free
	WaitTime               time.Duration // sum over them
	Cancelled              int64         // calls that gave up waiting
	Opened                 int64         // connections opened
	Aged                   int64         // of them, closed for their age
}

// Stats is what the store has done since it was opened.
type Stats struct {
	Pool       PoolStats
	Loads      uint64 // users loaded
	Statements uint64 // load statements
	Contended  uint64 // tries that lost against another transaction
	Lost       uint64 // tries that lost their connection or server
	Busy       uint64 // tries that the server had no room for
	Ambiguous  uint64 // commits whose outcome was unknown at first
	Swept      uint64 // expired rows removed by this replica
}

// Stats returns a reading of the counters. It asks the database nothing.
func (s *Store) Stats() Stats {
	p := s.pool.Stat()
	return Stats{
		Pool: PoolStats{
			Conns: int(p.TotalConns()), Idle: int(p.IdleConns()), Busy: int(p.AcquiredConns()), Max: int(p.MaxConns()),
			Acquires: p.AcquireCount(), Waited: p.EmptyAcquireCount(), WaitTime: p.EmptyAcquireWaitTime(), Cancelled: p.CanceledAcquireCount(),
			Opened: p.NewConnsCount(), Aged: p.MaxLifetimeDestroyCount(),
		},
		Loads: s.counters.loads.Load(), Statements: s.counters.statements.Load(), Contended: s.counters.contended.Load(),
		Lost: s.counters.lost.Load(),
		Busy: s.counters.busy.Load(), Ambiguous: s.counters.ambiguous.Load(), Swept: s.counters.swept.Load(),
	}
}
