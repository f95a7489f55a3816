// Package cache keeps decoded snapshots of the users asked for lately, and proves with each read that the snapshot is still true.
//
// Validity is decided when reading, not by deleting (law L1). An entry carries the database time it was read at, its AsOf. A change only
// raises a floor, the least AsOf that a snapshot of that key must have; floors are atomic maxima, so that deliveries may be repeated or
// reordered and never wait. What holds the entries is ristretto, which may drop, keep or delay what it is given: it holds hints, and no
// behaviour of it can make an answer wrong.
//
// The parts, in reading order: valid.go is the whole decision; floors.go and sink.go take in what the feed tells; fill.go is the way of a
// miss through the loader (loader.go, which coalesces by key and reads waiting keys together; young.go has what it loaded just now) and the rules for what comes back; stale.go
// is the policy for a store that cannot answer; many.go is the bulk way; beat.go keeps the database's clock estimated.
package cache
