package crdb

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/profile"

	"github.com/jackc/pgx/v5"
)

// Config says where the database is and how it is used. Start from Defaults.
type Config struct {
	URL      string // postgres://user:password@host:26257/database?sslmode=verify-full…
	Insecure bool   // allow a connection without TLS beyond this machine

	Conns            int           // size of the pool: it is filled before the store is ready and stays so
	ConnLifetime     time.Duration // a connection is replaced after this, so that load follows the nodes; below the database's drain wait
	ConnJitter       time.Duration // at most this much longer, so that they do not all go at once
	LoadTimeout      time.Duration // of a read that a decision waits for
	WriteTimeout     time.Duration // of a write or any other read, retries included
	SampleTimeout    time.Duration // of drawing a sample, which passes over all users of the project
	Retention        time.Duration // how long a user event counts, by the time at which it occurred
	LeaseDuration    time.Duration // how long a relay lease that is not renewed stays its holder's
	SweepEvery       time.Duration // pause between two passes over expired rows, on releases that do not remove them by themselves
	MigrationTimeout time.Duration // of one statement of a migration

	// Feed is where Follow gets the changes from. Nil: the database's own changefeed.
	Feed   events.Feed
	Logger *slog.Logger // nil discards
}

// Defaults is the configuration of a store on the database at url.
func Defaults(url string) Config {
	return Config{
		URL:              url,
		Conns:            16,
		ConnLifetime:     15 * time.Minute,
		ConnJitter:       3 * time.Minute,
		LoadTimeout:      2 * time.Second,
		WriteTimeout:     10 * time.Second,
		SampleTimeout:    5 * time.Second,
		Retention:        profile.DefaultRetention,
		LeaseDuration:    5 * time.Second,
		SweepEvery:       15 * time.Minute,
		MigrationTimeout: 2 * time.Minute,
	}
}

// Validate reports everything that is wrong with c. It never quotes the URL, which may hold a password.
func (c *Config) Validate() error {
	var faults []error
	if err := checkURL(c.URL, c.Insecure); err != nil {
		faults = append(faults, err)
	}
	if c.Conns < 2 || c.Conns > 1000 {
		faults = append(faults, fmt.Errorf("the pool has %d connections, want 2 to 1000", c.Conns))
	}
	for name, d := range map[string]time.Duration{
		"connection lifetime": c.ConnLifetime, "load timeout": c.LoadTimeout, "write timeout": c.WriteTimeout, "sample timeout": c.SampleTimeout,
		"retention": c.Retention, "lease duration": c.LeaseDuration, "sweep interval": c.SweepEvery, "migration timeout": c.MigrationTimeout,
	} {
		if d <= 0 {
			faults = append(faults, fmt.Errorf("%s is %v, want more than 0", name, d))
		}
	}
	if c.ConnJitter < 0 {
		faults = append(faults, fmt.Errorf("connection jitter is %v, want 0 or more", c.ConnJitter))
	}
	return errors.Join(faults...)
}

// ErrPlain: the connection would be readable on the way.
var ErrPlain = errors.New("the database would be reached without TLS beyond this machine: " +
	"use sslmode=verify-full, or --insecure to accept it")

// errURL replaces the library's error, which quotes what it could not read.
var errURL = errors.New("the database URL is missing or malformed: want postgres://user@host:26257/database?sslmode=verify-full")

func checkURL(url string, insecure bool) error {
	if url == "" {
		return errURL
	}
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return errURL
	}
	if insecure {
		return nil
	}
	plain := cfg.TLSConfig == nil && !local(cfg.Host)
	for _, other := range cfg.Fallbacks { // sslmode=prefer and allow go on without
		plain = plain || other.TLSConfig == nil && !local(other.Host)
	}
	if plain {
		return ErrPlain
	}
	return nil
}

// local reports whether host is this machine: a Unix socket or a loopback address.
func local(host string) bool {
	if strings.HasPrefix(host, "/") || host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
