package events

import (
	"sync"
	"time"
)

// throttle lets one log line through in a while, so that a fault that repeats a thousand times a second is told, and counted, but not
// written a thousand times. The zero value is ready; it is safe for concurrent use.
type throttle struct {
	mu   sync.Mutex
	last time.Time
}

// throttleEvery is the least time between two lines.
const throttleEvery = 5 * time.Second

func (t *throttle) allow() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if !t.last.IsZero() && now.Sub(t.last) < throttleEvery {
		return false
	}
	t.last = now
	return true
}
