package changefeed

import (
	"errors"
	"fmt"
	"time"

	"eligibility/internal/events/changejson"

	"github.com/jackc/pgx/v5"
)

// Config says where the database is and how its feed is followed. Begin with Defaults.
type Config struct {
	// URL is the database's, as the store has it. Whether it may be reached without TLS the store has judged.
	URL string
	// Tables are those on the feed.
	Tables []changejson.Table
	// Resolved is how often the database says up to where everything was told.
	Resolved time.Duration
	// Quiet is how long the feed may say nothing at all before it is taken for dead: well above Resolved and the lag of resolved stamps.
	Quiet time.Duration
	// ConnectTimeout bounds connecting and every question beside the feed.
	ConnectTimeout time.Duration
}

// Defaults is the configuration for the database at url.
func Defaults(url string) Config {
	return Config{URL: url, Tables: changejson.Tables(), Resolved: DefaultResolved, Quiet: 30 * time.Second, ConnectTimeout: 10 * time.Second}
}

// DefaultResolved is what leaves the default staleness bound room above the lag of the database's closed timestamps.
const DefaultResolved = 200 * time.Millisecond

// errURL replaces the library's error, which quotes what it could not read.
var errURL = errors.New("changefeed: the database URL is missing or malformed")

// Validate reports everything that is wrong with c. It never quotes the URL, which may hold a password.
func (c *Config) Validate() error {
	var faults []error
	if _, err := pgx.ParseConfig(c.URL); err != nil || c.URL == "" {
		faults = append(faults, errURL)
	}
	if len(c.Tables) == 0 {
		faults = append(faults, errors.New("changefeed: no tables"))
	}
	if c.Resolved < 10*time.Millisecond {
		faults = append(faults, fmt.Errorf("changefeed: resolved every %v, want 10ms or more", c.Resolved))
	}
	if c.Quiet < c.Resolved || c.ConnectTimeout <= 0 {
		faults = append(faults, fmt.Errorf("changefeed: quiet for %v, connected in %v: want at least the %v between resolved stamps, and more than 0",
			c.Quiet, c.ConnectTimeout, c.Resolved))
	}
	return errors.Join(faults...)
}

// connConfig is how the feed's connection differs from the pool's: nothing may end its one statement.
func (c *Config) connConfig() (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(c.URL)
	if err != nil {
		return nil, errURL
	}
	cfg.ConnectTimeout = c.ConnectTimeout
	cfg.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement // bytes come as they are, whatever the URL asks for
	cfg.RuntimeParams["application_name"] = "eligibility-changefeed"
	// A role's own defaults must not end a statement that never ends, nor choose a level at which the server refuses it.
	cfg.RuntimeParams["statement_timeout"] = "0"
	cfg.RuntimeParams["default_transaction_isolation"] = "serializable"
	return cfg, nil
}
