package cache

import (
	"context"
	"time"
)

// Phase says how well the feed vouches for what is cached. It tells people and probes; no read is decided by it, since each read is held
// against the bound by itself (law L1). So no phase outlives the fault that led to it.
type Phase uint8

// The phases, from the start on.
const (
	// Detached: no feed vouches for anything, because none was heard yet or it was lagging for 10 s. Entries answer for the bound after
	// their own read; then the store is read, and when that fails the project's policy decides.
	Detached Phase = iota
	// Lagging: the watermark stood still for 2 s or lies beyond the bound. Entries answer as when detached, or as far as the watermark
	// still reaches.
	Lagging
	// Live: entries stay valid as long as the feed is silent about them.
	Live
	phases
)

// String is the phase as logs and metrics show it.
func (p Phase) String() string { return [...]string{"detached", "lagging", "live"}[p] }

// Phases are all of them, in order.
func Phases() []Phase { return []Phase{Detached, Lagging, Live} }

const (
	// watchEvery is how often the phase is judged: a feed that stands still is noticed within 2.25 s, a store that hangs does not delay it.
	watchEvery = 250 * time.Millisecond
	// detachedAfter is how long a feed may lag before it counts as gone.
	detachedAfter = 10 * time.Second
	// steadyFor is how long a feed that was lost must be well before it counts as live again, so that one that comes and goes is told once. It is longer than
	// stalledAfter: a single word, after which the feed counts as well for that long, is no return.
	steadyFor = stalledAfter + watchEvery
)

// gauge judges the phase from what is seen of the feed. The first time of being well counts at once.
type gauge struct {
	phase   Phase
	heard   bool          // was live before
	since   time.Duration // uptime at which the feed became well or unwell, whichever it is
	healthy bool
}

// judge takes in whether the feed is well at an uptime and returns the phase from then on.
func (g *gauge) judge(healthy bool, uptime time.Duration) Phase {
	if healthy != g.healthy {
		g.healthy, g.since = healthy, uptime
	}
	held := uptime - g.since
	switch {
	case healthy && (!g.heard || held >= steadyFor):
		g.phase, g.heard = Live, true
	case !healthy && g.phase == Live:
		g.phase = Lagging
	case !healthy && held >= detachedAfter:
		g.phase = Detached
	}
	return g.phase
}

// watch keeps the phase until ctx ends, and tells when it changes.
func (c *Cache) watch(ctx context.Context) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	var g gauge
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		state := c.State()
		phase := g.judge(state.Healthy, c.uptime())
		if phase == state.Phase {
			continue
		}
		c.phase.Store(uint32(phase))
		c.stats.phases[phase].Add(1)
		if phase == Live {
			c.cfg.Logger.Info("feed_live", "was", state.Phase.String(), "lag", state.Lag)
		} else {
			c.cfg.Logger.Warn("feed_lost", "phase", phase.String(), "lag", state.Lag, "since_progress", state.SinceProgress)
		}
	}
}
