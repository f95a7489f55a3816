package webhook

import "sync/atomic"

// Stats is what a sink has done since it was made.
type Stats struct {
	Taken       uint64 // requests that the bus has acknowledged
	Changes     uint64 // in them
	Unavailable uint64 // requests answered 503: not the leader, too much waiting, or the bus too slow
	Refused     uint64 // requests answered 4xx
	Untold      uint64 // rows that could not be told: followers assume that everything changed
	Leads       bool
}

type counters struct{ taken, changes, unavailable, refused, untold atomic.Uint64 }

// Stats is a snapshot; its parts are not taken at one instant.
func (s *Sink) Stats() Stats {
	c := &s.count
	return Stats{
		Taken: c.taken.Load(), Changes: c.changes.Load(), Unavailable: c.unavailable.Load(), Refused: c.refused.Load(), Untold: c.untold.Load(),
		Leads: s.Leads(),
	}
}
