// Package embedded is the store for one process: users, user events, what marketers author, keys and the changefeed in one Pebble
// data directory.
//
// # One order of commits
//
// A writer reads what it changes under one mutex, then takes its stamp and applies its batch to Pebble in one short critical section, and
// waits for the log's fsync outside of it, so that concurrent writers share an fsync. A read takes a fresh stamp and a Pebble snapshot
// under the same lock. Hence what a read sees at its stamp is exactly the commits with smaller stamps.
//
// A read may see a commit an instant before that commit is durable. If the machine dies in that instant both are gone: the process and its
// cache with it. Nobody was told that the write succeeded, and the changefeed announces a commit only after its fsync.
//
// # The changefeed
//
// The record of what a commit changed is part of the commit's own batch, under a key that is the commit's stamp. Following the feed is a
// scan of these keys that is woken by every fsync. A resolved stamp lies below every commit that still waits for its fsync.
//
// # When the disk fails
//
// Writes are refused with profile.ErrNotDurable while the volume has less than Config.MinFreeBytes left, and accepted again when there is
// room. After an I/O error of the log or the manifest the store stays read-only until the process is started again, because Pebble cannot
// say what of its log reached the disk: every write fails with profile.ErrNotDurable, Follow with events.ErrUnavailable, reads go on, and
// the process lives. A write that failed this way may or may not be there after the restart; until then reads may show it.
package embedded
