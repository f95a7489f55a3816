// Package crdb is the store on CockroachDB: users, user events, what marketers author and keys, in tables that other programs may write
// too.
//
// # Stamps
//
// A read is one statement, and its stamp comes out of the same statement: every commit at or before it is in the answer, and none after
// it. Ingest takes its stamp after the commit, on the same connection: it lies at or shortly after the commit, which is what floors and
// minAsOf need, and keeps the commit in one phase. Authored changes, which are rare, take theirs inside the transaction: it is the
// commit's own.
//
// # When a connection or a server is lost
//
// Every call has a deadline and is tried again until then, with pauses that grow and jitter. No write takes effect twice: a user's update
// looks first whether the row is the one that it left, or the one that it found, and gives up when others have written since; an event
// has its id, made before the first try, and replaces itself; an authored commit leaves a mark in its own transaction and looks for it
// first. What was still unknown when the deadline came fails with
// ErrAmbiguous, which is a profile.ErrUnavailable: it may or may not be there, and the caller may send it again. The changefeed tells of
// it if it is.
//
// # PostgreSQL
//
// The package speaks to PostgreSQL as well, as a stand-in for tests: see the dialect. Nothing keeps real data there.
package crdb
