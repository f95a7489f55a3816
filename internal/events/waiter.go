package events

import (
	"sync/atomic"

	"eligibility/internal/hlc"
)

// waiter wants to know when the bus has acknowledged what was put into a lane up to a point.
type waiter struct {
	after    uint64        // so many changes in all
	resolved hlc.Timestamp // and this stamp, unless zero
	done     func()
}

// laneWaiters bounds who may wait at one lane. Whoever comes beyond it is never told, as when the term ends.
const laneWaiters = 4096

// await has done called once the bus has acknowledged everything that was put so far and, unless it is zero, the resolved stamp.
func (l *lane) await(resolved hlc.Timestamp, done func()) {
	l.mu.Lock()
	w := waiter{after: l.taken + uint64(l.waiting), resolved: resolved, done: done}
	met := l.met(&w)
	if !met && len(l.waiters) < laneWaiters {
		l.waiters = append(l.waiters, w)
	}
	l.mu.Unlock()
	if met {
		done()
	}
}

// met reports whether what w waits for has come. The caller holds mu.
func (l *lane) met(w *waiter) bool { return l.arrived >= w.after && !l.acked.Before(w.resolved) }

// out is how many changes were ever taken out.
func (l *lane) out() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.taken
}

// awaitAll has done called once every lane has met what await says.
func awaitAll(lanes []*lane, resolved hlc.Timestamp, done func()) {
	var left atomic.Int64
	left.Store(int64(len(lanes)))
	for _, l := range lanes {
		l.await(resolved, func() {
			if left.Add(-1) == 0 {
				done()
			}
		})
	}
}
