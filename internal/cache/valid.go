package cache

import (
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

// cause is why a snapshot could not be used.
type cause uint8

const (
	fits         cause = iota // it can
	absent                    // no entry, or one of another key with the same hash
	oldSchema                 // decoded with a schema older than the ruleset reads
	globalFloor               // read before a gap in the feed
	slotFloor                 // read before a change of this key, or of one that shares its slot
	expired                   // older than the life given to the entry
	beyondBound               // not known to be true within the staleness bound
	belowMinAsOf              // not known to be true at the demanded stamp
	causes
)

// view is what this replica knows about one key at one instant.
type view struct {
	watermark hlc.Timestamp // every change at or before it has raised its floor; loaded before the floors
	global    int64         // wall nanoseconds, as all floors
	slot      int64
	now       hlc.Timestamp // upper bound of the database's clock
	bound     time.Duration
}

// floor is the least AsOf wall that is valid.
func (v *view) floor() int64 { return max(v.global, v.slot) }

// valid decides whether the snapshot may answer for key, and since when at the latest it is known to be true: law L1.
//
// Whoever stored the watermark had stored every floor at or below it before, and v loaded it first. So if no floor
// refuses the snapshot, it contains every commit up to the watermark, and every commit up to AsOf by the meaning of AsOf.
func valid(e *entry, key profile.Key, d *Demand, v *view) (hlc.Timestamp, cause) {
	switch {
	case e.snap.Key != key:
		return hlc.Timestamp{}, absent
	case e.snap.SchemaVersion < d.ReadsSchema:
		return hlc.Timestamp{}, oldSchema
	case e.snap.AsOf.Wall < v.global:
		return hlc.Timestamp{}, globalFloor
	case e.snap.AsOf.Wall < v.slot:
		return hlc.Timestamp{}, slotFloor
	}
	trueAt := hlc.Max(e.snap.AsOf, v.watermark)
	return trueAt, timely(e, trueAt, d, v)
}

// timely decides whether something known to be true at trueAt is recent enough.
func timely(e *entry, trueAt hlc.Timestamp, d *Demand, v *view) cause {
	switch {
	case v.now.IsZero():
		return beyondBound // nothing can be said about age yet
	case v.now.Sub(e.snap.AsOf) > e.maxAge:
		return expired
	case v.now.Sub(trueAt) > v.bound:
		return beyondBound
	case trueAt.Before(d.MinAsOf):
		return belowMinAsOf
	}
	return fits
}
