package pushhook

import "eligibility/internal/stream"

// counts are what a sender counted since its start.
type counts struct {
	Delivered uint64 // messages that a receiver took
	Dead      uint64 // given up
	Joined    uint64 // changes that the message which waited tells as well
	Gone      uint64 // dropped because the hook was taken back
	Abandoned uint64 // dropped by the stop
	Accepted  uint64 // requests, by what became of them
	Refused   uint64 // answered with another status than 2xx
	Failed    uint64 // not answered
}

func (c *counts) requested(o *outcome) {
	switch {
	case o.reason == "":
		c.Accepted++
	case o.status != 0:
		c.Refused++
	default:
		c.Failed++
	}
}

// SenderStats says what a sender did.
type SenderStats struct {
	counts
	Waiting int // messages
	Flying  int // requests
}

// Stats reads the counters.
func (s *Sender) Stats() SenderStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return SenderStats{counts: s.counts, Waiting: s.waiting, Flying: s.flying}
}

// WatchStats says what a watch did.
type WatchStats struct {
	Hub     stream.Stats // Open: how many are watched
	Evicted uint64       // made room for others
	Dropped uint64       // seen while too many waited to be taken in
}

// Stats reads the counters.
func (w *Watch) Stats() WatchStats {
	return WatchStats{Hub: w.hub.Stats(), Evicted: w.evicted.Load(), Dropped: w.dropped.Load()}
}
