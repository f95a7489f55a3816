package bootstrap

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"eligibility/internal/store/crdb/scripted"
)

// What only CockroachDB has is tried against a server that plays its part: it answers the SHOW statements in the forms of its documentation
// and remembers settings, zones and audits.

// cockroach is the part. mu guards what changes.
type cockroach struct {
	version  string
	mu       sync.Mutex
	settings map[string]string
	zones    map[string]string // table → gc.ttlseconds
	audited  map[string]bool
	grants   [][]string // table, grantee, privilege
	options  string     // of table profiles
	refuse   string     // statements with these words are refused for lack of privilege
}

func newCockroach(version string) *cockroach {
	return &cockroach{
		version: version, zones: map[string]string{"profiles": "14400", "user_events": "14400"}, audited: map[string]bool{},
		settings: map[string]string{
			"kv.rangefeed.enabled": "false", "kv.closed_timestamp.target_duration": "3s", auditSetting: "", "changefeed.memory.per_changefeed_limit": "512 MiB",
			preHashedSetting: "true",
		},
		grants:  [][]string{{"profiles", "admin", "ALL"}, {"profiles", "root", "ALL"}, {"profiles", "maker", "ALL"}, {"user_events", "mallory", "SELECT"}},
		options: "ttl='on'\nttl_expiration_expression='expires_at'\nttl_job_cron='17 * * * *'\nschema_locked=true",
	}
}

var (
	setPattern    = regexp.MustCompile(`^SET CLUSTER SETTING (\S+) = (?s:(.*))$`)
	zonePattern   = regexp.MustCompile(`^ALTER TABLE "public"\."(\w+)" CONFIGURE ZONE USING gc\.ttlseconds = (\d+)$`)
	auditPattern  = regexp.MustCompile(`^ALTER TABLE "public"\."(\w+)" EXPERIMENTAL_AUDIT SET READ WRITE$`)
	optionPattern = regexp.MustCompile(`^ALTER TABLE "public"\."profiles" SET \((\w+) = (.*)\)$`)
	grantPattern  = regexp.MustCompile(`^GRANT (.+) ON TABLE "public"\."(\w+)" TO "(\w+)"$`)
)

// perform is what a change does.
func (c *cockroach) perform(statement string) scripted.Answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.refuse != "" && strings.Contains(statement, c.refuse):
		return scripted.Answer{Code: "42501", Text: "only users with the MODIFYCLUSTERSETTING privilege are allowed to set cluster setting"}
	case setPattern.MatchString(statement):
		m := setPattern.FindStringSubmatch(statement)
		c.settings[m[1]] = strings.Trim(m[2], "'")
	case zonePattern.MatchString(statement):
		m := zonePattern.FindStringSubmatch(statement)
		c.zones[m[1]] = m[2]
	case auditPattern.MatchString(statement):
		c.audited[auditPattern.FindStringSubmatch(statement)[1]] = true
	case optionPattern.MatchString(statement):
		m := optionPattern.FindStringSubmatch(statement)
		c.options += "\n" + m[1] + "=" + m[2]
	case grantPattern.MatchString(statement):
		m := grantPattern.FindStringSubmatch(statement)
		for _, privilege := range strings.Split(m[1], ", ") {
			c.grants = append(c.grants, []string{m[2], m[3], privilege})
		}
	default:
		return scripted.Answer{Code: "42601", Text: "at or near \"" + statement + "\": syntax error"}
	}
	return scripted.Answer{}
}

func (c *cockroach) rows(of func() [][]string) func(string) scripted.Answer {
	return func(string) scripted.Answer {
		c.mu.Lock()
		defer c.mu.Unlock()
		return scripted.Rows(of()...)
	}
}

