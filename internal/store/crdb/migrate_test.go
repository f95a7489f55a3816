package crdb

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"eligibility/internal/profile"
	"eligibility/internal/store/crdb/release"
	"eligibility/internal/store/pgtest"
)

func TestMigrationsFromSeveralProcessesAtOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.Shared(t).Database(t)
	before, err := MigrationStatus(t.Context(), url)
	if err != nil || len(before) == 0 || before[0].AppliedAt != nil {
		t.Fatalf("status of an empty database: %+v, %v", before, err)
	}
	var applied atomic.Int64
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			steps, err := MigrateUp(t.Context(), url, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Errorf("MigrateUp: %v", err)
			}
			applied.Add(int64(len(steps)))
		})
	}
	group.Wait()
	if got := int(applied.Load()); got != len(before) {
		t.Errorf("%d steps were applied by four processes, want each of %d once", got, len(before))
	}
	after, err := MigrationStatus(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range after {
		if step.AppliedAt == nil || time.Since(*step.AppliedAt) > time.Hour {
			t.Errorf("step %04d_%s: applied at %v", step.Version, step.Name, step.AppliedAt)
		}
	}
	if again, err := MigrateUp(t.Context(), url, slog.New(slog.DiscardHandler)); err != nil || len(again) != 0 {
		t.Errorf("a second run applied %v, %v", again, err)
	}
}

func TestMigrationGoesOnAfterAProcessThatDied(t *testing.T) {
	t.Parallel()
	url := pgtest.Shared(t).Database(t)
	conn, err := connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer closeConn(conn)
	// Another process has begun: half of the tables are there, and its turn runs out in a moment.
	for _, statement := range []string{
		createMigrations, createTurn, insertTurn, `CREATE TABLE emails (project_id TEXT NOT NULL, email TEXT NOT NULL, user_id TEXT NOT NULL, PRIMARY KEY (project_id, email))`,
		`UPDATE schema_turn SET holder = 'dead', expires_at = now() + INTERVAL '400 milliseconds'`,
	} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := MigrateUp(t.Context(), url, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if err := checkSchema(t.Context(), conn); err != nil {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	for name, c := range map[string]struct {
		change func(*Config)
		want   error
		says   string
	}{
		"a database without tables": {change: func(*Config) {}, want: ErrSchema, says: "eligibility migrate up"},
		"a server that is not there": {
			change: func(c *Config) { c.URL = "postgres://u@127.0.0.1:1/db?sslmode=disable" }, want: profile.ErrUnavailable, says: "connect",
		},
		"an address without TLS beyond this machine": {
			change: func(c *Config) { c.URL = "postgres://u:secret@db.example.com/db?sslmode=disable" }, want: ErrPlain, says: "verify-full",
		},
		"an address that may go on without TLS": {
			change: func(c *Config) { c.URL = "postgres://u:secret@db.example.com/db?sslmode=prefer" }, want: ErrPlain,
		},
		"a malformed address, without its password": {change: func(c *Config) { c.URL = "postgres://u:secret@:::/db" }, want: errURL},
		"no connections": {change: func(c *Config) { c.Conns = 0 }, says: "0 connections"},
		"no patience":    {change: func(c *Config) { c.LoadTimeout = 0 }, says: "load timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Defaults(server.Database(t))
			c.change(&cfg)
			s, err := Open(t.Context(), cfg)
			if err == nil {
				t.Fatal(errors.Join(errors.New("it opened"), s.Close()))
			}
			if c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %q, want %v saying %q", err, c.want, c.says)
			}
		})
	}
}

// TestStatementsFitTheRelease shows what the oldest supported and a current CockroachDB are asked for.
func TestStatementsFitTheRelease(t *testing.T) {
	list, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]map[string]bool{
		"CockroachDB CCL v22.1.9 (x86)":  {"schema_locked": false, "ttl_expiration_expression": false},
		"CockroachDB CCL v22.2.0 (x86)":  {"schema_locked": false, "ttl_expiration_expression": true},
		"CockroachDB CCL v25.2.1 (x86)":  {"schema_locked": true, "ttl_expiration_expression": true},
		"PostgreSQL 15.18 on x86_64 gcc": {"schema_locked": false, "ttl_expiration_expression": false},
	} {
		t.Run(version, func(t *testing.T) {
			r, err := release.Parse(version)
			if err != nil {
				t.Fatal(err)
			}
			d := dialectOf(r)
			var all strings.Builder
			for i := range list {
				statements, err := list[i].statements(&d)
				if err != nil {
					t.Fatal(err)
				}
				all.WriteString(strings.Join(statements, ";\n"))
			}
			for clause, there := range want {
				if got := strings.Contains(all.String(), clause); got != there {
					t.Errorf("%s: got %t, want %t", clause, got, there)
				}
			}
			for _, minute := range []string{"'17 *", "'29 *", "'43 *"} {
				if n := strings.Count(all.String(), minute); want["ttl_expiration_expression"] && n != 1 {
					t.Errorf("%d tables expire at minute %s, want one", n, minute)
				}
			}
			upserts := strings.HasPrefix(putEventsStatement(&d), "UPSERT") && !strings.Contains(putEventsStatement(&d), "ON CONFLICT")
			if upserts != (r.Dialect == release.CockroachDB) || d.sweeps() == want["ttl_expiration_expression"] {
				t.Errorf("%s: events by %.30s…, sweeps %t", r, putEventsStatement(&d), d.sweeps())
			}
		})
	}
}

func TestServerOfAnotherKindIsNamed(t *testing.T) {
	if got := openStore(t, quick(migrated(t, pgtest.Shared(t)))).Database(); !strings.HasPrefix(got, "PostgreSQL ") {
		t.Errorf("the database is %q", got)
	}
}
