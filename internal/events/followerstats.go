package events

import (
	"sync/atomic"

	"eligibility/internal/hlc"
)

// FollowerStats is what a follower has seen since it was made.
type FollowerStats struct {
	Batches       uint64 // all of them, heeded or not
	Changes       uint64 // applied, those of repeats and hints included
	Hints         uint64
	Gaps          uint64 // times everything was assumed to have changed; the start does not count
	Repeats       uint64 // batches whose sequence number was seen before
	LowerEpochs   uint64 // batches of a relay that was replaced
	HigherEpochs  uint64 // times a partition went to a new epoch
	Undecodable   uint64 // payloads that were no message, and partitions that do not exist
	Implausible   uint64 // batches and hints with a stamp too far ahead of the database's clock
	Backwards     uint64 // resolved stamps that went backwards within an epoch
	Interruptions uint64 // losses that the bus reported, undecodable payloads not counted
	Watermark     hlc.Timestamp
}

type followerCounters struct {
	batches, changes, hints, gaps, repeats            atomic.Uint64
	lower, higher, undecodable, implausible, backward atomic.Uint64
	interruptions                                     atomic.Uint64
	watermark                                         atomic.Pointer[hlc.Timestamp]
}

// Stats is a snapshot; its parts are not taken at one instant.
func (f *Follower) Stats() FollowerStats {
	return FollowerStats{
		Batches: f.count.batches.Load(), Changes: f.count.changes.Load(), Hints: f.count.hints.Load(), Gaps: f.count.gaps.Load(),
		Repeats: f.count.repeats.Load(), LowerEpochs: f.count.lower.Load(), HigherEpochs: f.count.higher.Load(),
		Undecodable: f.count.undecodable.Load(), Implausible: f.count.implausible.Load(), Backwards: f.count.backward.Load(),
		Interruptions: f.count.interruptions.Load(), Watermark: f.Watermark(),
	}
}
