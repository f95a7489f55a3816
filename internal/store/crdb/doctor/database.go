package doctor

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"eligibility/internal/store/crdb/release"
)

// Deadlines of looking.
const (
	connectTimeout = 10 * time.Second
	askTimeout     = 10 * time.Second
	clockSamples   = 5
)

// Examine asks the database at url for what the checks need. What cannot be asked is in the facts as such; it takes no longer than
// needs.Watch and its deadlines.
func Examine(ctx context.Context, url string, needs *Needs) *Facts {
	f := &Facts{}
	config, err := pgx.ParseConfig(url)
	if err != nil {
		f.Unreachable = err // pgx leaves the password out
		return f
	}
	config.ConnectTimeout = connectTimeout
	config.DefaultQueryExecMode = pgx.QueryExecModeExec // each statement runs once
	config.RuntimeParams["application_name"] = "eligibility doctor"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		f.Unreachable = err
		return f
	}
	defer closeConn(conn)
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var version string
	query := "SELECT version()::TEXT, current_user::TEXT, current_database()::TEXT"
	if f.Unreachable = conn.QueryRow(asking, query).Scan(&version, &f.User, &f.Database); f.Unreachable != nil {
		return f
	}
	if f.Release, f.Unreachable = release.Parse(version); f.Unreachable != nil {
		return f
	}
	if err := conn.QueryRow(asking, "SHOW default_transaction_isolation").Scan(&f.Isolation); err != nil {
		f.Isolation = "unknown"
	}
	f.clock(asking, conn)
	f.tables(asking, conn, needs.Tables)
	if f.Release.Dialect == release.CockroachDB {
		f.settings(asking, conn)
		f.zones(asking, conn)
	}
	f.watch(ctx, config, needs)
	return f
}

func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // all that was asked for is done
}

// clock takes the sample with the shortest round trip: the database's clock was read somewhere in it.
func (f *Facts) clock(ctx context.Context, conn *pgx.Conn) {
	for i := range clockSamples {
		var micros int64
		before := time.Now()
		err := conn.QueryRow(ctx, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::INT8::TEXT").Scan(scanInt{&micros})
		took := time.Since(before)
		if err != nil {
			f.Uncertain = -1 // not known
			return
		}
		if half := took / 2; i == 0 || half < f.Uncertain {
			f.Offset, f.Uncertain = time.UnixMicro(micros).Sub(before.Add(half)), half
		}
	}
}

// scanInt reads a number that travels as text.
type scanInt struct{ into *int64 }

// Scan is called by pgx.
func (s scanInt) Scan(src any) error {
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("want text, got %T", src)
	}
	var err error
	*s.into, err = strconv.ParseInt(text, 10, 64)
	return err
}

func (f *Facts) tables(ctx context.Context, conn *pgx.Conn, wanted []string) {
	there, err := column(ctx, conn, `SELECT c.relname::TEXT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = 'public' AND c.relkind = 'r'`)
	for _, name := range wanted {
		f.Tables = append(f.Tables, TableFacts{Name: name, There: err == nil && slices.Contains(there, name)})
	}
}

// column is the first column of a query's rows.
func column(ctx context.Context, conn *pgx.Conn, query string) ([]string, error) {
	rows, err := conn.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func (f *Facts) settings(ctx context.Context, conn *pgx.Conn) {
	rows, err := conn.Query(ctx, "SELECT variable, value FROM [SHOW ALL CLUSTER SETTINGS]")
	if err == nil {
		var name, value string
		settings := make(map[string]string)
		_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error {
			settings[name] = value
			return nil
		})
		if err == nil && len(settings) > 0 {
			f.Settings = settings
			return
		}
	}
	if err == nil {
		err = errors.New("the list is empty")
	}
	f.Hidden = err
}

// gcPattern finds the garbage collection in a zone configuration as SQL.
var gcPattern = regexp.MustCompile(`gc\.ttlseconds = (\d+)`)

func (f *Facts) zones(ctx context.Context, conn *pgx.Conn) {
	for i := range f.Tables {
		table := &f.Tables[i]
		if !table.There {
			continue
		}
		found, err := column(ctx, conn, "SELECT raw_config_sql FROM [SHOW ZONE CONFIGURATION FROM TABLE public."+pgx.Identifier{table.Name}.Sanitize()+"]")
		if err != nil || len(found) == 0 {
			continue // it is judged as not known
		}
		if m := gcPattern.FindStringSubmatch(strings.Join(found, "\n")); m != nil {
			table.GCSeconds, _ = strconv.ParseInt(m[1], 10, 64) // digits; beyond int64 reads as not known
		}
	}
}
