package crdb

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"eligibility/internal/profile"
	"eligibility/internal/store/crdb/standin"
	"eligibility/internal/store/pgtest"
	"eligibility/internal/store/storetest"

	"go.uber.org/goleak"
)

// crdbEnv names a CockroachDB whose database the conformance suite may fill: postgres://root@127.0.0.1:26257/suite?sslmode=disable
const crdbEnv = "ELIGIBILITY_TEST_CRDB_URL"

const leaseTerm = 300 * time.Millisecond

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) { pgtest.StopShared(); os.Exit(code) }))
}

// migrated is the URL of a fresh database with the tables and the stand-in's clock in it.
func migrated(t testing.TB, server *pgtest.Server) string {
	t.Helper()
	url := server.Database(t)
	if _, err := MigrateUp(context.Background(), url, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if err := standin.Apply(context.Background(), url); err != nil {
		t.Fatal(err)
	}
	return url
}

// quick is a configuration for tests.
func quick(url string) Config {
	cfg := Defaults(url)
	cfg.Conns, cfg.LeaseDuration, cfg.Feed = 8, leaseTerm, standin.Feed{URL: url}
	return cfg
}

func openStore(t testing.TB, cfg Config) *Store {
	t.Helper()
	s, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	t.Run("PostgreSQL", func(t *testing.T) {
		cfg := quick(migrated(t, pgtest.Shared(t)))
		run(t, func(testing.TB) Config { return cfg })
	})
	t.Run("CockroachDB", func(t *testing.T) {
		url := os.Getenv(crdbEnv)
		if url == "" {
			t.Skipf("%s names no CockroachDB", crdbEnv)
		}
		run(t, func(t testing.TB) Config {
			if _, err := MigrateUp(t.Context(), url, slog.New(slog.DiscardHandler)); err != nil {
				t.Fatal(err)
			}
			cfg := quick(url)
			cfg.Feed = nil
			return cfg
		})
	})
}

func run(t *testing.T, config func(t testing.TB) Config) {
	t.Helper()
	storetest.Run(t, storetest.Harness{
		Open: func(t *testing.T) storetest.Store { return openStore(t, config(t)) },
		Reopen: func(t *testing.T, s storetest.Store) storetest.Store {
			t.Helper()
			if err := s.Close(); err != nil {
				t.Fatalf("Close: %v", err)
			}
			return openStore(t, s.(*Store).cfg)
		},
		WriteRow: func(t *testing.T, s storetest.Store, user profile.Key, attributes string) {
			t.Helper()
			execute(t, s.(*Store), `UPDATE profiles SET attrs = $3::JSONB
			WHERE project_id = $1 AND user_id = $2`, user.Project, user.User, attributes)
		},
		ForgetChanges: func(t *testing.T, s storetest.Store) {
			t.Helper()
			if s.(*Store).cfg.Feed == nil {
				t.Skip("a CockroachDB forgets by its own clock")
			}
			if err := standin.Forget(t.Context(), s.(*Store).cfg.URL); err != nil {
				t.Fatal(err)
			}
		},
		Retention: profile.DefaultRetention,
		LeaseTerm: leaseTerm,
	})
}

// execute runs a statement as another program could.
func execute(t testing.TB, s *Store, statement string, args ...any) {
	t.Helper()
	if _, err := s.pool.Exec(context.Background(), statement, args...); err != nil {
		t.Fatal(err)
	}
}
