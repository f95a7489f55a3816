package bootstrap

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"eligibility/internal/store/pgtest"
)

// What PostgreSQL shares with CockroachDB is tried on a real server: database, roles, users with hashed passwords, members, grants, storage
// parameters.

const password = "correct horse battery staple"

// site is a document with names of its own, since roles belong to the whole server.
type site struct {
	server  *pgtest.Server
	name    string
	doc     *Document
	secrets Secrets
}

func newSite(t *testing.T, name, more string) *site {
	t.Helper()
	s := &site{server: pgtest.Shared(t), name: name}
	s.doc = declared(t, fmt.Sprintf(`
version: 1
database: %[1]s
roles:
  - {name: %[1]s_reader, duty: reader}
  - {name: %[1]s_writer, duty: writer}
  - {name: %[1]s_migrator, duty: migrator}
  - {name: %[1]s_relay, duty: relay}
users:
  - {name: %[1]s_app, roles: [%[1]s_writer, %[1]s_relay], passwordFile: app.scram}
  - {name: %[1]s_look, roles: [%[1]s_reader]}
  - {name: %[1]s_make, roles: [%[1]s_migrator], passwordFile: make.scram}
ignore: [%[1]s_maker]
`, name)+more)
	hash, err := MakeHash(password)
	if err != nil {
		t.Fatal(err)
	}
	s.secrets = Secrets{name + "_app": {hash}, name + "_make": {hash}}
	return s
}

func (s *site) open(t *testing.T) *Cluster {
	t.Helper()
	cluster, err := Open(t.Context(), s.server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

func (s *site) plan(t *testing.T) *Plan {
	t.Helper()
	state, err := s.open(t).State(t.Context(), s.doc)
	if err != nil {
		t.Fatal(err)
	}
	return Compare(s.doc, s.secrets, state)
}

func (s *site) apply(t *testing.T) *Result {
	t.Helper()
	result, err := s.open(t).Apply(t.Context(), s.doc, s.secrets, time.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// exec runs SQL in the site's database as somebody.
func (s *site) exec(t *testing.T, user, sql string) error {
	t.Helper()
	config, err := pgx.ParseConfig(s.server.URL(s.name))
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		config.User, config.Password = user, password
	}
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		return err
	}
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), sql)
	return err
}

func (s *site) must(t *testing.T, user, sql string) {
	t.Helper()
	if err := s.exec(t, user, sql); err != nil {
		t.Fatalf("%s as %q: %v", sql, user, err)
	}
}

// migrate makes the tables as the user with the migrator role would.
func (s *site) migrate(t *testing.T) {
	t.Helper()
	for _, a := range accesses() {
		s.must(t, s.name+"_make", "CREATE TABLE "+a.table+" (id INT PRIMARY KEY, n INT)")
	}
}

func TestApplyFromNothing(t *testing.T) {
	s := newSite(t, "nothing", "")
	before := s.plan(t)
	if before.Count(Create) == 0 || before.Count(Blocked) == 0 {
		t.Fatalf("a plan for an empty server: %q", lines(before))
	}
	first := s.apply(t)
	if first.Left.Count(Create, Change, Undeclared) != 0 || first.Left.Count(Blocked) != len(accesses()) {
		t.Errorf("before the migrations are left: %q", lines(first.Left))
	}
	s.migrate(t)
	second := s.apply(t)
	if second.Left.Drift() {
		t.Errorf("after the migrations are left: %q", lines(second.Left))
	}
	third := s.apply(t)
	if len(third.Executed) != 0 || third.Left.Drift() {
		t.Errorf("applied again: executed %q, left %q", third.Executed, lines(third.Left))
	}
	if len(second.Executed) == 0 || second.Who == "" || second.Began.After(second.Ended) {
		t.Errorf("result %+v", second)
	}
}

func TestDutiesAllowNoMoreThanTheyNeed(t *testing.T) {
	s := newSite(t, "least", "")
	s.apply(t)
	s.migrate(t)
	s.apply(t)
	app, look, maker := s.name+"_app", s.name+"_look", s.name+"_make"
	s.must(t, "", "ALTER ROLE "+look+" PASSWORD '"+password+"'") // so that it can be tried; it has none of its own
	for _, c := range []struct {
		who, sql string
		allowed  bool
	}{
		{app, "INSERT INTO profiles VALUES (1, 1)", true},
		{app, "UPDATE profiles SET n = 2 WHERE id = 1", true},
		{app, "DELETE FROM user_events", true},
		{app, "UPDATE relay_state SET n = 1", true},
		{app, "DELETE FROM relay_state", false},
		{app, "UPDATE audit_log SET n = 1", false},
		{app, "CREATE TABLE mine (id INT)", false},
		{app, "DROP TABLE profiles", false},
		{app, "ALTER TABLE profiles ADD COLUMN x INT", false},
		{app, "TRUNCATE profiles", false},
		{app, "CREATE ROLE other", false},
		{look, "SELECT * FROM profiles", true},
		{look, "INSERT INTO profiles VALUES (2, 1)", false},
		{look, "DELETE FROM profiles", false},
		{look, "SELECT * FROM relay_state", false},
		{maker, "ALTER TABLE profiles ADD COLUMN x INT", true},
		{maker, "CREATE TABLE another (id INT)", true},
		{maker, "DROP TABLE another", true},
		{maker, "CREATE DATABASE another", false},
	} {
		err := s.exec(t, c.who, c.sql)
		if (err == nil) != c.allowed {
			t.Errorf("%s as %s: %v, want allowed: %v", c.sql, c.who, err, c.allowed)
		}
	}
	if err := s.exec(t, s.name+"_writer", "SELECT 1"); err == nil {
		t.Error("a role can log in")
	}
}

