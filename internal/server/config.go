package server

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Config is the plane's limits. Start from Defaults.
type Config struct {
	DecisionBodyBytes int // largest body of a call about one user
	BulkBodyBytes     int // largest body of a call that takes a list
	HeaderBytes       int // largest request line and header together

	ReadTimeout     time.Duration // a request must have arrived whole this long after its first byte
	BulkReadTimeout time.Duration // the same for a list that a known server key sends
	WriteTimeout    time.Duration // a client must have taken the answer within this
	IdleTimeout     time.Duration // a kept-alive connection may be silent this long; above a load balancer's own, or resets race
	StoreTimeout    time.Duration // bound of everything one request waits for behind the plane

	Concurrency    int            // connections served at once
	ClientRate     float64        // requests a second for each client key and address; 0: unlimited
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
}

// Defaults is the configuration that fits one replica behind a load balancer or alone.
func Defaults() Config {
	return Config{
		DecisionBodyBytes: 64 << 10, BulkBodyBytes: 4 << 20, HeaderBytes: 8 << 10,
		ReadTimeout: 5 * time.Second, BulkReadTimeout: 30 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 75 * time.Second,
		StoreTimeout: 5 * time.Second, Concurrency: 32 << 10, ClientRate: 50,
	}
}

// Validate reports every fault, joined.
func (c *Config) Validate() error {
	var faults []error
	positive := func(name string, n int64) {
		if n <= 0 {
			faults = append(faults, fmt.Errorf("server: %s must be above 0", name))
		}
	}
	positive("decision body bytes", int64(c.DecisionBodyBytes))
	positive("bulk body bytes", int64(c.BulkBodyBytes))
	positive("read timeout", int64(c.ReadTimeout))
	positive("bulk read timeout", int64(c.BulkReadTimeout))
	positive("write timeout", int64(c.WriteTimeout))
	positive("idle timeout", int64(c.IdleTimeout))
	positive("store timeout", int64(c.StoreTimeout))
	positive("concurrency", int64(c.Concurrency))
	if c.HeaderBytes < 1<<10 {
		faults = append(faults, errors.New("server: header bytes must be at least 1024"))
	}
	if c.ClientRate < 0 {
		faults = append(faults, errors.New("server: client rate must not be negative: use 0 for no limit"))
	}
	return errors.Join(faults...)
}
