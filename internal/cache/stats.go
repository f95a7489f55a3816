package cache

import (
	"sync/atomic"
	"time"
)

// Stats are totals since the cache was made, but for the last group, which is what there is now.
type Stats struct {
	Hits   uint64
	Misses Misses
	// FalseInvalidations estimates how many of Misses.Floor are owed to another key of the same slot.
	FalseInvalidations uint64

	Loads      uint64        // keys read
	Batches    uint64        // Source.Load calls
	LoadErrors uint64        // of these calls
	LoadTime   time.Duration // spent in these calls
	Coalesced  uint64        // reads that shared the load of another
	Rejected   uint64        // reads refused with ErrOverloaded
	Rereads    uint64        // loads repeated because they came back too old
	Uncached   uint64        // reads answered although stamped below a floor, and not kept
	Stale      uint64        // reads answered Degraded

	Fills        uint64 // entries offered to the cache
	FillsRefused uint64 // loads that were invalid before they could be offered
	Oversize     uint64 // loads that were too large to be kept
	Evictions    uint64 // entries that were pushed out or reached the end of their life
	Changes      uint64 // changes that raised floors, repeats included
	Gaps         uint64

	// Phases counts, by phase, how many times the feed came into it. The start does not count.
	Phases [phases]uint64

	Entries   int64
	Bytes     int64
	Waiting   int // keys in the load queue
	LoadLimit int // concurrent loads that the store bears at present
}

// Misses counts the reads that needed a load, by why.
type Misses struct {
	Absent      uint64 // not in memory
	Schema      uint64 // decoded with an older schema than the ruleset reads
	GlobalFloor uint64 // read before a gap
	Floor       uint64 // changed since
	Expired     uint64 // at the end of its life
	Bound       uint64 // the feed is too far behind to vouch for it
	MinAsOf     uint64 // older than the caller demanded
}

// stripes is how many copies of the counters of the hit path there are: hits on different processors should not write the same memory.
const stripes = 16

type counters struct {
	striped [stripes]stripe

	loads, batches, loadErrors, loadNanos, coalesced, rejected, rereads, uncached, stale atomic.Uint64
	fills, fillsRefused, oversize, changes, gaps                                         atomic.Uint64

	phases [phases]atomic.Uint64
}

// stripe is padded to two cache lines of 64 bytes.
type stripe struct {
	looks  [causes]atomic.Uint64 // by outcome; fits is a hit
	shared atomic.Uint64         // floor refusals owed to another key of the slot
	_      [128 - 8*(causes+1)]byte
}

func (s *counters) look(hash uint64, outcome cause) { s.striped[hash%stripes].looks[outcome].Add(1) }

// count notes the outcome of a look, and whether a refusal was another key's.
func (c *Cache) count(hash uint64, outcome cause) {
	c.stats.look(hash, outcome)
	if outcome == slotFloor && c.floors.raisedByAnother(hash) {
		c.stats.striped[hash%stripes].shared.Add(1)
	}
}

// Stats adds up the counters. They are read one after another, so that related ones may differ by what happened meanwhile.
func (c *Cache) Stats() Stats {
	s := &c.stats
	var looks [causes]uint64
	out := Stats{
		Loads: s.loads.Load(), Batches: s.batches.Load(), LoadErrors: s.loadErrors.Load(), LoadTime: time.Duration(s.loadNanos.Load()),
		Coalesced: s.coalesced.Load(), Rejected: s.rejected.Load(), Rereads: s.rereads.Load(), Uncached: s.uncached.Load(),
		Stale: s.stale.Load(), Fills: s.fills.Load(), FillsRefused: s.fillsRefused.Load(), Oversize: s.oversize.Load(),
		Changes: s.changes.Load(), Gaps: s.gaps.Load(),
		Waiting: c.loader.depth(),
	}
	for i := range s.striped {
		for j := range looks {
			looks[j] += s.striped[i].looks[j].Load()
		}
		out.FalseInvalidations += s.striped[i].shared.Load()
	}
	for i := range out.Phases {
		out.Phases[i] = s.phases[i].Load()
	}
	out.LoadLimit = c.loader.limitNow()
	out.Hits = looks[fits]
	out.Misses = Misses{
		Absent: looks[absent], Schema: looks[oldSchema], GlobalFloor: looks[globalFloor], Floor: looks[slotFloor],
		Expired: looks[expired], Bound: looks[beyondBound], MinAsOf: looks[belowMinAsOf],
	}
	out.Entries, out.Bytes, out.Evictions = c.hints.size()
	return out
}
