package hlc

import (
	"sync/atomic"
	"time"
)

// Estimate answers "what does the database's clock say now" from the stamps the database gave and the time that has passed here
// since. It never looks at the local wall clock, so a replica whose clock is wrong by hours behaves like any other.
//
// The answer is an upper bound of the database's clock: it counts from the instant at which the stamp was *requested*. All methods are safe for
// concurrent use; the zero value knows nothing yet.
type Estimate struct {
	last atomic.Pointer[observation]
}

type observation struct {
	stamp     Timestamp
	requested time.Time // carries the monotonic reading
}

// renewAfter is the age at which an observation is replaced even by a looser one: a tight bound from long ago would hide that the
// two clocks run at different rates.
const renewAfter = 2 * time.Second

// Observe takes in a stamp that the database gave for a request begun at requested (a time.Now of this process). It keeps the
// tighter of two recent bounds and never one below a stamp that was seen.
func (e *Estimate) Observe(stamp Timestamp, requested time.Time) {
	fresh := &observation{stamp: stamp, requested: requested}
	for {
		old := e.last.Load()
		if old != nil && !e.better(old, fresh) {
			return
		}
		if e.last.CompareAndSwap(old, fresh) {
			return
		}
	}
}

func (e *Estimate) better(old, fresh *observation) bool {
	if age := fresh.requested.Sub(old.requested); age >= renewAfter || age < 0 && -age >= renewAfter {
		return age > 0
	}
	predicted := old.stamp.Add(fresh.requested.Sub(old.requested))
	// A stamp that lies ahead of the upper bound shows that the bound was wrong (the database's clock went forward).
	return fresh.stamp.Before(predicted) || fresh.stamp.After(old.stamp.Add(time.Since(old.requested)))
}

// Known reports whether any stamp was observed.
func (e *Estimate) Known() bool { return e.last.Load() != nil }

// Now is the upper bound of the database's clock, or the zero stamp while nothing is known.
func (e *Estimate) Now() Timestamp {
	last := e.last.Load()
	if last == nil {
		return Timestamp{}
	}
	return last.stamp.Add(time.Since(last.requested))
}

// At is what the database's clock said at most at an instant, a time.Now of this process from a moment ago. Who has read the clock already
// need not read it again.
func (e *Estimate) At(at time.Time) Timestamp {
	last := e.last.Load()
	if last == nil {
		return Timestamp{}
	}
	return last.stamp.Add(at.Sub(last.requested))
}
