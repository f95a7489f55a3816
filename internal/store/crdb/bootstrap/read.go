package bootstrap

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"eligibility/internal/store/crdb/release"
)

// State reads what there is of what doc declares. It changes nothing.
func (c *Cluster) State(ctx context.Context, doc *Document) (*State, error) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	s := &State{
		Release: c.Release, Session: c.Session, Roles: make(map[string]RoleState), Members: make(map[string][]string), Settings: make(map[string]string),
		Tables: make(map[string]TableState),
	}
	r := &reader{conn: c.conn, session: c.Session}
	r.each(ctx, "SELECT datname::TEXT FROM pg_database WHERE datname = "+literal(doc.Database), 1, func([]string) { s.Database = true })
	r.roles(ctx, s)
	r.each(ctx, membersQuery, 2, func(row []string) { s.Members[row[0]] = append(s.Members[row[0]], row[1]) })
	if c.Release.Dialect == release.CockroachDB {
		r.settings(ctx, s)
	}
	if s.Database && r.err == nil {
		if r.conn, r.err = c.database(ctx, doc.Database); r.err == nil {
			r.objects(ctx, doc, s)
		}
	}
	if r.err != nil {
		return nil, fmt.Errorf("read the state of the cluster: %w", r.err)
	}
	return s, nil
}

const membersQuery = `SELECT r.rolname::TEXT, m.rolname::TEXT FROM pg_auth_members a
	JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member ORDER BY 1, 2`

// reader asks one question after the other and stops at the first error. All values travel as text.
type reader struct {
	conn    *pgx.Conn
	session string
	err     error
}

// each calls use with every row; NULL is "".
func (r *reader) each(ctx context.Context, query string, columns int, use func(row []string)) {
	if r.err != nil {
		return
	}
	rows, err := r.conn.Query(ctx, query)
	if err != nil {
		r.err = explain(err, r.session)
		return
	}
	defer rows.Close()
	row, into := make([]*string, columns), make([]any, columns)
	for i := range row {
		into[i] = &row[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			r.err = err
			return
		}
		texts := make([]string, columns)
		for i := range row {
			if row[i] != nil {
				texts[i] = *row[i]
			}
		}
		use(texts)
	}
	r.err = explain(rows.Err(), r.session)
}

func (r *reader) roles(ctx context.Context, s *State) {
	r.each(ctx, "SELECT rolname::TEXT, rolcanlogin::TEXT FROM pg_roles", 2, func(row []string) {
		s.Roles[row[0]] = RoleState{Login: row[1] == "true" || row[1] == "t"}
	})
	hashes := "SELECT rolname::TEXT, rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL"
	if s.Release.Dialect == release.CockroachDB {
		hashes = `SELECT username, convert_from("hashedPassword", 'UTF8') FROM system.users WHERE length("hashedPassword") > 0`
	}
	r.each(ctx, hashes, 2, func(row []string) {
		role := s.Roles[row[0]]
		role.hash = row[1]
		s.Roles[row[0]] = role
	})
	if s.Release.Dialect != release.CockroachDB || s.Release.Has(release.ChangefeedGrant) {
		return
	}
	r.each(ctx, "SELECT username FROM system.role_options WHERE option = 'CONTROLCHANGEFEED'", 1, func(row []string) {
		role := s.Roles[row[0]]
		role.ControlChangefeed = true
		s.Roles[row[0]] = role
	})
}

// settings are those of the whole cluster. SHOW is open to whoever may see settings; the tables behind it are closed to all but the
// database on new releases.
func (r *reader) settings(ctx context.Context, s *State) {
	r.each(ctx, "SELECT variable, value FROM [SHOW ALL CLUSTER SETTINGS]", 2, func(row []string) { s.Settings[row[0]] = row[1] })
	s.Audited = s.Settings[auditSetting]
}