func (c *cockroach) start(t *testing.T) *scripted.Server {
	t.Helper()
	always := scripted.Always
	return scripted.Start(
		t,
		always(`^SELECT version\(\)`, scripted.Rows([]string{c.version, "root"})),
		always(`^SET allow_unsafe_internals`, scripted.Answer{}),
		always(`^SELECT datname`, scripted.One("shop")),
		always(`FROM pg_auth_members`, scripted.Rows([]string{"admin", "root"})),
		always(`FROM pg_roles$`, scripted.Rows([]string{"root", "true"}, []string{"admin", "false"}, []string{"feeder", "false"}, []string{"app", "true"})),
		always(`FROM system\.users`, scripted.Answer{}),
		always(`FROM system\.role_options`, scripted.Answer{}),
		scripted.Rule{Match: `SHOW ALL CLUSTER SETTINGS`, Answer: c.rows(func() (out [][]string) {
			for name, value := range c.settings {
				out = append(out, []string{name, value})
			}
			return out
		})},
		scripted.Rule{Match: `c\.reloptions`, Answer: c.rows(func() [][]string {
			return [][]string{{"profiles", "maker", c.options}, {"user_events", "maker", scripted.Null}}
		})},
		always(`AS owner`, scripted.One("root")),
		always(`SHOW GRANTS ON DATABASE "shop"`, scripted.Rows(
			[]string{"database", "shop", "admin", "ALL"}, []string{"database", "shop", "public", "CONNECT"}, []string{"database", "shop", "feeder", "CONNECT"})),
		always(`SHOW GRANTS ON SCHEMA public`, scripted.Rows([]string{"schema", "public", "public", "USAGE"}, []string{"schema", "public", "feeder", "USAGE"})),
		scripted.Rule{Match: `SHOW GRANTS ON TABLE "profiles", "user_events"`, Answer: c.rows(func() (out [][]string) {
			for _, g := range c.grants {
				out = append(out, append([]string{"table"}, g...))
			}
			return out
		})},
		scripted.Rule{Match: `SHOW ZONE CONFIGURATION FROM TABLE`, Answer: func(statement string) scripted.Answer {
			c.mu.Lock()
			defer c.mu.Unlock()
			for table, seconds := range c.zones {
				if strings.Contains(statement, `public."`+table+`"`) {
					return scripted.One("ALTER DATABASE shop CONFIGURE ZONE USING\n\trange_min_bytes = 134217728,\n\tgc.ttlseconds = " + seconds + ",\n\tnum_replicas = 3")
				}
			}
			return scripted.Answer{Code: "42P01", Text: "no such table"}
		}},
		scripted.Rule{Match: `auditMode`, Answer: c.rows(func() (out [][]string) {
			for table := range c.audited {
				out = append(out, []string{table})
			}
			return out
		})},
		scripted.Rule{Match: `^(SET|ALTER|GRANT|CREATE)`, Answer: c.perform},
	)
}

const cockroachDocument = `
version: 1
database: shop
roles: [{name: feeder, grants: [{on: profiles, privileges: [SELECT, CHANGEFEED]}]}]
settings:
  kv.rangefeed.enabled: true
  kv.closed_timestamp.target_duration: 1000ms
  changefeed.memory.per_changefeed_limit: 512MiB
tables:
  - {name: profiles, gcTTL: 25h, options: {schema_locked: true, ttl_job_cron: 17 * * * *, ttl_delete_rate_limit: 100}}
  - {name: user_events, gcTTL: 4h}
audit: {users: [app], tables: [profiles]}
`

