package crdb

import (
	"sync"

	"eligibility/internal/rules"
)

// liveRevisions is revisions in force.
type liveRevisions = rules.Roll[rules.LivePromotion]

// liveCache keeps what the last read of a project's promotions in force brought, so that a publish among thousands reads and decodes one
// document. The content of a published revision never changes: an equal id and number mean an equal document. What is returned shares
// memory with the cache and is not to be changed. The zero value is ready.
type liveCache struct {
	mu       sync.Mutex
	projects map[string]liveRevisions // guarded by mu
}

func (c *liveCache) of(project string) liveRevisions {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.projects[project]
}

func (c *liveCache) keep(project string, live liveRevisions) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.projects == nil {
		c.projects = make(map[string]liveRevisions)
	}
	c.projects[project] = live
}

// keysOf are ids and numbers, side by side.
func keysOf(live liveRevisions) (ids []string, numbers []int64) {
	ids, numbers = make([]string, 0, live.Len()), make([]int64, 0, live.Len())
	for l := range live.All() {
		ids, numbers = append(ids, l.Promotion.ID), append(numbers, int64(l.Revision))
	}
	return ids, numbers
}