// objects are the database, its public schema and its tables.
func (r *reader) objects(ctx context.Context, doc *Document, s *State) {
	owners := make(map[string]string)
	r.each(ctx, tablesQuery, 3, func(row []string) {
		s.Tables[row[0]] = TableState{Options: optionsOf(row[2])}
		owners[row[0]] = row[1]
	})
	if s.Release.Dialect == release.PostgreSQL {
		r.grants(ctx, s, "SELECT 'database', d.datname::TEXT, g.rolname::TEXT, a.privilege_type FROM pg_database d, "+
			"aclexplode(d.datacl) a JOIN pg_roles g ON g.oid = a.grantee WHERE d.datname = "+literal(doc.Database)+" AND a.grantee <> d.datdba")
		r.grants(ctx, s, `SELECT 'schema', n.nspname::TEXT, g.rolname::TEXT, a.privilege_type FROM pg_namespace n,
			aclexplode(n.nspacl) a JOIN pg_roles g ON g.oid = a.grantee WHERE n.nspname = 'public' AND a.grantee <> n.nspowner`)
		r.grants(ctx, s, `SELECT 'table', c.relname::TEXT, g.rolname::TEXT, a.privilege_type FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
			aclexplode(c.relacl) a JOIN pg_roles g ON g.oid = a.grantee WHERE n.nspname = 'public' AND c.relkind = 'r' AND a.grantee <> c.relowner`)
		return
	}
	r.each(ctx, "SELECT pg_get_userbyid(datdba)::TEXT AS owner FROM pg_database WHERE datname = "+literal(doc.Database), 1, func(row []string) {
		owners[""] = row[0]
	})
	r.grants(ctx, s, "SELECT 'database', database_name, grantee, privilege_type FROM [SHOW GRANTS ON DATABASE "+ident(doc.Database)+"]")
	r.grants(ctx, s, "SELECT 'schema', schema_name, grantee, privilege_type FROM [SHOW GRANTS ON SCHEMA public]")
	if len(s.Tables) > 0 {
		names := make([]string, 0, len(s.Tables))
		for name := range s.Tables {
			names = append(names, name)
		}
		slices.Sort(names)
		r.grants(ctx, s, "SELECT 'table', table_name, grantee, privilege_type FROM [SHOW GRANTS ON TABLE "+idents(names)+"]")
	}
	s.Grants = slices.DeleteFunc(s.Grants, func(g GrantState) bool {
		return g.Privilege == "ALL" && (g.On.Kind == "table" && g.Grantee == owners[g.On.Name] || g.On.Kind == "database" && g.Grantee == owners[""])
	})
	r.zones(ctx, doc, s)
	if len(doc.Audit.Tables) > 0 {
		r.audited(ctx, s)
	}
}

const tablesQuery = `SELECT c.relname::TEXT, pg_get_userbyid(c.relowner)::TEXT, array_to_string(c.reloptions, chr(10))
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind = 'r' ORDER BY 1`

func (r *reader) grants(ctx context.Context, s *State, query string) {
	r.each(ctx, query, 4, func(row []string) {
		s.Grants = append(s.Grants, GrantState{Grantee: row[2], Privilege: row[3], On: Object{row[0], row[1]}})
	})
}

// optionsOf reads storage parameters, one name=value a line. CockroachDB prints texts among the values with their quotes.
func optionsOf(text string) map[string]string {
	options := make(map[string]string)
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if unquoted, ok := strings.CutPrefix(value, "'"); ok && strings.HasSuffix(unquoted, "'") {
			value = strings.ReplaceAll(strings.TrimSuffix(unquoted, "'"), "''", "'")
		}
		options[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return options
}

// gcPattern finds the garbage collection in a zone configuration as SQL.
var gcPattern = regexp.MustCompile(`gc\.ttlseconds = (\d+)`)

// zones are read for declared tables only: each is a statement of its own.
func (r *reader) zones(ctx context.Context, doc *Document, s *State) {
	for i := range doc.Tables {
		name := doc.Tables[i].Name
		table, there := s.Tables[name]
		if !there || doc.Tables[i].GCTTL == 0 {
			continue
		}
		r.each(ctx, "SELECT raw_config_sql FROM [SHOW ZONE CONFIGURATION FROM TABLE public."+ident(name)+"]", 1, func(row []string) {
			if found := gcPattern.FindStringSubmatch(row[0]); found != nil {
				table.GCSeconds, _ = strconv.ParseInt(found[1], 10, 64) // digits; beyond int64 it is not what is declared either
			}
		})
		s.Tables[name] = table
	}
}

// audited finds the tables whose accesses are logged. No SHOW statement tells; the descriptors do.
func (r *reader) audited(ctx context.Context, s *State) {
	const query = `SELECT t->>'name' FROM (SELECT crdb_internal.pb_to_json('cockroach.sql.sqlbase.Descriptor', descriptor)->'table' AS t FROM system.descriptor
		WHERE id IN (SELECT c.oid::INT8 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind = 'r')) AS d
		WHERE t->>'auditMode' = 'READWRITE'`
	r.each(ctx, query, 1, func(row []string) {
		if table, there := s.Tables[row[0]]; there {
			table.Audited = true
			s.Tables[row[0]] = table
		}
	})
}
