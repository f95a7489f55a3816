package crdb

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// ErrSchema: the database's tables are older than this build needs.
var ErrSchema = errors.New("the database's tables are older than this version needs: run `eligibility migrate up`")

// Migration is one numbered step from an empty database to the tables of this build. Steps are never altered once released, only added.
type Migration struct {
	Version   int
	Name      string
	AppliedAt *time.Time // nil: not yet applied

	text string // a template; its statements are separated by a line that ends in ;
}

// migrations lists the steps by version.
func migrations() ([]Migration, error) {
	entries, err := migrationFiles.ReadDir("migrations") // by name, and so by number
	if err != nil {
		return nil, err
	}
	list := make([]Migration, len(entries))
	for i, entry := range entries {
		text, err := migrationFiles.ReadFile(path.Join("migrations", entry.Name()))
		if err != nil {
			return nil, err
		}
		number, name, _ := strings.Cut(strings.TrimSuffix(entry.Name(), ".sql"), "_")
		version, err := strconv.Atoi(number)
		if err != nil || version != i+1 {
			return nil, fmt.Errorf("migration file %s: want number %04d", entry.Name(), i+1)
		}
		list[i] = Migration{Version: version, Name: name, text: string(text)}
	}
	return list, nil
}

// statements are the step's statements as this database understands them.
func (m *Migration) statements(d *dialect) ([]string, error) {
	functions := template.FuncMap{"locked": d.locked, "expiring": d.expiring}
	t, err := template.New(m.Name).Funcs(functions).Parse(m.text)
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	if err := t.Execute(&text, nil); err != nil {
		return nil, err
	}
	var list []string
	for statement := range strings.SplitSeq(text.String(), ";\n") {
		if statement = strings.TrimSpace(stripComments(statement)); statement != "" {
			list = append(list, statement)
		}
	}
	return list, nil
}

// stripComments removes lines that are comments.
func stripComments(text string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimSpace(line), "--") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// The bookkeeping of migrations. These tables exist before the first step.
const (
	createMigrations = `CREATE TABLE IF NOT EXISTS schema_migrations (version INT8 NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL DEFAULT now())`
	createTurn       = `CREATE TABLE IF NOT EXISTS schema_turn (name TEXT NOT NULL PRIMARY KEY, holder TEXT NOT NULL DEFAULT '',
		expires_at TIMESTAMPTZ NOT NULL DEFAULT '1970-01-01 00:00:00+00')`
	insertTurn = `INSERT INTO schema_turn (name) VALUES ('migrate') ON CONFLICT (name) DO NOTHING`
	takeTurn   = `UPDATE schema_turn SET holder = $1, expires_at = now() + $2::INTERVAL
			WHERE name = 'migrate' AND (expires_at < now() OR holder = $1) RETURNING holder`
	endTurn     = `UPDATE schema_turn SET expires_at = '1970-01-01 00:00:00+00' WHERE name = 'migrate' AND holder = $1`
	listApplied = `SELECT version, applied_at FROM schema_migrations`
	noteApplied = `INSERT INTO schema_migrations (version, name) VALUES ($1, $2) ON CONFLICT (version) DO NOTHING`
)

