package doctor

import (
	"fmt"
	"strings"
	"time"

	"eligibility/internal/store/crdb/release"
)

// Thresholds of judging, beside those that are needs.
const (
	boundShare = 8 // tenths of the bound that the feed may use up before it is a warning
	clockWarn  = 500 * time.Millisecond
	clockFail  = 10 * time.Second // stamps further ahead are taken for damaged
)

// Names of settings that were renamed in 23.1, newest first.
var (
	connectionsTimeout  = []string{"server.shutdown.connections.timeout", "server.shutdown.connection_wait"}
	initialWait         = []string{"server.shutdown.initial_wait", "server.shutdown.drain_wait"}
	transactionsTimeout = []string{"server.shutdown.transactions.timeout", "server.shutdown.query_wait"}
)

// Judge holds the facts against the needs. It is pure.
func (f *Facts) Judge(needs *Needs) []Check {
	const area = "database"
	j := &judge{area: area}
	if f.Unreachable != nil {
		j.add("reachable", "connection", Fail, f.Unreachable.Error(), "nothing works without the database", "look at the URL, its certificates and the network")
		return j.checks
	}
	j.add("reachable", "connection", OK, fmt.Sprintf("%s as %s in %s", f.Release, f.User, f.Database), "nothing works without the database", "")
	f.version(j)
	f.isolation(j)
	f.clockOffset(j)
	f.present(j)
	if f.Release.Dialect != release.CockroachDB {
		return j.checks
	}
	if f.Settings == nil {
		grant := "ALTER USER " + f.User + " WITH VIEWCLUSTERSETTING"
		if f.Release.Has(release.SystemPrivileges) {
			grant = "GRANT SYSTEM VIEWCLUSTERSETTING TO " + f.User
		}
		j.add("settings", "cluster settings", Warn, fmt.Sprintf("%s may not see them: %v", f.User, f.Hidden), "most checks below read them", grant)
	} else {
		f.rangefeeds(j)
		f.closedTimestamps(j, needs)
		f.drain(j, needs)
	}
	f.garbage(j, needs)
	f.feed(j, needs)
	return j.checks
}

type judge struct {
	area   string
	checks []Check
}

func (j *judge) add(id, title string, status Status, seen, why, run string) {
	j.checks = append(j.checks, Check{ID: id, Area: j.area, Title: title, Status: status, Seen: seen, Why: why, Run: run})
}

func (f *Facts) version(j *judge) {
	const id, title, why = "version", "version", "an older release lacks what makes the engine fast or its operation simple"
	if f.Release.Dialect != release.CockroachDB {
		j.add(id, title, Fail, f.Release.String()+" stands in for CockroachDB in tests only", "it has no changefeeds", "run CockroachDB")
		return
	}
	var missing []string
	for _, feature := range release.Features() {
		if !f.Release.Has(feature.ID) {
			missing = append(missing, fmt.Sprintf("%s (v%d.%d): %s", feature.What, feature.Major, feature.Minor, feature.Without))
		}
	}
	switch {
	case !f.Release.Known():
		j.add(id, title, Fail, f.Release.String()+" is older than v22.1, the oldest that was looked at", why, "upgrade the cluster")
	case len(missing) > 0:
		j.add(id, title, Warn, f.Release.String()+" lacks "+strings.Join(missing, "; "), why, "upgrade the cluster, or live with it")
	default:
		j.add(id, title, OK, f.Release.String()+" has all that the engine makes use of", why, "")
	}
}

func (f *Facts) isolation(j *judge) {
	const id, title, why = "isolation", "default isolation", "a snapshot states the time at which it is true, which only serializable transactions know"
	if f.Release.Dialect != release.CockroachDB || strings.EqualFold(f.Isolation, "serializable") {
		j.add(id, title, OK, f.Isolation, why, "")
		return
	}
	j.add(id, title, Warn, f.Isolation+"; the engine asks for serializable on its own connections", why,
		"ALTER DATABASE "+f.Database+" SET default_transaction_isolation = 'serializable'")
}

func (f *Facts) clockOffset(j *judge) {
	const id, title = "clock", "clocks"
	const why = "the engine measures ages with the database's clock, but tokens expire by this machine's"
	off := max(f.Offset, -f.Offset)
	seen := fmt.Sprintf("the database's is %v ahead of this machine's (± %v)", f.Offset.Round(time.Millisecond), f.Uncertain.Round(time.Millisecond))
	if f.Offset < 0 {
		seen = fmt.Sprintf("the database's is %v behind this machine's (± %v)", off.Round(time.Millisecond), f.Uncertain.Round(time.Millisecond))
	}
	const run = "look at the time service of this machine and of the nodes: chronyc tracking"
	switch {
	case f.Uncertain < 0:
		j.add(id, title, Skipped, "the database did not tell its time", why, "")
	case off-f.Uncertain > clockFail:
		j.add(id, title, Fail, seen, why, run)
	case off-f.Uncertain > clockWarn:
		j.add(id, title, Warn, seen, why, run)
	default:
		j.add(id, title, OK, seen, why, "")
	}
}

// present is whether the tables of the feed are there.
func (f *Facts) present(j *judge) {
	const id, title, why = "tables", "tables of the feed", "migrations make them; a feed of a missing table cannot begin"
	var missing []string
	for i := range f.Tables {
		if !f.Tables[i].There {
			missing = append(missing, f.Tables[i].Name)
		}
	}
	if len(missing) > 0 {
		j.add(id, title, Fail, "missing: "+strings.Join(missing, ", "), why, "eligibility migrate up")
		return
	}
	j.add(id, title, OK, fmt.Sprintf("all %d are there", len(f.Tables)), why, "")
}
