package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"eligibility/internal/profile"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Config says where and how a store keeps its data. Start from Defaults.
type Config struct {
	Dir             string        // the data directory; made when absent
	InMemory        bool          // keep everything in memory, for tests; Dir then only names it
	Retention       time.Duration // how long a user event counts, by the time at which it occurred
	ChangeRetention time.Duration // how long change records are kept: how old the cursor of a follower may be
	SweepEvery      time.Duration // pause between two passes that remove events beyond retention; reads never see them anyway
	LeaseDuration   time.Duration // how long a lease that is not renewed stays its holder's
	CacheBytes      int64         // Pebble's block cache
	MemTableBytes   uint64        // size of one of Pebble's write buffers
	MinFreeBytes    uint64        // writes are refused while the volume has less room; 0 turns the check off
	Logger          *slog.Logger  // nil discards

	fs   vfs.FS               // tests: a disk that crashes or fails
	wall func() time.Time     // tests: a wall clock that jumps
	mono func() time.Duration // tests: the monotonic clock
}

// Defaults is the configuration of a store in dir.
func Defaults(dir string) Config {
	return Config{
		Dir:             dir,
		Retention:       profile.DefaultRetention,
		ChangeRetention: time.Hour,
		SweepEvery:      15 * time.Minute,
		LeaseDuration:   5 * time.Second,
		CacheBytes:      64 << 20,
		MemTableBytes:   32 << 20,
		MinFreeBytes:    64 << 20,
	}
}

// Validate reports everything that is wrong with c.
func (c *Config) Validate() error {
	var faults []error
	positive := func(name string, d time.Duration) {
		if d <= 0 {
			faults = append(faults, fmt.Errorf("%s is %v, want more than 0", name, d))
		}
	}
	if c.Dir == "" && !c.InMemory {
		faults = append(faults, errors.New("no data directory is named"))
	}
	positive("retention", c.Retention)
	positive("change retention", c.ChangeRetention)
	positive("sweep interval", c.SweepEvery)
	positive("lease duration", c.LeaseDuration)
	if c.CacheBytes < 1<<20 {
		faults = append(faults, fmt.Errorf("block cache is %d bytes, want at least 1 MiB", c.CacheBytes))
	}
	if c.MemTableBytes < 1<<20 || c.MemTableBytes > 1<<30 {
		faults = append(faults, fmt.Errorf("write buffer is %d bytes, want 1 MiB to 1 GiB", c.MemTableBytes))
	}
	return errors.Join(faults...)
}

// monotonic returns a clock that starts at zero and that no adjustment of the wall clock moves.
func monotonic() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
