package cache

import (
	"errors"
	"fmt"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

// Demand is what a caller requires of a read. The zero value asks for a read within the bound, and an error when there is none.
type Demand struct {
	// MinAsOf is a stamp that the answer must reach, as a writer was given it; zero asks for none.
	MinAsOf hlc.Timestamp
	// ReadsSchema is the schema version that the caller's ruleset reads; an older snapshot would lack slots.
	ReadsSchema uint64
	// MaxStale allows a Degraded read of up to this age when the store cannot answer. 0 fails closed. It never applies together with
	// MinAsOf, nor to GetMany.
	MaxStale time.Duration
	// Only, of a GetMany, is what the caller is going to read: users that are not cached may come without the rest, and must not be asked for it. Nil is everything.
	Only *profile.Projection
	// NoStore keeps what is loaded for this read out of the cache.
	NoStore bool
}

// Read is one snapshot and what may be said about it.
type Read struct {
	Snapshot *profile.Snapshot
	// TrueAt is the database time at which the snapshot is known to be true: it contains every commit at or before TrueAt. It may lie after
	// Snapshot.AsOf, when the feed has vouched that nothing changed since.
	TrueAt hlc.Timestamp
	// Memo keeps answers computed from this snapshot. Nil when the read is not known to stay valid.
	Memo *Memo
	// Degraded: the store could not answer and the snapshot may be older than the bound, within Demand.MaxStale.
	Degraded bool
	// Hit: the read was answered from memory, with no load.
	Hit bool
}

// Errors of Get and GetMany.
var (
	// ErrOverloaded: too many keys wait to be loaded, or this one waited too long; nothing was tried. Come back in a second.
	ErrOverloaded = errors.New("load queue full")
	// ErrAsOfInFuture: the demanded MinAsOf lies too far ahead of the database's clock to have come from it.
	ErrAsOfInFuture = errors.New("demanded as-of lies in the future")
	// ErrAsOfNotReached: the store could not read at the demanded MinAsOf in the time allowed.
	ErrAsOfNotReached = errors.New("demanded as-of not reached")
	// ErrSchemaBehind: the store went on to decode users with an older schema than the ruleset reads. It is a kind of profile.ErrUnavailable.
	ErrSchemaBehind = fmt.Errorf("%w: its schema is behind the ruleset", profile.ErrUnavailable)
	// ErrStopped: the cache was stopped. It is a kind of profile.ErrUnavailable.
	ErrStopped = fmt.Errorf("%w: the cache was stopped", profile.ErrUnavailable)
)
