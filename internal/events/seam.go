package events

import (
	"context"
	"errors"

	"eligibility/internal/hlc"
)

// FeedBatch is what a feed yields: changes in commit order for each key, and a resolved timestamp (or zero).
type FeedBatch struct {
	Changes  []Change
	Resolved hlc.Timestamp
	// Acknowledged, when not nil, is called once the bus has acknowledged all of the batch, by a goroutine of the relay: it must not block.
	// When the term ends first it is never called. It is for feeds that are pushed and have to say when they may forget.
	Acknowledged func()
}

// Feed is the store's ordered stream of changes, at least once.
type Feed interface {
	// Follow calls yield for every change after the stamp, exclusive, until ctx ends or yield fails. It returns yield's error as it is, and
	// otherwise ErrCursorTooOld, ErrUnavailable or ctx.Err(). FeedBatch memory belongs to the feed again when yield returns.
	Follow(ctx context.Context, after hlc.Timestamp, yield func(FeedBatch) error) error
}

// Errors of a feed.
var (
	// ErrCursorTooOld: changes after the asked cursor were already thrown away. The only way on is a new epoch from now.
	ErrCursorTooOld = errors.New("changefeed cursor too old")
	// ErrUnavailable: the feed ended; try again from the last resolved stamp.
	ErrUnavailable = errors.New("changefeed unavailable")
)

// Lease is the right to relay. At most one holder's epoch is the highest; a holder that lost it may still publish for a
// while, which followers ignore by its lower epoch.
type Lease interface {
	// Acquire takes the lease when it is free: a new epoch, greater than any before it, and the saved cursor (zero when none was ever saved).
	// ErrLeaseHeld when another holder has it.
	Acquire(ctx context.Context, holder string) (epoch uint64, cursor hlc.Timestamp, err error)
	// Renew extends it. ErrLeaseLost when the epoch is no longer ours: stop publishing at once.
	Renew(ctx context.Context, holder string, epoch uint64) error
	// SaveCursor stores a resolved stamp up to which the bus has acknowledged everything. Older stamps and older epochs change nothing
	// (ErrLeaseLost for the latter).
	SaveCursor(ctx context.Context, epoch uint64, cursor hlc.Timestamp) error
	// Release gives the lease up so that a standby may take it at once.
	Release(ctx context.Context, epoch uint64) error
	// Now is the database's clock: where an epoch without a usable cursor begins.
	Now(ctx context.Context) (hlc.Timestamp, error)
}

// Errors of a lease.
var (
	ErrLeaseHeld = errors.New("the relay lease is held by another")
	ErrLeaseLost = errors.New("the relay lease was lost")
)

// Publisher puts batches on the bus. Declared for the relay.
type Publisher interface {
	// Publish returns once the bus has acknowledged the batch.
	Publish(ctx context.Context, b *Batch) error
	// Partitions is the number of partitions of the bus, fixed for its life.
	Partitions() int
}

// Subscriber takes batches and hints off the bus. Declared for the follower.
type Subscriber interface {
	// Subscribe attaches at "new" and calls handle for every batch and hint, one call at a time, until ctx ends; then it returns nil.
	// ready is closed once nothing published from then on can be missed unnoticed. Any error means that the subscription is over and
	// continuity with a later one is lost. What handle is given is the subscriber's memory again when the call returns; strings in it may
	// be kept.
	Subscribe(ctx context.Context, ready chan<- struct{}, handle Handler) error
	// Partitions is the number of partitions of the bus, fixed for its life.
	Partitions() int
}

// Handler receives what a Subscriber takes off the bus.
type Handler interface {
	Batch(b *Batch)
	Hint(h *Hint)
	// Lost is called when the bus cannot vouch for continuity, before anything that follows the loss is handed over.
	Lost(why Loss)
}

// Loss says why the bus cannot vouch for continuity.
type Loss uint8

// The kinds of loss.
const (
	LossDiscarded   Loss = iota + 1 // messages were thrown away before they could be read
	LossRecreated                   // the stream was created anew, or went back to an older state
	LossUndecodable                 // a payload was no message, or a damaged one
)

// String is the loss as logs and metrics show it.
func (l Loss) String() string {
	switch l {
	case LossDiscarded:
		return "discarded"
	case LossRecreated:
		return "recreated"
	case LossUndecodable:
		return "undecodable"
	}
	return "unknown"
}

// Sink is what the follower drives: floors and watermark of the cache, reloads of rulesets and keys.
//
// The calls come one at a time. A Sink must not block: what takes long is only noted there and done elsewhere.
type Sink interface {
	// Apply takes in changes and, when not zero, the new watermark: every change at or before it has been applied, this batch included.
	// Changes are applied before the watermark. The slice is the caller's again when Apply returns; its strings may be kept. Tables that
	// are not known are skipped.
	Apply(changes []Change, watermark hlc.Timestamp)
	// Gap says that an unknown number of changes at or before at were lost: assume that everything changed.
	Gap(at hlc.Timestamp)
}

// Hinter publishes the fast lane. Best effort: it never blocks for long and never fails the write it follows.
type Hinter interface {
	PublishHint(h *Hint)
}
