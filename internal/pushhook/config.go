package pushhook

import (
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"time"
)

// Config bounds watching and sending. Start from Defaults.
type Config struct {
	Watched   int           // users, or users in one context, that are watched at one time; the one seen longest ago makes room
	WatchTime time.Duration // after it was last seen, a user is watched no longer
	MaxUser   int           // contexts in which one user is watched
	Lookers   int           // answers computed at one time

	Interval     time.Duration // between two messages about one user; what changes in between is one message
	Queue        int           // users about whom a message waits, all projects together
	ProjectQueue int           // of one project
	Workers      int           // requests at one time
	ProjectLimit int           // requests of one project at one time
	Attempts     int           // requests for one message
	Backoff      time.Duration // after the first attempt; twice as long after each other one. The first half is certain, the rest drawn
	MaxBackoff   time.Duration
	MaxAsked     time.Duration // the longest wait that a receiver's Retry-After is granted
	Timeout      time.Duration // of one request, from the look-up of the name to the end of the answer
	DeadLetters  int           // kept of each project, the latest ones

	Allow    []netip.Prefix // addresses that are spoken to although they are not public
	RootCAs  *x509.CertPool // vouch for receivers; nil: those of the system
	Resolver *net.Resolver  // nil: that of the system
	Logger   *slog.Logger
}

// Defaults watches 20,000 users and gives a message up after about ten minutes.
func Defaults() Config {
	return Config{
		Watched: 20_000, WatchTime: 24 * time.Hour, MaxUser: 4, Lookers: 2,
		Interval: 30 * time.Second, Queue: 10_000, ProjectQueue: 5_000, Workers: 32, ProjectLimit: 4,
		Attempts: 10, Backoff: time.Second, MaxBackoff: 5 * time.Minute, MaxAsked: 10 * time.Minute, Timeout: 10 * time.Second, DeadLetters: 100,
		Logger: slog.New(slog.DiscardHandler),
	}
}

// Validate reports every fault, joined.
func (c *Config) Validate() error {
	var faults []error
	for _, n := range []int{c.Watched, c.MaxUser, c.Lookers, c.Queue, c.ProjectQueue, c.Workers, c.ProjectLimit, c.Attempts, c.DeadLetters} {
		if n < 1 {
			faults = append(faults, errors.New("pushhook: every count must be above 0"))
			break
		}
	}
	if min(c.WatchTime, c.Interval, c.Backoff, c.MaxBackoff, c.MaxAsked, c.Timeout) <= 0 {
		faults = append(faults, errors.New("pushhook: every duration must be above 0"))
	}
	if c.Logger == nil {
		faults = append(faults, errors.New("pushhook: a logger is needed"))
	}
	return errors.Join(faults...)
}
