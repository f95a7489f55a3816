package changefeed_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/store/crdb"
	"eligibility/internal/store/crdb/standin"
	"eligibility/internal/store/pgtest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Sizes of the run against the outbox.
const (
	runFor   = 5 * time.Second
	writers  = 6
	users    = 40
	patience = 20 * time.Second
)

// commit is one that was acknowledged: its stamp and the users whose rows it changed.
type commit struct {
	at    hlc.Timestamp
	users []string
}

// world is a PostgreSQL that stands in for the database, and writers on it. Each row says in its attributes which commit wrote it.
type world struct {
	url  string
	pool *pgxpool.Pool

	mu      sync.Mutex
	commits []commit
	rolled  int
}

func newWorld(t testing.TB) *world {
	t.Helper()
	url := pgtest.Shared(t).Database(t)
	if _, err := crdb.MigrateUp(t.Context(), url, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if err := standin.Apply(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.New(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return &world{url: url, pool: pool}
}

func (w *world) now(t testing.TB) hlc.Timestamp {
	t.Helper()
	var text string
	if err := w.pool.QueryRow(context.Background(), "SELECT hlc_tick()").Scan(&text); err != nil {
		t.Fatal(err)
	}
	at, err := hlc.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// errChanged takes a transaction back.
var errChanged = errors.New("changed my mind")

// write makes one transaction of one to four rows, one in ten of which is rolled back.
func (w *world) write(ctx context.Context) error {
	var done commit
	err := pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		var text string
		if err := tx.QueryRow(ctx, "SELECT hlc_tick()").Scan(&text); err != nil {
			return err
		}
		var err error
		if done.at, err = hlc.Parse(text); err != nil {
			return err
		}
		for range 1 + rand.IntN(4) {
			user := fmt.Sprintf("u%d", rand.IntN(users))
			statement := `INSERT INTO profiles (project_id, user_id, attrs) VALUES ('acme', $1, jsonb_build_object('at', $2::TEXT))
				ON CONFLICT (project_id, user_id) DO UPDATE SET attrs = excluded.attrs`
			if rand.IntN(20) == 0 {
				statement = `DELETE FROM profiles WHERE project_id = 'acme' AND user_id = $1 AND $2::TEXT IS NOT NULL`
			}
			tag, err := tx.Exec(ctx, statement, user, text)
			if err != nil {
				return err
			}
			if tag.RowsAffected() > 0 {
				done.users = append(done.users, user)
			}
		}
		if rand.IntN(10) == 0 {
			return errChanged
		}
		return nil
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case errors.Is(err, errChanged):
		w.rolled++
		return nil
	case err == nil && len(done.users) > 0:
		w.commits = append(w.commits, done)
	}
	return err
}

// run lets the writers write until the time is over, and meanwhile calls beside again and again.
func (w *world) run(t *testing.T, span time.Duration, beside func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	var running sync.WaitGroup
	for range writers {
		running.Go(func() {
			for ctx.Err() == nil {
				if err := w.write(ctx); err != nil && ctx.Err() == nil {
					t.Errorf("write: %v", err)
					return
				}
			}
		})
	}
	for ctx.Err() == nil {
		if err := beside(ctx); err != nil && ctx.Err() == nil {
			t.Errorf("beside: %v", err)
			break
		}
	}
	running.Wait()
}
