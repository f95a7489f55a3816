package app

import (
	"time"

	"eligibility/internal/store/embedded"
)

// ErrLocked: another process holds the data directory.
var ErrLocked = embedded.ErrLocked

// Glance is the few numbers that a person at the terminal wants to see; the ops plane has all of them.
type Glance struct {
	Hits, Misses uint64        // of the snapshot cache since the start
	Lag          time.Duration // freshness lag; negative while the watermark is unset
}

// Glance reads the numbers. It costs less than a microsecond and may be called at any time after New.
func (a *App) Glance() Glance {
	stats := a.cache.Stats()
	m := &stats.Misses
	return Glance{Hits: stats.Hits, Misses: m.Absent + m.Schema + m.GlobalFloor + m.Floor + m.Expired + m.Bound + m.MinAsOf, Lag: a.lag()}
}

// RulesVersion is the version of the project's ruleset that is in force here; 0 while none is loaded.
func (a *App) RulesVersion(project string) uint64 {
	if rs := a.live.Load(project); rs != nil {
		return rs.Version
	}
	return 0
}
