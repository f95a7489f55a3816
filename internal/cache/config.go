package cache

import (
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"math/rand/v2"
	"time"
)

// Config sizes a Cache. Start from Defaults.
type Config struct {
	// CacheBytes bounds what the entries hold in memory, counted as snapshot, key, overhead, what rules keep beside the snapshot, and MemoBytes. Default 256 MiB.
	CacheBytes int64
	// MemoBytes is the fixed allowance that every entry is charged for what its Memo may come to hold. Default 2 KiB.
	MemoBytes int64
	// MaxEntryBytes bounds one entry, counted the same way; a larger user is answered but not kept. Default 256 KiB.
	MaxEntryBytes int64
	// Bound is the greatest age, in database time, of an answer that is not degraded. Default 5 s.
	Bound time.Duration
	// MaxAge bounds the life of an entry whatever the feed says, so that a change which the feed omitted heals. Each entry gets its own
	// value within ±20 %, so that entries loaded together do not expire together. Default 10 min.
	MaxAge time.Duration
	// FloorSlots is the number of floors, a power of two; each takes 12 bytes once it was raised. Keys that share a slot invalidate each other: beside a
	// million cached users, 10,000 changes and 100,000 hits a second, fewer than one hit in a hundred is refused for that with the default of 2^22.
	FloorSlots int

	// MaxLoads bounds concurrent Source.Load calls for Get; while the store fails, or takes longer than half of LoadTimeout, there are fewer.
	// Default 16.
	MaxLoads int
	// BulkLoads bounds concurrent Source.Load calls for GetMany, in addition to MaxLoads. Default 4.
	BulkLoads int
	// BatchMax bounds the keys of one Source.Load. Default 64.
	BatchMax int
	// BatchWindow is how long a load waits for more keys before it begins. Default 0: it takes what already waits.
	BatchWindow time.Duration
	// QueueMax bounds the keys that wait for a load to begin. Default 4096.
	QueueMax int
	// QueueWait bounds how long a key waits for a load to begin; beyond it the reader gets ErrOverloaded. Default 1 s.
	QueueWait time.Duration
	// GapSpread bounds the random pause that each of the MaxLoads workers makes after a gap before it loads again, so that the replicas, which hear
	// of a gap together, do not turn to the store together. Hits are not slowed. Default 20 ms; 0: no pause.
	GapSpread time.Duration
	// LoadTimeout bounds one Source.Load or Source.Now. Default 1 s.
	LoadTimeout time.Duration
	// WaitMax bounds one Get or one chunk of GetMany in all: queueing, loads and repeated reads. Default 3 s.
	WaitMax time.Duration
	// MinAsOfWait bounds how long a read waits for the store to catch up: its clock with a demanded MinAsOf, its schema with ReadsSchema.
	// Default 600 ms.
	MinAsOfWait time.Duration

	// Logger gets changes of state, never anything about a user. Default: discard.
	Logger *slog.Logger

	// random draws from [0, n). Nil, which is what a caller outside gives, stands for the global source.
	random func(n int64) int64
}

// draw is a random number from [0, n).
func (c *Config) draw(n int64) int64 {
	if c.random != nil {
		return c.random(n)
	}
	return rand.Int64N(n)
}

// life draws how long an entry may live: MaxAge ±20 %.
func (c *Config) life() time.Duration {
	fifth := int64(c.MaxAge) / 5
	return c.MaxAge - time.Duration(fifth) + time.Duration(c.draw(2*fifth+1))
}

// Defaults returns the configuration for a cluster. An embedded store can promise a Bound of 1 s.
func Defaults() Config {
	return Config{
		CacheBytes:    256 << 20,
		MemoBytes:     2 << 10,
		MaxEntryBytes: 256 << 10,
		Bound:         5 * time.Second,
		MaxAge:        10 * time.Minute,
		FloorSlots:    1 << 22,
		MaxLoads:      16,
		BulkLoads:     4,
		BatchMax:      64,
		QueueMax:      4096,
		QueueWait:     time.Second,
		GapSpread:     20 * time.Millisecond,
		LoadTimeout:   time.Second,
		WaitMax:       3 * time.Second,
		MinAsOfWait:   600 * time.Millisecond,
		Logger:        slog.New(slog.DiscardHandler),
	}
}

// Limits of what Validate accepts.
const (
	maxFloorSlots = 1 << 28
	maxBatch      = 1 << 12
)

// Validate reports every fault of the configuration at once.
func (c *Config) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("cache: "+format, args...))
		}
	}
	check(c.CacheBytes > 0, "CacheBytes %d: must be above 0", c.CacheBytes)
	check(c.MemoBytes >= 0, "MemoBytes %d: must not be negative", c.MemoBytes)
	check(c.MaxEntryBytes > 0, "MaxEntryBytes %d: must be above 0", c.MaxEntryBytes)
	check(c.Bound > 0, "Bound %v: must be above 0", c.Bound)
	check(c.MaxAge >= c.Bound, "MaxAge %v: must not be below Bound %v", c.MaxAge, c.Bound)
	check(c.FloorSlots > 0 && c.FloorSlots <= maxFloorSlots && bits.OnesCount(uint(c.FloorSlots)) == 1,
		"FloorSlots %d: must be a power of two of at most %d", c.FloorSlots, maxFloorSlots)
	check(c.MaxLoads > 0, "MaxLoads %d: must be above 0", c.MaxLoads)
	check(c.BulkLoads > 0, "BulkLoads %d: must be above 0", c.BulkLoads)
	check(c.BatchMax > 0 && c.BatchMax <= maxBatch, "BatchMax %d: must be 1 to %d", c.BatchMax, maxBatch)
	check(c.BatchWindow >= 0, "BatchWindow %v: must not be negative", c.BatchWindow)
	check(c.QueueMax > 0, "QueueMax %d: must be above 0", c.QueueMax)
	check(c.GapSpread >= 0 && c.GapSpread < c.QueueWait, "GapSpread %v: must be below QueueWait %v and not negative", c.GapSpread, c.QueueWait)
	check(c.QueueWait > 0, "QueueWait %v: must be above 0", c.QueueWait)
	check(c.LoadTimeout > 0, "LoadTimeout %v: must be above 0", c.LoadTimeout)
	check(c.WaitMax >= c.LoadTimeout, "WaitMax %v: must not be below LoadTimeout %v", c.WaitMax, c.LoadTimeout)
	check(c.MinAsOfWait >= 0, "MinAsOfWait %v: must not be negative", c.MinAsOfWait)
	check(c.Logger != nil, "Logger: must be set")
	return errors.Join(faults...)
}
