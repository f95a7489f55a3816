package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"eligibility/internal/hlc"
)

// Relay carries the feed to the bus while it holds the lease, and waits for the lease while it does not. One relay of a cluster leads;
// more than one at a time is safe all the same, because followers heed only the highest epoch.
//
// A change goes out at once. Its way back into the past is the cursor alone: a resolved stamp, saved after the bus has acknowledged
// everything up to it. Whatever happened after the cursor is sent again by the next term.
type Relay struct {
	feed  Feed
	lease Lease
	bus   Publisher
	cfg   RelayConfig
	log   *slog.Logger

	run      runner
	term     atomic.Pointer[term] // the one that leads, nil while standby
	count    relayCounters
	unusable hlc.Timestamp // changes after cursors up to this one are gone; used by the run goroutine only
}

// NewRelay makes a relay that does nothing until Start. It fails on a bad configuration.
func NewRelay(feed Feed, lease Lease, bus Publisher, cfg RelayConfig) (*Relay, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if n := bus.Partitions(); n < 1 || n > MaxPartitions {
		return nil, fmt.Errorf("relay: %d partitions, want 1 to %d", n, MaxPartitions)
	}
	return &Relay{feed: feed, lease: lease, bus: bus, cfg: cfg, log: cfg.Logger}, nil
}

// Start begins to try for the lease, in the background, until ctx ends or Stop is called. A second Start changes nothing; one after Stop
// fails.
func (r *Relay) Start(ctx context.Context) error {
	if _, err := r.run.start(ctx, r.stand); err != nil {
		return fmt.Errorf("start relay: %w", err)
	}
	return nil
}

// Stop ends the term, if any: what was taken from the feed is given StopGrace to reach the bus, the cursor is saved, the lease is
// released. It waits for all of that and may be called any number of times.
func (r *Relay) Stop() { r.run.stop() }

// stand tries for the lease and leads whenever it gets it.
func (r *Relay) stand(ctx context.Context) {
	var quiet throttle
	again := backoff{least: r.cfg.RetryLeast, most: max(r.cfg.TryEvery, r.cfg.RetryLeast)}
	for ctx.Err() == nil {
		epoch, cursor, err := r.lease.Acquire(ctx, r.cfg.Holder)
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, ErrLeaseHeld) && quiet.allow() {
				r.log.Warn("relay cannot ask for the lease", "holder", r.cfg.Holder, "error", err)
			}
			_ = pause(ctx, jitter(r.cfg.TryEvery))
			continue
		}
		before := r.count.batches.Load()
		err = r.lead(ctx, epoch, cursor)
		if ctx.Err() != nil {
			return
		}
		r.log.Warn("relay term ended", "holder", r.cfg.Holder, "epoch", epoch, "error", err)
		if r.count.batches.Load() != before {
			again.reset()
		}
		_ = again.wait(ctx)
	}
}

// lead holds one term, from the lease taken to the lease lost or released, and says why it ended.
func (r *Relay) lead(ctx context.Context, epoch uint64, cursor hlc.Timestamp) error {
	t := &term{relay: r, epoch: epoch}
	now, err := t.askClock(ctx)
	if err != nil {
		t.release(ctx)
		return fmt.Errorf("read the database's clock: %w", err)
	}
	if cursor.After(r.unusable) && !cursor.After(now.Add(r.cfg.MaxAhead)) {
		t.begin(cursor, cursor)
	} else {
		// Nothing vouches for what happened before now: followers see a Base above their watermark and assume that everything changed. A
		// cursor that was never saved is zero and comes here too.
		t.begin(now, hlc.Timestamp{})
		r.count.cursorsTooOld.Add(1)
	}
	r.count.epoch.Store(epoch)
	r.count.terms.Add(1)
	r.log.Info("relay leads", "holder", r.cfg.Holder, "epoch", epoch, "cursor", cursor, "base", t.base)
	r.term.Store(t)
	r.count.leading.Store(true)
	err = t.run(ctx)
	r.count.leading.Store(false)
	r.term.Store(nil)
	if errors.Is(err, ErrCursorTooOld) {
		r.unusable = hlc.Max(r.unusable, t.resolved)
	}
	if errors.Is(err, ErrLeaseLost) {
		r.count.leasesLost.Add(1)
	}
	return err
}
