package events

import (
	"sync/atomic"

	"eligibility/internal/hlc"
)

// RelayStats is what a relay has done since it was made.
type RelayStats struct {
	Leading         bool          // holds the lease now
	Epoch           uint64        // of the current term, or of the last one
	Terms           uint64        // times the lease was taken
	LeasesLost      uint64        // terms that ended because another took the lease
	Batches         uint64        // acknowledged by the bus
	Changes         uint64        // in those batches
	PublishFailures uint64        // attempts that were made again
	FeedRestarts    uint64        // times the feed broke off and was followed again
	CursorsTooOld   uint64        // terms that began from now because the changes since the cursor were gone, or there was none
	Implausible     uint64        // stamps too far ahead of the database's clock
	Backwards       uint64        // resolved stamps of the feed that went backwards
	Uncarryable     uint64        // changes beyond the wire format's limits, sent as gaps
	SaveFailures    uint64        // cursor saves that failed and are tried again
	Waiting         int           // changes in the queues now
	Resolved        hlc.Timestamp // last resolved stamp taken from the feed
	Cursor          hlc.Timestamp // last saved
}

type relayCounters struct {
	leading                                      atomic.Bool
	epoch, terms, leasesLost                     atomic.Uint64
	batches, changes, publishFailures            atomic.Uint64
	feedRestarts, cursorsTooOld                  atomic.Uint64
	implausible, backwards, uncarryable, unsaved atomic.Uint64
	resolved, cursor                             atomic.Pointer[hlc.Timestamp]
}

// Stats is a snapshot; its parts are not taken at one instant.
func (r *Relay) Stats() RelayStats {
	s := RelayStats{
		Leading: r.count.leading.Load(), Epoch: r.count.epoch.Load(), Terms: r.count.terms.Load(), LeasesLost: r.count.leasesLost.Load(),
		Batches: r.count.batches.Load(), Changes: r.count.changes.Load(), PublishFailures: r.count.publishFailures.Load(),
		FeedRestarts: r.count.feedRestarts.Load(), CursorsTooOld: r.count.cursorsTooOld.Load(), Implausible: r.count.implausible.Load(),
		Backwards: r.count.backwards.Load(), Uncarryable: r.count.uncarryable.Load(), SaveFailures: r.count.unsaved.Load(),
		Resolved: loadStamp(&r.count.resolved), Cursor: loadStamp(&r.count.cursor),
	}
	if t := r.term.Load(); t != nil {
		for _, l := range t.lanes {
			s.Waiting += l.depth()
		}
	}
	return s
}

func loadStamp(p *atomic.Pointer[hlc.Timestamp]) hlc.Timestamp {
	if t := p.Load(); t != nil {
		return *t
	}
	return hlc.Timestamp{}
}
