package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
)

// Delivery is what one request of the database says.
type Delivery struct {
	// Changes in the order of the request. One whose row cannot be told has no table; its stamp is the row's or, when that is not known either,
	// zero.
	Changes []events.Change
	// Resolved is the feed's promise that all changes at or before it were delivered; zero when the request holds none.
	Resolved hlc.Timestamp
}

// Config is how changes are taken in. Begin with Defaults.
type Config struct {
	// Token is the whole value of the Authorization header that the database sends.
	Token string
	// Feeds are the ids of the changefeed jobs, the last element of their URLs. Everything up to a stamp was delivered when each of them says so.
	Feeds []string
	// Decode reads a request's body, which it must not keep.
	Decode func(body []byte) (Delivery, error)
	// Now is the database's clock: the stamp of a change that has none.
	Now func(ctx context.Context) (hlc.Timestamp, error)
	// MaxBodyBytes bounds one request, MaxBytes all at one time; beyond that the answer is 503 and the database tries again.
	MaxBodyBytes, MaxBytes int64
	// AckTimeout is how long a request waits for the bus. The database itself gives up after 3 s.
	AckTimeout time.Duration
	// Silence is how long a feed may say nothing about what it has delivered and still be the same job. After it, as at the start of a term, its first
	// stamp makes followers assume that everything changed.
	Silence time.Duration
	Logger  *slog.Logger
}

// Defaults is the configuration but for the token, the feeds, the decoder and the clock, which have no default.
func Defaults() Config {
	return Config{MaxBodyBytes: 16 << 20, MaxBytes: 64 << 20, AckTimeout: 2500 * time.Millisecond, Silence: 30 * time.Second, Logger: slog.Default()}
}

// Limits of what Validate accepts.
const (
	minTokenBytes = 16
	maxTokenBytes = 4096
	maxFeeds      = 64
)

// feedName is the form of a feed's id.
var feedName = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

// Validate reports all faults at once.
func (c *Config) Validate() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf("webhook: "+format, args...))
		}
	}
	fault(len(c.Token) < minTokenBytes || len(c.Token) > maxTokenBytes, "the token has %d characters, want %d to %d", len(c.Token), minTokenBytes, maxTokenBytes)
	fault(len(c.Feeds) == 0 || len(c.Feeds) > maxFeeds, "%d feeds, want 1 to %d", len(c.Feeds), maxFeeds)
	for i, feed := range c.Feeds {
		fault(!feedName.MatchString(feed), "feed %d: %.80q is no id: lower-case letters, digits and hyphens, at most 64", i, feed)
	}
	fault(c.Decode == nil || c.Now == nil, "it needs a decoder and a clock")
	fault(c.MaxBodyBytes < 1<<20 || c.MaxBytes < c.MaxBodyBytes, "a body may have %d bytes, all at one time %d: want at least 1 MiB, in order", c.MaxBodyBytes, c.MaxBytes)
	fault(c.AckTimeout <= 0 || c.Silence <= 0, "the times to wait for the bus and for a feed must be positive")
	fault(c.Logger == nil, "no logger")
	return errors.Join(faults...)
}