func TestApplyOnCockroachDB(t *testing.T) {
	c := newCockroach("CockroachDB CCL v25.4.1 (x86_64-pc-linux-gnu, built 2026/01/01 00:00:00, go1.25)")
	c.settings[auditSetting] = "auditor ALL\napp NONE"
	server := c.start(t)
	cluster, err := Open(t.Context(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	doc := declared(t, cockroachDocument)
	result, err := cluster.Apply(t.Context(), doc, nil, time.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"SET CLUSTER SETTING kv.closed_timestamp.target_duration = '1000ms'",
		"SET CLUSTER SETTING kv.rangefeed.enabled = true",
		"SET CLUSTER SETTING sql.log.user_audit = 'auditor ALL\napp ALL'",
		`GRANT SELECT, CHANGEFEED ON TABLE "public"."profiles" TO "feeder"`,
		`ALTER TABLE "public"."profiles" SET (ttl_delete_rate_limit = 100)`,
		`ALTER TABLE "public"."profiles" CONFIGURE ZONE USING gc.ttlseconds = 90000`,
		`ALTER TABLE "public"."profiles" EXPERIMENTAL_AUDIT SET READ WRITE`,
	}
	if !slices.Equal(result.Executed, want) {
		t.Errorf("executed:\n%s\nwant:\n%s", strings.Join(result.Executed, "\n"), strings.Join(want, "\n"))
	}
	left := []string{
		"undeclared audit of users: auditor ALL → ", "undeclared database shop: feeder: CONNECT → ", "undeclared schema public: feeder: USAGE → ",
		"undeclared table user_events: mallory: SELECT → ",
	}
	if got := lines(result.Left); !slices.Equal(got, left) {
		t.Errorf("left %q, want %q", got, left)
	}
	again, err := cluster.Apply(t.Context(), doc, nil, time.Now, nil)
	if err != nil || len(again.Executed) != 0 {
		t.Errorf("applied again: %q, %v", again.Executed, err)
	}
}

func TestOldReleasesHaveOtherMeans(t *testing.T) {
	c := newCockroach("CockroachDB CCL v22.1.9 (x86_64-pc-linux-gnu)")
	delete(c.settings, auditSetting)
	server := c.start(t)
	cluster, err := Open(t.Context(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	doc := declared(t, strings.Replace(cockroachDocument, "roles: [", "users: [{name: app, roles: [relays]}]\nroles: [{name: relays, duty: relay}, ", 1))
	state, err := cluster.State(t.Context(), doc)
	if err != nil {
		t.Fatal(err)
	}
	plan := Compare(doc, nil, state)
	got := strings.Join(lines(plan), "\n")
	for _, want := range []string{
		"change user app:  → option CONTROLCHANGEFEED", "blocked audit of users:  → app", "blocked table profiles:  → feeder: CHANGEFEED", "create table profiles:  → relays: SELECT\n",
	} {
		if !strings.Contains(got+"\n", want) {
			t.Errorf("plan lacks %q:\n%s", want, got)
		}
	}
	if slices.ContainsFunc(server.Asked(), func(s string) bool { return strings.Contains(s, "allow_unsafe_internals") }) {
		t.Error("an old release was asked for what it does not know")
	}
}

func TestRefusedStatementEndsApplying(t *testing.T) {
	c := newCockroach("CockroachDB CCL v24.3.0 (x86_64)")
	c.refuse = "kv.rangefeed.enabled"
	cluster, err := Open(t.Context(), c.start(t).URL)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	result, err := cluster.Apply(t.Context(), declared(t, cockroachDocument), nil, time.Now, nil)
	if err == nil || !strings.Contains(err.Error(), "setting kv.rangefeed.enabled: SET CLUSTER SETTING") || !strings.Contains(err.Error(), "root of CockroachDB") {
		t.Errorf("error %v", err)
	}
	if len(result.Executed) != 1 || result.Left != nil {
		t.Errorf("result %+v: want the one statement before", result)
	}
}

func TestSomethingElseChangesItBack(t *testing.T) {
	// A server that says yes and forgets: every round finds the same difference.
	forgetful := scripted.Start(t, scripted.Always(`^(SET CLUSTER|ALTER|GRANT)`, scripted.Answer{}), scripted.Rule{Match: `.`, Answer: func(s string) scripted.Answer {
		switch {
		case strings.Contains(s, "version()"):
			return scripted.Rows([]string{"CockroachDB CCL v24.3.0 (x86_64)", "root"})
		case strings.Contains(s, "pg_database"):
			return scripted.One("shop")
		case strings.Contains(s, "SHOW ALL CLUSTER SETTINGS"):
			return scripted.Rows([]string{"kv.rangefeed.enabled", "false"})
		}
		return scripted.Answer{}
	}})
	cluster, err := Open(t.Context(), forgetful.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	_, err = cluster.Apply(t.Context(), declared(t, "version: 1\ndatabase: shop\nsettings: {kv.rangefeed.enabled: true}"), nil, time.Now, nil)
	if err == nil || !strings.Contains(err.Error(), "still differs after 3 rounds") {
		t.Errorf("error %v: nothing holds", err)
	}
}
