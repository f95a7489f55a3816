package doctor

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"eligibility/internal/store/crdb/scripted"
	"eligibility/internal/store/pgtest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.StopShared()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code)
}

// cluster plays a CockroachDB whose feed ends as the test wants.
func cluster(t *testing.T, version string, feed scripted.Answer, more ...scripted.Rule) string {
	t.Helper()
	always := scripted.Always
	rules := append(more,
		always(`^SELECT version\(\)`, scripted.Rows([]string{version, "app", "shop"})),
		always(`^SHOW default_transaction_isolation`, scripted.One("serializable")),
		scripted.Rule{Match: `clock_timestamp`, Answer: func(string) scripted.Answer { return scripted.One(fmt.Sprint(time.Now().UnixMicro())) }},
		always(`FROM pg_class`, scripted.Rows([]string{"profiles"}, []string{"user_events"}, []string{"emails"}, []string{"rulesets"}, []string{"api_keys"})),
		always(`SHOW ALL CLUSTER SETTINGS`, scripted.Rows(
			[]string{"kv.rangefeed.enabled", "true"}, []string{"kv.closed_timestamp.target_duration", "3s"},
			[]string{"server.shutdown.connection_wait", "0s"}, []string{"server.shutdown.drain_wait", "0s"}, []string{"server.shutdown.query_wait", "10s"})),
		always(`SHOW ZONE CONFIGURATION`, scripted.One("ALTER RANGE default CONFIGURE ZONE USING\n\tgc.ttlseconds = 14400,\n\tnum_replicas = 3")),
		scripted.Rule{Match: `cluster_logical_timestamp`, Answer: func(string) scripted.Answer {
			return scripted.One(fmt.Sprintf("%d.0000000000", time.Now().UnixNano()))
		}},
		always(`^CREATE CHANGEFEED`, feed),
	)
	return scripted.Start(t, rules...).URL
}

const oldCluster, newCluster = "CockroachDB CCL v22.1.9 (x86_64)", "CockroachDB CCL v25.4.0 (x86_64)"

// resolved is a feed's row that says: everything up to so long ago was delivered.
func resolved(ago time.Duration) []string {
	return []string{scripted.Null, scripted.Null, fmt.Sprintf(`{"resolved":"%d.0000000000"}`, time.Now().Add(-ago).UnixNano())}
}

func watching(d time.Duration) *Needs {
	needs := Defaults()
	needs.Watch = d
	return &needs
}

func TestExamineMeasuresTheFeed(t *testing.T) {
	silent := make(chan struct{})
	t.Cleanup(func() { close(silent) })
	row := []string{"profiles", `["shop", "u1"]`, `{"after": {}, "updated": "1.0"}`}
	url := cluster(t, oldCluster, scripted.Answer{Rows: [][]string{resolved(3 * time.Second), row, resolved(2 * time.Second)}, Hold: silent})
	needs := watching(300 * time.Millisecond)
	began := time.Now()
	facts := Examine(t.Context(), url, needs)
	if facts.Unreachable != nil || facts.Feed.Err != nil {
		t.Fatalf("facts %+v", facts)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("looking took %v", took)
	}
	if facts.Feed.Resolved != 2 || facts.Feed.Worst < 3*time.Second || facts.Feed.Worst > 8*time.Second {
		t.Errorf("feed %+v: want two resolved timestamps, the first of them three seconds old", facts.Feed)
	}
	if facts.Offset.Abs() > 5*time.Second || facts.User != "app" || facts.Tables[0] != (TableFacts{"profiles", true, 14400}) {
		t.Errorf("facts %+v", facts)
	}
}

func TestFeedsThatCannotBeFollowed(t *testing.T) {
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	for _, c := range []struct {
		name      string
		feed      scripted.Answer
		seen, run string
	}{
		{"rangefeeds are off", scripted.Answer{Code: "XXUUU", Text: "rangefeeds require the kv.rangefeed.enabled setting"}, "rangefeeds require", "SET CLUSTER SETTING"},
		{"no privilege", scripted.Answer{Code: "42501", Text: "user app does not have CHANGEFEED privilege"}, "CHANGEFEED privilege", "duty relay"},
		{"nonsense", scripted.Rows([]string{scripted.Null, scripted.Null, "nonsense"}), "cannot be read", "log"},
		{"a stamp that is none", scripted.Rows([]string{scripted.Null, scripted.Null, `{"resolved":"soon"}`}), "cannot be read", "log"},
		{"silence", scripted.Answer{Rows: [][]string{{"profiles", "[]", "{}"}}, Hold: hold}, "no resolved timestamp", "--watch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			needs := watching(2 * time.Second)
			if c.name == "silence" {
				needs.Watch = 200 * time.Millisecond
			}
			check := find(t, Examine(t.Context(), cluster(t, newCluster, c.feed), needs).Judge(needs), "feed_lag")
			if check.Status != Fail || !strings.Contains(check.Seen, c.seen) || !strings.Contains(check.Run, c.run) {
				t.Errorf("check %+v, want %q and %q", check, c.seen, c.run)
			}
		})
	}
}

func TestWhoMayNotSeeSettingsIsToldWhatToGrant(t *testing.T) {
	hidden := scripted.Always(`SHOW ALL CLUSTER SETTINGS`, scripted.Answer{Code: "42501", Text: "only users with VIEWCLUSTERSETTING are allowed"})
	for version, run := range map[string]string{oldCluster: "ALTER USER app WITH VIEWCLUSTERSETTING", newCluster: "GRANT SYSTEM VIEWCLUSTERSETTING TO app"} {
		check := find(t, Examine(t.Context(), cluster(t, version, scripted.Answer{}, hidden), watching(0)).Judge(watching(0)), "settings")
		if check.Status != Warn || check.Run != run {
			t.Errorf("%s: %+v, want %q", version, check, run)
		}
	}
}

func TestExamineOnPostgreSQL(t *testing.T) {
	needs := Defaults()
	facts := Examine(t.Context(), pgtest.Shared(t).Database(t), &needs)
	if facts.Unreachable != nil || facts.Uncertain <= 0 || facts.Offset.Abs() > 10*time.Second {
		t.Errorf("facts %+v", facts)
	}
	checks := facts.Judge(&needs)
	if got := find(t, checks, "version"); got.Status != Fail || !strings.Contains(got.Seen, "stands in") {
		t.Errorf("version: %+v", got)
	}
	if got := find(t, checks, "tables"); got.Status != Fail || got.Run != "eligibility migrate up" {
		t.Errorf("tables: %+v", got)
	}
}

func TestUnreachableDatabases(t *testing.T) {
	needs := Defaults()
	for name, url := range map[string]string{
		"nobody listens": "postgres://app:hunter2hunter2@127.0.0.1:1/x?connect_timeout=2", "no URL": "postgres://app:hunter2hunter2@[",
		"another product": cluster(t, "MariaDB 11", scripted.Answer{}),
	} {
		checks := Examine(t.Context(), url, &needs).Judge(&needs)
		if len(checks) != 1 || checks[0].Status != Fail || strings.Contains(checks[0].Seen, "hunter2") {
			t.Errorf("%s: %+v", name, checks)
		}
	}
}

func find(t *testing.T, checks []Check, id string) Check {
	t.Helper()
	for _, c := range checks {
		if c.ID == id {
			return c
		}
	}
	t.Fatalf("no check %s among %+v", id, checks)
	return Check{}
}
