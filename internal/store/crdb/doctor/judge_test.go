package doctor

import (
	"errors"
	"strings"
	"testing"
	"time"

	"eligibility/internal/store/crdb/release"
)

// healthy are the facts of a cluster that lacks nothing.
func healthy() *Facts {
	f := &Facts{
		Release: release.Release{Dialect: release.CockroachDB, Major: 25, Minor: 4}, User: "app", Database: "shop", Isolation: "serializable",
		Settings: map[string]string{
			"kv.rangefeed.enabled": "true", "kv.closed_timestamp.target_duration": "1s", "server.shutdown.connections.timeout": "20m0s",
			"server.shutdown.initial_wait": "10s", "server.shutdown.transactions.timeout": "10s",
		},
		Offset: 3 * time.Millisecond, Uncertain: time.Millisecond,
		Feed: FeedFacts{Watched: 6 * time.Second, Resolved: 28, Worst: 1500 * time.Millisecond},
	}
	for _, name := range Defaults().Tables {
		f.Tables = append(f.Tables, TableFacts{Name: name, There: true, GCSeconds: 90000})
	}
	return f
}

func TestJudging(t *testing.T) {
	for _, c := range []struct {
		name      string
		spoil     func(*Facts, *Needs)
		id        string
		status    Status
		seen, run string
	}{
		{"rangefeeds off", func(f *Facts, _ *Needs) { f.Settings["kv.rangefeed.enabled"] = "false" }, "rangefeeds", Fail, "off", "SET CLUSTER SETTING kv.rangefeed.enabled = true"},
		{"old release", func(f *Facts, _ *Needs) { f.Release.Major, f.Release.Minor = 22, 1 }, "version", Warn, "CONTROLCHANGEFEED", "upgrade"},
		{"older than known", func(f *Facts, _ *Needs) { f.Release.Major = 21 }, "version", Fail, "older than v22.1", "upgrade"},
		{
			"read committed", func(f *Facts, _ *Needs) { f.Isolation = "read committed" }, "isolation", Warn, "read committed",
			"ALTER DATABASE shop SET default_transaction_isolation = 'serializable'",
		},
		{"clock ahead", func(f *Facts, _ *Needs) { f.Offset = 700 * time.Millisecond }, "clock", Warn, "700ms ahead", "chronyc"},
		{"clock behind", func(f *Facts, _ *Needs) { f.Offset = -11 * time.Second }, "clock", Fail, "11s behind", "chronyc"},
		{"slow line, no verdict", func(f *Facts, _ *Needs) { f.Offset, f.Uncertain = time.Second, time.Second }, "clock", OK, "± 1s", ""},
		{"no clock", func(f *Facts, _ *Needs) { f.Uncertain = -1 }, "clock", Skipped, "did not tell", ""},
		{"a table missing", func(f *Facts, _ *Needs) { f.Tables[1].There = false }, "tables", Fail, "missing: user_events", "eligibility migrate up"},
		{"target beyond the bound", func(_ *Facts, n *Needs) { n.Bound = time.Second }, "closed_timestamps", Fail, "1s behind, the bound is 1s", "--staleness-bound 3s"},
		{"target not to be seen", func(f *Facts, _ *Needs) { delete(f.Settings, "kv.closed_timestamp.target_duration") }, "closed_timestamps", Skipped, "not to be seen", ""},
		{
			"connections outlive the drain", func(f *Facts, _ *Needs) { f.Settings["server.shutdown.connections.timeout"] = "0s" }, "drain_connections", Warn,
			"pooled connections live up to 18m0s", "server.shutdown.connections.timeout = '20m0s'",
		},
		{"no announcement", func(f *Facts, _ *Needs) { f.Settings["server.shutdown.initial_wait"] = "0s" }, "drain_wait", Warn, "is 0s", "'10s'"},
		{"short transactions", func(_ *Facts, n *Needs) { n.DrainTimeout = 15 * time.Second }, "drain_transactions", Warn, "requests 15s", "= '15s'"},
		{
			"older names of settings", func(f *Facts, _ *Needs) {
				delete(f.Settings, "server.shutdown.connections.timeout")
				f.Settings["server.shutdown.connection_wait"] = "0s"
			}, "drain_connections", Warn, "server.shutdown.connection_wait is 0s", "SET CLUSTER SETTING server.shutdown.connection_wait",
		},
		{"short GC", func(f *Facts, _ *Needs) { f.Tables[2].GCSeconds = 600 }, "gc_ttl", Fail, "emails 10m0s", "ALTER TABLE emails CONFIGURE ZONE USING gc.ttlseconds = 3600"},
		{"zones not to be seen", func(f *Facts, _ *Needs) { f.Tables = nil }, "gc_ttl", Skipped, "not to be seen", ""},
		{"feed beyond the bound", func(f *Facts, _ *Needs) { f.Feed.Worst = 5100 * time.Millisecond }, "feed_lag", Fail, "at most 5.1s behind", "target_duration = '1s'"},
		{"feed near the bound", func(f *Facts, _ *Needs) { f.Feed.Worst = 4500 * time.Millisecond }, "feed_lag", Warn, "at most 4.5s behind", "target_duration = '1s'"},
		{"feed not watched", func(f *Facts, _ *Needs) { f.Feed.Skipped = "it was not asked for" }, "feed_lag", Skipped, "not asked for", ""},
		{"feed refused", func(f *Facts, _ *Needs) { f.Feed.Err = errors.New("no CHANGEFEED (SQLSTATE 42501)") }, "feed_lag", Fail, "42501", "give app a role"},
	} {
		t.Run(c.name, func(t *testing.T) {
			facts, needs := healthy(), Defaults()
			c.spoil(facts, &needs)
			checks := facts.Judge(&needs)
			got := find(t, checks, c.id)
			if got.Status != c.status || !strings.Contains(got.Seen, c.seen) || !strings.Contains(got.Run, c.run) || (c.run == "") != (got.Run == "") {
				t.Errorf("check %+v, want %s, %q, %q", got, c.status, c.seen, c.run)
			}
			for _, other := range checks {
				if other.Why == "" || other.Seen == "" || other.Title == "" {
					t.Errorf("check without words: %+v", other)
				}
				if other.Status == OK && other.Run != "" || (other.Status == Warn || other.Status == Fail) && other.Run == "" {
					t.Errorf("a check says what to run just when something is to be mended: %+v", other)
				}
			}
		})
	}
}

