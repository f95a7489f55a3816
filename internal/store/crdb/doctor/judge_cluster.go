package doctor

import (
	"fmt"
	"strings"
	"time"
)

func (f *Facts) rangefeeds(j *judge) {
	const name, why = "kv.rangefeed.enabled", "changefeeds are built on them: without, no replica hears of a change"
	if f.Settings[name] == "true" {
		j.add("rangefeeds", "rangefeeds", OK, "on", why, "")
		return
	}
	j.add("rangefeeds", "rangefeeds", Fail, "off", why, "SET CLUSTER SETTING "+name+" = true")
}

// closedTimestamps bound from below how fresh the feed's promise can be, whatever is measured at the moment.
func (f *Facts) closedTimestamps(j *judge, needs *Needs) {
	const id, title, name = "closed_timestamps", "closed timestamps", "kv.closed_timestamp.target_duration"
	const why = "resolved timestamps trail the present by it and some more; older than the bound, users are read from the database each time"
	target, err := time.ParseDuration(f.Settings[name])
	if err != nil {
		j.add(id, title, Skipped, name+" is not to be seen", why, "")
		return
	}
	seen := fmt.Sprintf("%v behind, the bound is %v", target, needs.Bound)
	const overhead = 600 * time.Millisecond // measured: between resolved timestamps 200 ms apart
	if target+overhead > needs.Bound {
		j.add(id, title, Fail, seen, why, "SET CLUSTER SETTING "+name+" = '1s', or run the replicas with --staleness-bound "+(target+2*time.Second).String())
		return
	}
	j.add(id, title, OK, seen, why, "")
}

func (f *Facts) setting(names []string) (name string, value time.Duration, ok bool) {
	for _, name := range names {
		if text, there := f.Settings[name]; there {
			value, err := time.ParseDuration(text)
			return name, value, err == nil
		}
	}
	return names[0], 0, false
}

// drain compares how a node goes away with how long the engine's connections live.
func (f *Facts) drain(j *judge, needs *Needs) {
	const why = "a node that drains cuts what is left when its time is up: connections that live longer end in errors, in business hours"
	name, value, known := f.setting(connectionsTimeout)
	switch seen := fmt.Sprintf("%s is %v, pooled connections live up to %v", name, value, needs.ConnLifetime); {
	case !known:
		j.add("drain_connections", "drain, connections", Skipped, name+" is not to be seen", why, "")
	case value <= needs.ConnLifetime:
		j.add("drain_connections", "drain, connections", Warn, seen, why,
			fmt.Sprintf("SET CLUSTER SETTING %s = '%v'", name, needs.ConnLifetime.Round(time.Minute)+2*time.Minute))
	default:
		j.add("drain_connections", "drain, connections", OK, seen, why, "")
	}

	const whyWait = "a node tells load balancers that it goes and waits so long for them to notice; without, new connections reach a node that refuses them"
	name, value, known = f.setting(initialWait)
	switch seen := fmt.Sprintf("%s is %v", name, value); {
	case !known:
		j.add("drain_wait", "drain, announcement", Skipped, name+" is not to be seen", whyWait, "")
	case value <= 0:
		j.add("drain_wait", "drain, announcement", Warn, seen, whyWait,
			"SET CLUSTER SETTING "+name+" = '10s', or more than the load balancer's interval times its threshold")
	default:
		j.add("drain_wait", "drain, announcement", OK, seen, whyWait, "")
	}

	const whyTransactions = "a node that drains waits so long for statements in flight"
	name, value, known = f.setting(transactionsTimeout)
	switch seen := fmt.Sprintf("%s is %v, a replica gives requests %v", name, value, needs.DrainTimeout); {
	case !known:
		j.add("drain_transactions", "drain, transactions", Skipped, name+" is not to be seen", whyTransactions, "")
	case value < needs.DrainTimeout:
		j.add("drain_transactions", "drain, transactions", Warn, seen, whyTransactions,
			fmt.Sprintf("SET CLUSTER SETTING %s = '%v'", name, needs.DrainTimeout))
	default:
		j.add("drain_transactions", "drain, transactions", OK, seen, whyTransactions, "")
	}
}

// garbage is how long a feed can be away: older versions than that are gone, and its cursor with them.
func (f *Facts) garbage(j *judge, needs *Needs) {
	const id, title = "gc_ttl", "garbage collection"
	const why = "a relay that was away longer cannot go on where it was: every replica then forgets all users that it holds, and the database reads them again"
	var short, run []string
	least := time.Duration(0)
	known := false
	for _, table := range f.Tables {
		if table.GCSeconds == 0 {
			continue
		}
		kept := time.Duration(table.GCSeconds) * time.Second
		if !known || kept < least {
			least, known = kept, true
		}
		if kept < needs.Outage {
			short = append(short, fmt.Sprintf("%s %v", table.Name, kept))
			run = append(run, fmt.Sprintf("ALTER TABLE %s CONFIGURE ZONE USING gc.ttlseconds = %d", table.Name, int64(needs.Outage/time.Second)))
		}
	}
	switch {
	case !known:
		j.add(id, title, Skipped, "the zones of the tables are not to be seen", why, "")
	case len(short) > 0:
		j.add(id, title, Fail, fmt.Sprintf("%s; an outage of the relay of %v is to be lived through", strings.Join(short, ", "), needs.Outage), why, strings.Join(run, "; "))
	default:
		j.add(id, title, OK, fmt.Sprintf("%v at least, for outages of up to %v", least, needs.Outage), why, "")
	}
}

// feed judges what was measured.
func (f *Facts) feed(j *judge, needs *Needs) {
	const id, title = "feed_lag", "feed"
	const why = "the age of the resolved timestamp just before the next one is how old an answer can be; beyond the bound the cache is no use"
	feed := &f.Feed
	switch {
	case feed.Skipped != "":
		j.add(id, title, Skipped, feed.Skipped, why, "")
	case feed.Err != nil:
		j.add(id, title, Fail, feed.Err.Error(), why, f.feedRemedy())
	case feed.Resolved == 0:
		j.add(id, title, Fail, fmt.Sprintf("no resolved timestamp in %v", feed.Watched.Round(time.Second)), why,
			"watch longer (--watch 30s); then look for long transactions and for ranges without a leaseholder")
	default:
		worst := feed.Worst.Round(10 * time.Millisecond)
		seen := fmt.Sprintf("at most %v behind in %v (%d resolved timestamps), the bound is %v", worst, feed.Watched.Round(time.Second), feed.Resolved, needs.Bound)
		const run = "SET CLUSTER SETTING kv.closed_timestamp.target_duration = '1s', or run the replicas with a greater --staleness-bound"
		switch {
		case worst > needs.Bound:
			j.add(id, title, Fail, seen, why, run)
		case worst > needs.Bound/10*boundShare:
			j.add(id, title, Warn, seen, why, run)
		default:
			j.add(id, title, OK, seen, why, "")
		}
	}
}

// feedRemedy knows the faults of a feed by what they say; most have no SQLSTATE of their own.
func (f *Facts) feedRemedy() string {
	text := f.Feed.Err.Error()
	switch {
	case strings.Contains(text, "kv.rangefeed.enabled"):
		return "SET CLUSTER SETTING kv.rangefeed.enabled = true"
	case strings.Contains(text, "42501"):
		return "give " + f.User + " a role with the duty relay: docs/bootstrap.md"
	}
	return "look at the database's log"
}
