package crdb

import (
	"sync"

	"eligibility/internal/rules"
)

// liveCache keeps what the last read of a project's promotions in force brought, so that a publish among thousands reads and decodes one
// document. The content of a published revision never changes: an equal id and number mean an equal document. What is returned shares
// memory with the cache and is not to be changed. The zero value is ready.
type liveCache struct {
	mu       sync.Mutex
	projects map[string]liveRevisions // guarded by mu; replaced, never changed
}

// liveRevisions is revisions in force by promotion id.
type liveRevisions map[string]rules.LivePromotion

func (c *liveCache) of(project string) liveRevisions {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.projects[project]
}

func (c *liveCache) keep(project string, list []rules.LivePromotion) {
	next := make(liveRevisions, len(list))
	for _, live := range list {
		next[live.Promotion.ID] = live
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.projects == nil {
		c.projects = make(map[string]liveRevisions)
	}
	c.projects[project] = next
}

// keys are ids and numbers, side by side.
func (l liveRevisions) keys() (ids []string, numbers []int64) {
	ids, numbers = make([]string, 0, len(l)), make([]int64, 0, len(l))
	for id, live := range l {
		ids, numbers = append(ids, id), append(numbers, int64(live.Revision))
	}
	return ids, numbers
}
