package bulk

import (
	"errors"
	"log/slog"
	"runtime"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/audience"
	"eligibility/internal/cache"
	"eligibility/internal/hlc"
	"eligibility/internal/precheck"
	"eligibility/internal/reserve"
	"eligibility/internal/rules"
)

// Config is the plane's limits. Start from Defaults.
type Config struct {
	Streams     int           // open at one time
	Lanes       int           // that work at one time: what the plane may take of the processors
	Share       float64       // of a processor that each of them takes while apps ask, above 0 and up to 1
	Slice       time.Duration // of its time that each of them takes at once while apps ask
	IdleTimeout time.Duration // a sender may be silent this long
	SendTimeout time.Duration // a client must have taken a chunk of answers within this
	ReadTimeout time.Duration // of one chunk's users from the store
	HeaderBytes int
	WindowBytes uint64 // of a compressed body: what decoding it may take of memory
}

// Defaults leaves half of the processors to everything else, and while apps ask, whose p99 suffers from more, all but a tenth of a processor for each lane.
func Defaults() Config {
	return Config{
		Streams: 16, Lanes: max(1, runtime.GOMAXPROCS(0)/2), Share: 0.1, Slice: 250 * time.Microsecond,
		IdleTimeout: time.Minute, SendTimeout: time.Minute, ReadTimeout: 10 * time.Second,
		HeaderBytes: 8 << 10, WindowBytes: 8 << 20,
	}
}

// Validate reports every fault, joined.
func (c *Config) Validate() error {
	if c.Share <= 0 || c.Share > 1 {
		return errors.New("bulk: the share lies above 0 and up to 1")
	}
	if c.Streams < 1 || c.Lanes < 1 || c.Slice <= 0 || c.IdleTimeout <= 0 || c.SendTimeout <= 0 || c.ReadTimeout <= 0 || c.HeaderBytes < 1<<10 || c.WindowBytes < 1<<10 {
		return errors.New("bulk: every limit must be above 0")
	}
	return nil
}

// Rulesets is where the ruleset in force comes from; rules.Live is one.
type Rulesets interface {
	Load(project string) *rules.Ruleset // nil while none is loaded
}

// Deps is what the plane works with. Audiences and Requests may be nil: no jobs are taken, and nobody is waited for.
type Deps struct {
	Users    precheck.Users
	Book     reserve.Book // where sends are reserved
	Rulesets Rulesets
	Keys     access.Keys
	Clock    *hlc.Estimate // the database's clock
	Logger   *slog.Logger

	Audiences *audience.Manager
	Requests  func() uint64 // how many requests of apps there have been
}

func (d *Deps) requests() uint64 {
	if d.Requests == nil {
		return 0
	}
	return d.Requests()
}

var _ precheck.Users = (*cache.Cache)(nil)
