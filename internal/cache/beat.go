package cache

import (
	"context"
	"time"

	"eligibility/internal/hlc"
)

const (
	// beatEvery is how often the database is asked for its time.
	beatEvery = time.Second
	// stalledAfter is how long the watermark may stand still before the feed counts as lagging; a feed says how far it is at least ten
	// times in that.
	stalledAfter = 2 * time.Second
)

// beat renews the clock.
func (c *Cache) beat(ctx context.Context) {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for {
		// The store notes and logs its own failures.
		_ = c.store.renew(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Freshness says how far behind the database this replica may be.
type Freshness struct {
	// Watermark: every change at or before it was applied. Zero before the first.
	Watermark hlc.Timestamp
	// Lag is the database's time now, an upper bound, minus the watermark; 0 while either is unknown.
	Lag time.Duration
	// SinceProgress is how long ago the watermark last grew, or the cache was made.
	SinceProgress time.Duration
	// Phase is what Healthy comes to over time.
	Phase Phase
	// Healthy: the watermark is known, grew within the last 2 s and lies within the bound, so that entries stay valid by the feed alone.
	Healthy bool
	// StoreDown: the latest call to the store failed.
	StoreDown bool
	// GlobalFloor is the stamp before which no copy is trusted, after a gap.
	GlobalFloor hlc.Timestamp
}

// State is the freshness now.
func (c *Cache) State() Freshness {
	f := Freshness{
		Watermark:     hlc.Timestamp{Wall: c.watermark.Load()},
		SinceProgress: c.uptime() - time.Duration(c.progress.Load()),
		StoreDown:     c.store.down.Load(),
		GlobalFloor:   hlc.Timestamp{Wall: c.floors.global.Load()},
		Phase:         Phase(c.phase.Load()),
	}
	if f.Watermark.IsZero() || !c.clock.Known() {
		return f
	}
	f.Lag = c.clock.Now().Sub(f.Watermark)
	f.Healthy = f.SinceProgress <= stalledAfter && f.Lag <= c.cfg.Bound
	return f
}
