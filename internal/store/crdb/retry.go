package crdb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Pauses between two tries: they double from the first to the last, each with full jitter, so that those who met once do not meet again.
const (
	firstPause = 2 * time.Millisecond
	lastPause  = 250 * time.Millisecond
)

// again runs try until it succeeds, fails for good or ctx ends. Each try gets a connection of its own; one that was lost does not go back
// to the pool.
//
// An ambiguous outcome is tried again too: every try may be repeated, see the package comment. When time runs out after one, the error is
// ErrAmbiguous.
func (s *Store) again(ctx context.Context, try func(ctx context.Context, conn *pgxpool.Conn) error) error {
	ambiguous := false
	for n, pause := 1, firstPause; ; n++ {
		err := s.once(ctx, try)
		kind := classify(err)
		if expected(err) {
			kind = faultFinal
		}
		switch kind {
		case faultNone:
			return nil
		case faultFinal:
			return err
		case faultAmbiguous:
			ambiguous = true
		}
		ambiguous = ambiguous || errors.Is(err, errCommitLost)
		s.counters.retried(kind)
		if ctx.Err() != nil || !wait(ctx, rand.N(pause)+time.Millisecond) {
			if ambiguous {
				return fmt.Errorf("%w: %w", ErrAmbiguous, err)
			}
			return fmt.Errorf("after %d tries: %w", n, err)
		}
		pause = min(2*pause, lastPause)
	}
}

// once runs try on a connection from the pool.
func (s *Store) once(ctx context.Context, try func(ctx context.Context, conn *pgxpool.Conn) error) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return acquired(err)
	}
	defer conn.Release()
	return try(ctx, conn)
}

// wait lets d go by and reports whether ctx is still alive then.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// errCommitLost marks an error of the commit itself, after which nobody knows what happened.
var errCommitLost = errors.New("the answer to the commit was lost")

// transaction runs work in a transaction and returns a stamp at or above the commit's. work may run several times, also after a commit that happened: it must
// not matter, whoever wrote in between.
func (s *Store) transaction(ctx context.Context, work func(ctx context.Context, tx pgx.Tx) error) (stamp string, err error) {
	return s.doubtful(ctx, func(ctx context.Context, tx pgx.Tx, _ bool) error { return work(ctx, tx) })
}

// doubtful is transaction for work to which it matters: doubt is true when the try before may have been committed.
func (s *Store) doubtful(ctx context.Context, work func(ctx context.Context, tx pgx.Tx, doubt bool) error) (stamp string, err error) {
	doubt := false
	err = s.again(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		err := s.attempt(ctx, conn, func(ctx context.Context, tx pgx.Tx) error { return work(ctx, tx, doubt) })
		doubt = doubt || err == nil || errors.Is(err, errCommitLost) || classify(err) == faultAmbiguous
		if err != nil {
			return err
		}
		// The commit is known to have happened. When only the stamp is missing, asking for it alone would do; but a repetition is as good, and
		// rare.
		return conn.QueryRow(ctx, s.sql.stamp).Scan(&stamp)
	})
	return stamp, err
}

// attempt is one try of a transaction.
func (s *Store) attempt(ctx context.Context, conn *pgxpool.Conn, work func(ctx context.Context, tx pgx.Tx) error) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	if s.dialect.begin != "" {
		_, err = tx.Exec(ctx, s.dialect.begin)
	}
	if err == nil {
		err = work(ctx, tx)
	}
	if err != nil {
		// Rolling back must not wait for a ctx that has ended; it needs no answer when the connection is gone.
		rollback, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = tx.Rollback(rollback)
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		if kind := classify(err); kind == faultLost {
			return fmt.Errorf("%w: %w", errCommitLost, err)
		}
		return err
	}
	return nil
}
