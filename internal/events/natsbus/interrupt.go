package natsbus

import (
	"context"
	"sync"
	"time"
)

// interrupts ends the requests that are under way when the connection breaks: their answers will never come, and without it each would
// wait for its timeout while the server they could go to is up again. The zero value is ready.
type interrupts struct {
	mu   sync.Mutex
	next uint64
	ends map[uint64]context.CancelFunc
}

// guard is ctx with a timeout that also ends with the connection. The caller calls release when the request is over.
func (i *interrupts) guard(ctx context.Context, timeout time.Duration) (guarded context.Context, release func()) {
	guarded, cancel := context.WithTimeout(ctx, timeout)
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ends == nil {
		i.ends = map[uint64]context.CancelFunc{}
	}
	id := i.next
	i.next++
	i.ends[id] = cancel
	return guarded, func() {
		i.mu.Lock()
		delete(i.ends, id)
		i.mu.Unlock()
		cancel()
	}
}

// fire ends everything that is guarded now.
func (i *interrupts) fire() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for id, end := range i.ends {
		end()
		delete(i.ends, id)
	}
}