// MigrationStatus lists the steps that this build knows, with the time at which each was applied to the database at url.
func MigrationStatus(ctx context.Context, url string) ([]Migration, error) {
	conn, err := connect(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	defer closeConn(conn)
	return status(ctx, conn)
}

func status(ctx context.Context, conn *pgx.Conn) ([]Migration, error) {
	list, err := migrations()
	if err != nil {
		return nil, err
	}
	rows, err := conn.Query(ctx, listApplied)
	if undefinedTable(err) { // a database that was never migrated
		return list, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	var version int
	var at time.Time
	_, err = pgx.ForEachRow(rows, []any{&version, &at}, func() error {
		if version >= 1 && version <= len(list) { // a newer build may have applied more
			when := at.UTC()
			list[version-1].AppliedAt = &when
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	return list, nil
}

func undefinedTable(err error) bool {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	return ok && answer.Code == "42P01"
}

// checkSchema refuses a database that lacks a step of this build. Steps of newer builds are fine: they only add, so that replicas of two
// versions run side by side while they are replaced.
func checkSchema(ctx context.Context, conn *pgx.Conn) error {
	list, err := status(ctx, conn)
	if err != nil {
		return err
	}
	for i := range list {
		if list[i].AppliedAt == nil {
			return fmt.Errorf("%w (step %04d_%s of %d is missing)", ErrSchema, list[i].Version, list[i].Name, len(list))
		}
	}
	return nil
}

// MigrateUp applies every step that the database at url lacks, one statement after the other, and returns those it applied. Several
// processes may run it at once: one works, the others wait and then find nothing to do. A process that dies in the middle is followed by
// another, which repeats the step from its beginning.
func MigrateUp(ctx context.Context, url string, log *slog.Logger) ([]Migration, error) {
	cfg := Defaults(url)
	conn, err := connect(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	defer closeConn(conn)
	d, err := probe(ctx, conn)
	if err != nil {
		return nil, err
	}
	m := &migrator{conn: conn, dialect: &d, holder: rand.Text(), timeout: cfg.MigrationTimeout, log: log}
	for _, statement := range []string{createMigrations, createTurn, insertTurn} {
		if err := m.exec(ctx, statement); err != nil {
			return nil, fmt.Errorf("prepare migrations: %w", err)
		}
	}
	if err := m.awaitTurn(ctx); err != nil {
		return nil, err
	}
	defer m.endTurn(ctx)
	return m.up(ctx)
}

// migrator is one run of MigrateUp.
type migrator struct {
	conn    *pgx.Conn
	dialect *dialect
	holder  string
	timeout time.Duration // of one statement
	log     *slog.Logger
}

// errTurnLost: this run was so slow that another took over.
var errTurnLost = errors.New("another process has taken over the migration")

// up applies what is missing.
func (m *migrator) up(ctx context.Context) ([]Migration, error) {
	list, err := status(ctx, m.conn)
	if err != nil {
		return nil, err
	}
	var applied []Migration
	for _, step := range list {
		if step.AppliedAt != nil {
			continue
		}
		statements, err := step.statements(m.dialect)
		if err != nil {
			return applied, fmt.Errorf("migration %04d_%s: %w", step.Version, step.Name, err)
		}
		for _, statement := range statements {
			if mine, err := m.takeTurn(ctx); err != nil || !mine {
				return applied, errors.Join(errTurnLost, err)
			}
			if err := m.exec(ctx, statement); err != nil {
				first, _, _ := strings.Cut(statement, "\n")
				return applied, fmt.Errorf("migration %04d_%s: %s …: %w", step.Version, step.Name, first, err)
			}
		}
		if err := m.exec(ctx, noteApplied, step.Version, step.Name); err != nil {
			return applied, fmt.Errorf("migration %04d_%s: %w", step.Version, step.Name, err)
		}
		now := time.Now().UTC()
		step.AppliedAt = &now
		applied = append(applied, step)
		m.log.Info("migration applied", "version", step.Version, "name", step.Name)
	}
	return applied, nil
}

// exec runs one statement, again when another process ran the same one at the same instant.
func (m *migrator) exec(ctx context.Context, statement string, args ...any) error {
	const tries = 5
	ctx, cancel := context.WithTimeout(ctx, m.timeout)
	defer cancel()
	for n := 1; ; n++ {
		_, err := m.conn.Exec(ctx, statement, args...)
		// Two CREATE … IF NOT EXISTS at once may both find nothing; the later then meets the name.
		if err == nil || n == tries || !violates(err) && classify(err) != faultContended && classify(err) != faultReplan && !exists(err) {
			return err
		}
		if !wait(ctx, time.Duration(n)*20*time.Millisecond) {
			return err
		}
	}
}

func exists(err error) bool {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (answer.Code == "42P07" || answer.Code == "42710")
}

// awaitTurn waits until no other process migrates.
func (m *migrator) awaitTurn(ctx context.Context) error {
	for told := false; ; told = true {
		mine, err := m.takeTurn(ctx)
		if err != nil || mine {
			return err
		}
		if !told {
			m.log.Info("waiting for another process that migrates")
		}
		if !wait(ctx, 200*time.Millisecond) {
			return fmt.Errorf("wait for another process that migrates: %w", ctx.Err())
		}
	}
}

// takeTurn takes or renews the turn for as long as one statement may take.
func (m *migrator) takeTurn(ctx context.Context) (mine bool, err error) {
	var holder string
	err = m.conn.QueryRow(ctx, takeTurn, m.holder, interval(m.timeout+10*time.Second)).Scan(&holder)
	if errors.Is(err, pgx.ErrNoRows) || classify(err) == faultContended {
		return false, nil
	}
	return err == nil, err
}

func (m *migrator) endTurn(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectTimeout)
	defer cancel()
	if _, err := m.conn.Exec(ctx, endTurn, m.holder); err != nil {
		m.log.Warn("migration turn not given up", "error", err.Error())
	}
}

// interval is a duration as SQL reads it, rounded up to whole milliseconds.
func interval(d time.Duration) string {
	return strconv.FormatInt((d+time.Millisecond-1).Milliseconds(), 10) + " milliseconds"
}

// closeConn closes a connection whose last answer does not matter.
func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
