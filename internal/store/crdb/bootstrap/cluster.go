package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"eligibility/internal/store/crdb/release"
)

// Deadlines of the work on a cluster.
const (
	connectTimeout   = 10 * time.Second
	statementTimeout = time.Minute
)

// Cluster is a connection to a cluster as somebody who may change it. It is not safe for concurrent use.
type Cluster struct {
	config  *pgx.ConnConfig
	conn    *pgx.Conn // to the database that the URL names, which is there before any bootstrap
	inside  *pgx.Conn // to the declared database, once it is needed
	Release release.Release
	Session string // who is connected
}

// Open connects and finds out what answers.
func Open(ctx context.Context, url string) (*Cluster, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("read the database URL: %w", err) // pgx leaves the password out
	}
	config.ConnectTimeout = connectTimeout
	config.DefaultQueryExecMode = pgx.QueryExecModeExec // each statement runs once, and DDL changes what a cached one means
	config.RuntimeParams["application_name"] = "eligibility bootstrap"
	config.RuntimeParams["standard_conforming_strings"] = "on" // literal relies on it
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	c := &Cluster{config: config, conn: conn}
	var version string
	if err = conn.QueryRow(ctx, "SELECT version()::TEXT, current_user::TEXT").Scan(&version, &c.Session); err == nil {
		c.Release, err = release.Parse(version)
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("ask the database for its version: %w", err)
	}
	c.unlock(ctx, conn)
	return c, nil
}

// unlock asks releases that hide their system tables by default to show them to this session: password hashes and audit modes stand nowhere
// else. Releases without the lock refuse the words, and what is then missing is said by the query that lacks it.
func (c *Cluster) unlock(ctx context.Context, conn *pgx.Conn) {
	if c.Release.Dialect == release.CockroachDB && c.Release.AtLeast(25, 3) {
		_, _ = conn.Exec(ctx, "SET allow_unsafe_internals = on")
	}
}

// Close ends the connections.
func (c *Cluster) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	for _, conn := range []*pgx.Conn{c.conn, c.inside} {
		if conn != nil {
			_ = conn.Close(ctx) // all that was asked for is done
		}
	}
}

// database is the connection to the declared database.
func (c *Cluster) database(ctx context.Context, name string) (*pgx.Conn, error) {
	if c.inside != nil {
		return c.inside, nil
	}
	config := c.config.Copy()
	config.Database = name
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to database %s: %w", name, err)
	}
	c.unlock(ctx, conn)
	c.inside = conn
	return conn, nil
}

// execute runs one statement of a plan.
func (c *Cluster) execute(ctx context.Context, doc *Document, item *Item) error {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	conn := c.conn
	if item.inDatabase {
		var err error
		if conn, err = c.database(ctx, doc.Database); err != nil {
			return err
		}
	}
	_, err := conn.Exec(ctx, item.run)
	return explain(err, c.Session)
}

// SQLSTATEs that are told apart.
const (
	codePrivilege         = "42501"
	codeDuplicateObject   = "42710"
	codeDuplicateDatabase = "42P04"
)

// explain makes an error of the database one that says what to do. What the database says is kept, but for its details: they may repeat the
// statement.
func explain(err error, session string) error {
	var told *pgconn.PgError
	if !errors.As(err, &told) {
		return err
	}
	if told.Code == codePrivilege {
		const who = "run this as a user that may, such as root of CockroachDB or a superuser of PostgreSQL"
		return fmt.Errorf("%s (%s): %s, not as %q", told.Message, told.Code, who, session)
	}
	return &statementError{told.Code, hashPattern.ReplaceAllString(told.Message, hidden)}
}

// hashPattern finds hashes in what a database says: a syntax error may repeat what stands near it.
var hashPattern = regexp.MustCompile(`SCRAM-SHA-256\$[^'"\s]*`)

// statementError is what the database said, without its detail, hint and context.
type statementError struct{ code, message string }

// Error is the message with its SQLSTATE.
func (e *statementError) Error() string { return e.message + " (" + e.code + ")" }

// already reports whether somebody else made the object in the meantime.
func already(err error) bool {
	var told *statementError
	return errors.As(err, &told) && (told.code == codeDuplicateObject || told.code == codeDuplicateDatabase)
}
