package cache

import (
	"time"

	"eligibility/internal/profile"
)

// stale answers by the policy serve_stale when the store cannot: with the entry that is at hand, if it was true at most MaxStale ago. An
// entry that a floor refuses is known to be true at its AsOf and no longer. Nothing overrides the key, the schema, the life of the entry,
// or a demanded MinAsOf.
func (c *Cache) stale(hash uint64, key profile.Key, d *Demand) (Read, bool) {
	if d.MaxStale <= 0 || !d.MinAsOf.IsZero() {
		return Read{}, false
	}
	e, ok := c.hints.get(hash)
	if !ok {
		return Read{}, false
	}
	v := c.view(hash, time.Now())
	trueAt, why := valid(e, key, d, &v)
	switch why {
	case fits: // filled since the caller looked
		return Read{Snapshot: e.snap, TrueAt: trueAt, Memo: &e.memo, Hit: true}, true
	case slotFloor, globalFloor:
		trueAt = e.snap.AsOf
	case beyondBound:
	default:
		return Read{}, false
	}
	v.bound = d.MaxStale
	if timely(e, trueAt, &Demand{}, &v) != fits {
		return Read{}, false
	}
	c.stats.stale.Add(1)
	return Read{Snapshot: e.snap, TrueAt: trueAt, Hit: true, Degraded: true}, true
}
