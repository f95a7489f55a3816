package crdb

import (
	"context"
	"fmt"

	"eligibility/internal/store/crdb/release"

	"github.com/jackc/pgx/v5"
)

// dialect is all that the store knows of the difference between CockroachDB and PostgreSQL. The latter is a stand-in for tests: a row
// named hlc_clock that every write transaction advances first takes the place of the cluster's clock (package standin makes it). That
// puts all writers in one line, which is right for tests and for nothing else.
type dialect struct {
	release release.Release
	asOf    string // expression: in a read its exact stamp, in a write transaction that of the commit, after a commit one at or above it
	now     string // expression: the clock's present, at or above every acknowledged commit
	begin   string // first statement of a write transaction, or ""
	insert  string // how an INSERT of all columns begins that replaces rows with the same key
	session []string
}

// probe asks the database what it is.
func probe(ctx context.Context, conn *pgx.Conn) (dialect, error) {
	var text string
	if err := conn.QueryRow(ctx, "SELECT version()").Scan(&text); err != nil {
		return dialect{}, fmt.Errorf("ask for the version: %w", err)
	}
	found, err := release.Parse(text)
	if err != nil {
		return dialect{}, err
	}
	return dialectOf(found), nil
}

func dialectOf(r release.Release) dialect {
	// A plan made for one set of values must not serve another: of "= ANY ($2)" the optimizer has to see how many there are. Releases that
	// do not know the setting plan each time anyway.
	session := []string{"SET plan_cache_mode = force_custom_plan"}
	if r.Dialect == release.PostgreSQL {
		return dialect{
			release: r,
			asOf:    "(SELECT wall::TEXT || '.' || lpad(logical::TEXT, 10, '0') FROM hlc_clock)",
			now:     "hlc_tick()",
			begin:   "SELECT hlc_tick()",
			insert:  "INSERT",
			session: session,
		}
	}
	return dialect{
		release: r,
		asOf:    "cluster_logical_timestamp()::STRING",
		now:     "cluster_logical_timestamp()::STRING",
		insert:  "UPSERT",
		// cluster_logical_timestamp() needs it, whatever the cluster's default is.
		session: append(session, "SET default_transaction_isolation = 'serializable'"),
	}
}

// replace ends an INSERT that began with d.insert: on CockroachDB UPSERT has said it all.
func (d *dialect) replace(conflict, set string) string {
	if d.release.Dialect == release.CockroachDB {
		return ""
	}
	return " ON CONFLICT (" + conflict + ") DO UPDATE SET " + set
}

// locked is the storage parameter that lets changes of a table reach the feed without waiting for its schema to be looked up.
func (d *dialect) locked() string {
	if d.release.Has(release.SchemaLocked) {
		return "WITH (schema_locked = true)"
	}
	return ""
}

// expiring makes the database remove rows after their expires_at, once an hour at a minute of the table's own. Where it cannot the store
// sweeps.
func (d *dialect) expiring(minute int) string {
	if !d.release.Has(release.TTLExpression) {
		return d.locked()
	}
	ttl := fmt.Sprintf("ttl_expiration_expression = 'expires_at', ttl_job_cron = '%d * * * *'", minute)
	if d.release.Has(release.SchemaLocked) {
		ttl += ", schema_locked = true"
	}
	return "WITH (" + ttl + ")"
}

// sweeps reports whether the store itself must remove what has expired.
func (d *dialect) sweeps() bool { return !d.release.Has(release.TTLExpression) }
