package doctor

import (
	"time"

	"eligibility/internal/store/crdb/release"
)

// Needs is what the engine asks of its surroundings, as it is or will be configured.
type Needs struct {
	Bound        time.Duration // staleness bound
	Outage       time.Duration // longest time that the relay may be away without every cache being emptied
	ConnLifetime time.Duration // longest life of a pooled connection, jitter included
	DrainTimeout time.Duration // of a replica: how long a request in flight may take to end
	Watch        time.Duration // how long to watch a feed; 0: not at all
	Tables       []string      // on the feed
}

// Defaults are the needs of an engine that runs with its defaults.
func Defaults() Needs {
	return Needs{
		Bound: 5 * time.Second, Outage: time.Hour, ConnLifetime: 18 * time.Minute, DrainTimeout: 10 * time.Second, Watch: 6 * time.Second,
		Tables: []string{"profiles", "user_events", "emails", "rulesets", "api_keys"},
	}
}

// Facts is what a database told about itself.
type Facts struct {
	Unreachable error // the rest is empty then
	Release     release.Release
	User        string
	Database    string
	Isolation   string            // default of new transactions
	Settings    map[string]string // nil: not to be seen
	Hidden      error             // why
	Tables      []TableFacts
	Offset      time.Duration // database's clock − this machine's; true within Uncertain
	Uncertain   time.Duration
	Feed        FeedFacts
}

// TableFacts is how a table of the feed is kept.
type TableFacts struct {
	Name      string
	There     bool
	GCSeconds int64 // 0: not known
}

// FeedFacts is what watching a feed gave.
type FeedFacts struct {
	Skipped  string // why it was not watched; "": it was
	Watched  time.Duration
	Resolved int           // how many resolved timestamps came
	Worst    time.Duration // greatest age of the last resolved timestamp, just before the next one came
	Err      error
}