func TestHealthyClusterHasNothingToMend(t *testing.T) {
	needs := Defaults()
	report := Report{Checks: healthy().Judge(&needs)}
	if report.Count(OK) != len(report.Checks) || !report.OK() {
		t.Errorf("checks %+v", report.Checks)
	}
}

func TestJudgingMigrations(t *testing.T) {
	for _, c := range []struct {
		name  string
		facts SchemaFacts
		want  Status
		run   string
	}{
		{"current", SchemaFacts{Applied: 3, Known: 3}, OK, ""},
		{"behind", SchemaFacts{Applied: 2, Known: 3}, Fail, "eligibility migrate up"},
		{"ahead", SchemaFacts{Applied: 4, Known: 3}, Warn, "roll this binary forward"},
		{"refused", SchemaFacts{Err: errors.New("no")}, Fail, "migrate status"},
	} {
		if got := c.facts.Judge()[0]; got.Status != c.want || !strings.Contains(got.Run, c.run) {
			t.Errorf("%s: %+v, want %s", c.name, got, c.want)
		}
	}
}

func TestJudgingTheBus(t *testing.T) {
	good := BusFacts{Server: "n1, NATS 2.15.2", MaxPayload: 1 << 20, NeedPayload: 1 << 19, Stream: "S"}
	for _, c := range []struct {
		name  string
		spoil func(*BusFacts)
		id    string
		want  Status
		seen  string
	}{
		{"well", func(*BusFacts) {}, "stream", OK, "as the engine makes it"},
		{"unreachable", func(b *BusFacts) { b.Err = errors.New("no servers") }, "bus", Fail, "no servers"},
		{"small messages", func(b *BusFacts) { b.MaxPayload = 1000 }, "bus_payload", Fail, "1000 bytes"},
		{"no JetStream", func(b *BusFacts) { b.JetStream = errors.New("not enabled") }, "jetstream", Fail, "not enabled"},
		{"no stream yet", func(b *BusFacts) { b.Missing = true }, "stream", OK, "not there yet"},
		{"another stream", func(b *BusFacts) { b.Differences = []string{"discard: new, want old"} }, "stream", Fail, "discard: new"},
	} {
		bus := good
		c.spoil(&bus)
		if got := find(t, bus.Judge(), c.id); got.Status != c.want || !strings.Contains(got.Seen, c.seen) {
			t.Errorf("%s: %+v, want %s %q", c.name, got, c.want, c.seen)
		}
	}
}
