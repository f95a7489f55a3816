package cache

import (
	"time"

	"eligibility/internal/profile"
)

// entry is one snapshot in memory. Immutable but for its memo.
type entry struct {
	snap   *profile.Snapshot
	maxAge time.Duration // in database time since the snapshot's AsOf
	cost   int64         // bytes
	memo   Memo
}

// entryOverhead is the bytes that an entry takes beside its snapshot: the entry itself and ristretto's records of it (cells of the value
// map, the cost map and the expiry map, at the load that Go's maps usually have).
const entryOverhead = 256

// derivedBytes is what a reader of the snapshot may keep beside it, in Snapshot.Derived: two bytes for each of some dozens of things that rules ask.
const derivedBytes = 256

// newEntry wraps a snapshot that may live for maxAge.
func newEntry(snap *profile.Snapshot, maxAge time.Duration, memoBytes int64) *entry {
	return &entry{
		snap:   snap,
		maxAge: maxAge,
		cost:   snap.SizeBytes() + entryOverhead + derivedBytes + memoBytes,
	}
}

// hints keeps entries by the hash of their key and promises nothing: an entry may vanish, never appear, be replaced by an older one or
// come back. Whoever reads one decides by valid whether it may be used, the key in it included.
type hints interface {
	get(hash uint64) (*entry, bool)
	put(hash uint64, e *entry)
	// settle waits until what was put before the call can be got, or will not be kept.
	settle()
	size() (entries, bytes int64, evictions uint64)
	// close ends its goroutines. No other call may be running or follow.
	close()
}
