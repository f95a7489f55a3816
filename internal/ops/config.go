package ops

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Config is what the ops plane can be told. Start from Defaults.
type Config struct {
	Pprof         bool          // serves profiles on any listener; otherwise only on loopback
	CheckTimeout  time.Duration // of one readiness check
	ScrapeTimeout time.Duration // of one scrape
	FeedPatience  time.Duration // how long a FirstOnly check may keep a replica from becoming ready for the first time
}

// Defaults is the configuration that every replica runs with unless told otherwise.
func Defaults() Config {
	return Config{CheckTimeout: time.Second, ScrapeTimeout: 10 * time.Second, FeedPatience: 10 * time.Second}
}

// Gate says what a failing check does to readiness.
type Gate uint8

// The gates.
const (
	Always    Gate = iota // the replica is not ready while it fails
	FirstOnly             // it only keeps the replica from becoming ready the first time, for Config.FeedPatience at most
	Shown                 // it is only shown
)

// Check is one thing that readiness looks at. Run returns nil when all is well; its error's text is shown to operators.
type Check struct {
	Name string
	Gate Gate
	Run  func(ctx context.Context) error
	// Detail, if set, is shown with the result, whatever that is. It must not wait.
	Detail func() string
}

// Deps is what the ops plane works with.
type Deps struct {
	Checks     []Check
	Draining   func() bool // the replica is about to stop: not ready, whatever else holds; nil: never
	Collectors []Collector
	Logger     *slog.Logger
}

func validate(cfg *Config, deps *Deps) error {
	var faults []error
	if cfg.CheckTimeout <= 0 || cfg.ScrapeTimeout <= 0 || cfg.FeedPatience < 0 {
		faults = append(faults, errors.New("ops: timeouts must be positive"))
	}
	if deps.Logger == nil {
		faults = append(faults, errors.New("ops: no logger"))
	}
	for i, c := range deps.Checks {
		if c.Name == "" || c.Run == nil {
			faults = append(faults, fmt.Errorf("ops: check %d has no name or does nothing", i))
		}
	}
	return errors.Join(faults...)
}