func TestDriftIsSeenAndOnlyDeclaredThingsAreMended(t *testing.T) {
	s := newSite(t, "drift", "")
	s.apply(t)
	s.migrate(t)
	s.apply(t)
	s.must(t, "", `CREATE ROLE drift_stranger LOGIN; GRANT SELECT, DELETE ON profiles TO drift_stranger; GRANT CREATE ON SCHEMA public TO drift_stranger;
		GRANT DELETE ON profiles TO drift_reader; GRANT drift_writer TO drift_stranger; REVOKE INSERT ON profiles FROM drift_writer;
		ALTER ROLE drift_reader LOGIN; ALTER ROLE drift_look NOLOGIN; REVOKE drift_migrator FROM drift_make; ALTER ROLE drift_app PASSWORD 'another password'`)
	plan := s.plan(t)
	want := []string{
		"change role drift_reader: can log in → cannot log in",
		"change user drift_app: another password → can log in, password of app.scram",
		"change user drift_look: cannot log in → can log in",
		"create user drift_make:  → member of drift_migrator",
		"undeclared user drift_stranger: member of drift_writer → ",
		"create table profiles:  → drift_writer: INSERT",
		"undeclared table profiles: drift_reader: DELETE → ",
		"undeclared schema public: drift_stranger: CREATE → ",
		"undeclared table profiles: drift_stranger: DELETE, SELECT → ",
	}
	if got := lines(plan); !slices.Equal(got, want) {
		t.Errorf("plan:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	left := s.apply(t).Left
	if left.Count(Create, Change, Blocked) != 0 || left.Count(Undeclared) != 4 {
		t.Errorf("left after apply: %q", lines(left))
	}
	s.must(t, "drift_app", "INSERT INTO profiles VALUES (1, 1)")
	s.must(t, "", "GRANT SELECT ON profiles TO drift_stranger")
	for i := range left.Items { // the way out that each note names is the right one
		_, revoke, found := strings.Cut(left.Items[i].Note, ": ")
		if !found {
			t.Fatalf("note %q", left.Items[i].Note)
		}
		s.must(t, "", revoke)
	}
	if plan := s.plan(t); plan.Drift() {
		t.Errorf("after revoking: %q", lines(plan))
	}
}

func TestStorageParametersAndWhatPostgreSQLLacks(t *testing.T) {
	s := newSite(t, "storage", `
tables: [{name: profiles, gcTTL: 25h, options: {autovacuum_enabled: off, fillfactor: 90}}]
settings: {kv.rangefeed.enabled: true}
audit: {users: [storage_look], tables: [profiles]}
`)
	s.apply(t)
	s.migrate(t)
	left := s.apply(t).Left
	want := []string{
		"blocked setting kv.rangefeed.enabled:  → true", "blocked audit of users:  → storage_look", "blocked table profiles:  → gcTTL 25h0m0s", "blocked table profiles:  → audited",
	}
	if got := lines(left); !slices.Equal(got, want) {
		t.Errorf("left %q, want %q", got, want)
	}
	s.must(t, "", "ALTER TABLE profiles SET (fillfactor = 50)")
	if got := lines(s.plan(t))[2]; got != "change table profiles: 50 → fillfactor = 90" {
		t.Errorf("drift of a storage parameter: %q", got)
	}
}

func TestSomebodyElseAppliesAtTheSameTime(t *testing.T) {
	s := newSite(t, "race", "")
	type ended struct {
		result *Result
		err    error
	}
	const pods = 3
	all := make(chan ended, pods)
	for range pods {
		cluster := s.open(t)
		go func() {
			result, err := cluster.Apply(t.Context(), s.doc, s.secrets, time.Now, nil)
			all <- ended{result, err}
		}()
	}
	for range pods {
		if e := <-all; e.err != nil && !strings.Contains(e.err.Error(), "concurrently") && !strings.Contains(e.err.Error(), "23505") {
			t.Errorf("applying at the same time: %v", e.err)
		}
	}
	if left := s.apply(t).Left; left.Count(Create, Change, Undeclared) != 0 {
		t.Errorf("left: %q", lines(left))
	}
}
