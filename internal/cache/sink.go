package cache

import (
	"eligibility/internal/events"
	"eligibility/internal/hlc"
)

var _ events.Sink = (*Cache)(nil)

// Apply raises the floors of the changed rows and then, when it is not zero, the watermark. Never waits. Older stamps, repeats and any
// order are harmless.
func (c *Cache) Apply(changes []events.Change, watermark hlc.Timestamp) {
	c.raise(changes)
	if watermark.IsZero() {
		return
	}
	// The logical part is dropped, which claims less. The floors above must be visible before it.
	if raise(&c.watermark, watermark.Wall) {
		c.progress.Store(int64(c.uptime()))
	}
}

// Gap says that changes at or before at were lost: no copy older than that is trusted any more. An application also calls it once at its
// start, with the database's time after its bus consumer was attached.
func (c *Cache) Gap(at hlc.Timestamp) {
	c.stats.gaps.Add(1)
	c.floors.raiseAll(at)
}

// RaiseOwn takes in what this replica itself has just committed, or what another told by a hint: floors, but never the watermark, since
// nothing vouches for the changes between.
func (c *Cache) RaiseOwn(changes []events.Change) { c.raise(changes) }

func (c *Cache) raise(changes []events.Change) {
	for i := range changes {
		switch change := &changes[i]; change.Table {
		case events.TableProfile, events.TableEmail:
			c.floors.raise(c.floors.hash(change.Table, change.Project, change.Key), change.At)
		}
	}
	c.stats.changes.Add(uint64(len(changes)))
}
