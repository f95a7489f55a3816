package admin

import (
	"errors"
	"fmt"
	"time"
)

// Config is what the control plane can be told. Start from Defaults.
type Config struct {
	ReadHeaderTimeout time.Duration // from the first byte of a request to the end of its header
	ReadTimeout       time.Duration // to the end of its body
	WriteTimeout      time.Duration // to the end of the answer: longer than MaxWait and HandleTimeout
	IdleTimeout       time.Duration // of a kept connection
	HandleTimeout     time.Duration // of the work for one request, waiting for replicas not counted
	MaxWait           time.Duration // the longest ?wait= of a publish
	BodyBytes         int64         // the largest body
	HeaderBytes       int           // the largest header
	MaxKeys           int           // keys of one project, revoked ones included
}

// Defaults is the configuration that every replica runs with unless told otherwise.
func Defaults() Config {
	return Config{
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute,
		HandleTimeout: 15 * time.Second, MaxWait: 30 * time.Second, BodyBytes: 1 << 20, HeaderBytes: 16 << 10, MaxKeys: 1000,
	}
}

// Validate reports every fault, joined.
func (c *Config) Validate() error {
	var faults []error
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"read header timeout", c.ReadHeaderTimeout},
		{"read timeout", c.ReadTimeout},
		{"write timeout", c.WriteTimeout},
		{"idle timeout", c.IdleTimeout},
		{"handle timeout", c.HandleTimeout},
		{"longest wait", c.MaxWait},
	} {
		if d.value <= 0 {
			faults = append(faults, fmt.Errorf("admin: the %s must be positive, not %v", d.name, d.value))
		}
	}
	if c.WriteTimeout <= c.MaxWait+c.HandleTimeout {
		faults = append(faults,
			fmt.Errorf("admin: the write timeout (%v) must exceed the longest wait and the handle timeout together (%v): it would cut answers",
				c.WriteTimeout, c.MaxWait+c.HandleTimeout))
	}
	if c.BodyBytes < 64<<10 || c.HeaderBytes < 1<<10 || c.MaxKeys < 1 {
		faults = append(faults, errors.New("admin: a body needs at least 64 KiB, a header 1 KiB, and a project one key"))
	}
	return errors.Join(faults...)
}
