package events

import (
	"errors"
	"log/slog"
	"time"
)

// RelayConfig is how a relay behaves. Begin with DefaultRelayConfig.
type RelayConfig struct {
	// Holder names this process in the lease; it must differ from every other process's.
	Holder string
	// TryEvery is how often a standby asks for the lease; RenewEvery how often the holder extends it, well below the store's lease time.
	TryEvery, RenewEvery time.Duration
	// SaveEvery is the least time between two saves of the cursor. A crash sends at most the changes of this time again.
	SaveEvery time.Duration
	// StopGrace is how long Stop lets what was already taken from the feed reach the bus. What does not is sent again by the next relay.
	StopGrace time.Duration
	// RetryLeast and RetryMost bound the waits before a failed publish or a broken feed is tried again.
	RetryLeast, RetryMost time.Duration
	// MaxAhead is how far a stamp may lie ahead of the database's clock and still be believed.
	MaxAhead time.Duration
	Logger   *slog.Logger
}

// MaxAhead is the default for how far a stamp may lie ahead of the database's clock.
const MaxAhead = 10 * time.Second

// DefaultRelayConfig is the configuration of a relay called holder.
func DefaultRelayConfig(holder string) RelayConfig {
	return RelayConfig{
		Holder: holder, TryEvery: time.Second, RenewEvery: time.Second, SaveEvery: time.Second, StopGrace: 500 * time.Millisecond,
		RetryLeast: 20 * time.Millisecond, RetryMost: 2 * time.Second, MaxAhead: MaxAhead, Logger: slog.Default(),
	}
}

// Validate reports all faults at once.
func (c *RelayConfig) Validate() error {
	var faults []error
	if c.Holder == "" {
		faults = append(faults, errors.New("relay: the holder has no name"))
	}
	if c.TryEvery <= 0 || c.RenewEvery <= 0 || c.SaveEvery <= 0 {
		faults = append(faults, errors.New("relay: the intervals to try, renew and save must be positive"))
	}
	if c.StopGrace < 0 {
		faults = append(faults, errors.New("relay: the stop grace must not be negative"))
	}
	if c.RetryLeast <= 0 || c.RetryMost < c.RetryLeast {
		faults = append(faults, errors.New("relay: the retry waits must be positive and in order"))
	}
	if c.MaxAhead <= 0 {
		faults = append(faults, errors.New("relay: the greatest lead of a stamp must be positive"))
	}
	if c.Logger == nil {
		faults = append(faults, errors.New("relay: no logger"))
	}
	return errors.Join(faults...)
}
