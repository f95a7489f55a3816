package server

import (
	"sync/atomic"
	"time"
)

// LatencyBounds are the upper bounds of the latency buckets; one more bucket holds what took longer.
var LatencyBounds = [...]time.Duration{
	25 * time.Microsecond, 50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond,
}

// Stats counts what the plane did since it started. All methods are safe for concurrent use; counts only grow.
type Stats struct {
	routes     [routes]routeStats
	panics     atomic.Uint64
	degraded   atomic.Uint64
	limited    atomic.Uint64
	reused     atomic.Uint64
	ruleErrors atomic.Uint64
}

type routeStats struct {
	classes [6]atomic.Uint64 // by first digit of the status
	buckets [len(LatencyBounds) + 1]atomic.Uint64
	nanos   atomic.Int64
	_       [40]byte // routes do not share a cache line
}

func (s *Stats) observe(route Route, status int, took time.Duration) {
	r := &s.routes[route]
	r.classes[min(status/100, len(r.classes)-1)].Add(1)
	i := 0
	for i < len(LatencyBounds) && took > LatencyBounds[i] {
		i++
	}
	r.buckets[i].Add(1)
	r.nanos.Add(int64(took))
}

// Routes lists every route that is counted.
func Routes() []Route {
	all := make([]Route, routes)
	for i := range all {
		all[i] = Route(i)
	}
	return all
}

// Requests is the number of answers of a route whose status begins with the digit class (2 for 2xx).
func (s *Stats) Requests(route Route, class int) uint64 { return s.routes[route].classes[class].Load() }

// Latency is the number of answers of a route in each bucket of LatencyBounds and beyond, and the sum of all in seconds.
// The time runs from the request having been read to the answer having been encoded.
func (s *Stats) Latency(route Route) (buckets []uint64, sumSeconds float64) {
	r := &s.routes[route]
	buckets = make([]uint64, len(r.buckets))
	for i := range r.buckets {
		buckets[i] = r.buckets[i].Load()
	}
	return buckets, time.Duration(r.nanos.Load()).Seconds()
}

// Panics is the number of requests that ended in a panic, each of which is a defect.
func (s *Stats) Panics() uint64 { return s.panics.Load() }

// Degraded is the number of decisions that were answered as degraded.
func (s *Stats) Degraded() uint64 { return s.degraded.Load() }

// Limited is the number of requests refused by the rate limit.
func (s *Stats) Limited() uint64 { return s.limited.Load() }

// Reused is the number of decisions that were answered from an earlier one of the same snapshot.
func (s *Stats) Reused() uint64 { return s.reused.Load() }

// RuleErrors is the number of rules that could not be evaluated for a user, over all decisions that were computed.
func (s *Stats) RuleErrors() uint64 { return s.ruleErrors.Load() }
