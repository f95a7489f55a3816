// Package changefeed follows CockroachDB's changefeed without a sink: one statement on a connection of its own, whose rows never end.
//
// Everything difficult about that is here: a server that says nothing is noticed, an error is told by its text where it has no SQLSTATE of its own, and a cursor
// that no history reaches back to is told from a server that is away. What a row says is read by package changejson. The feed repeats changes, also without a
// reconnect, and puts them out of order; that passes through, because whoever takes them keeps the greatest stamp of each key.
package changefeed
