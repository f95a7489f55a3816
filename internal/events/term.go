package events

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"eligibility/internal/hlc"
)

// farewell bounds the last save and the release of the lease when the caller's context has ended already.
const farewell = 2 * time.Second

// term is the time a relay holds one epoch. Its feed side is one goroutine: what it alone touches needs no lock.
type term struct {
	relay *Relay
	epoch uint64
	base  hlc.Timestamp
	lanes []*lane

	// The feed's side.
	clock    hlc.Estimate
	high     hlc.Timestamp // greatest plausible commit time so far
	resolved hlc.Timestamp // last resolved stamp taken: where the feed is followed from
	progress bool          // the feed has advanced since it was last begun

	// The guard's side, and after it the release's.
	saved hlc.Timestamp // last cursor stored

	feedQuiet, alarmQuiet, publishQuiet, leaseQuiet throttle
}

// begin sets where the epoch begins, and which cursor is stored already.
func (t *term) begin(base, saved hlc.Timestamp) {
	t.base, t.high, t.resolved, t.saved = base, base, base, saved
	t.lanes = make([]*lane, t.relay.bus.Partitions())
	for p := range t.lanes {
		t.lanes[p] = newLane(uint16(p), t.epoch, base)
	}
}

// run relays until ctx ends, the lease is lost or the cursor is too old.
func (t *term) run(ctx context.Context) error {
	// The senders outlive ctx by the stop grace, but not the lease: a lost one stops them at once.
	sendCtx, stopSending := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSending()
	var senders sync.WaitGroup
	retry := backoff{least: t.relay.cfg.RetryLeast, most: t.relay.cfg.RetryMost}
	for _, l := range t.lanes {
		senders.Go(func() { l.send(sendCtx, t.relay.bus, retry, &t.relay.count, t.publishFailed) })
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return t.follow(groupCtx) })
	group.Go(func() error { return t.guard(groupCtx, stopSending) })
	err := group.Wait()
	if errors.Is(err, ErrLeaseLost) {
		stopSending()
		senders.Wait()
		return err
	}
	for _, l := range t.lanes {
		l.finish()
	}
	grace := time.AfterFunc(t.relay.cfg.StopGrace, stopSending)
	senders.Wait()
	grace.Stop()
	t.release(ctx)
	return err
}

// guard renews the lease and saves the cursor until ctx ends or the lease is lost. Other failures of the store are only told: two
// relays at once do no harm, a cursor that is saved late only makes the next term send more again.
func (t *term) guard(ctx context.Context, stopSending context.CancelFunc) error {
	renew, save := time.NewTicker(t.relay.cfg.RenewEvery), time.NewTicker(t.relay.cfg.SaveEvery)
	defer renew.Stop()
	defer save.Stop()
	for {
		var renewDue, saveDue bool
		select {
		case <-renew.C:
			renewDue, saveDue = true, due(save)
		case <-save.C:
			renewDue, saveDue = due(renew), true
		case <-ctx.Done():
			return ctx.Err()
		}
		// Both are due when the process was held up, and then the lease comes first: it is what may soon be another's.
		var err error
		if renewDue {
			err = t.relay.lease.Renew(ctx, t.relay.cfg.Holder, t.epoch)
		}
		if saveDue && err == nil {
			err = t.save(ctx)
		}
		if errors.Is(err, ErrLeaseLost) {
			stopSending()
			return err
		}
		if err != nil && ctx.Err() == nil && t.leaseQuiet.allow() {
			t.relay.log.Warn("relay cannot reach the lease", "epoch", t.epoch, "error", err)
		}
	}
}

// due reports whether the ticker has ticked since it was last asked.
func due(ticker *time.Ticker) bool {
	select {
	case <-ticker.C:
		return true
	default:
		return false
	}
}

// save stores the cursor if the bus has acknowledged more than was saved.
func (t *term) save(ctx context.Context) error {
	cursor := t.lanes[0].acknowledged()
	for _, l := range t.lanes[1:] {
		cursor = hlc.Min(cursor, l.acknowledged())
	}
	if !cursor.After(t.saved) {
		return nil
	}
	if err := t.relay.lease.SaveCursor(ctx, t.epoch, cursor); err != nil {
		t.relay.count.unsaved.Add(1)
		return fmt.Errorf("save cursor: %w", err)
	}
	t.saved = cursor
	t.relay.count.cursor.Store(&cursor)
	return nil
}

// release saves the cursor for the last time and gives the lease up, also when ctx has ended.
func (t *term) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	var err error
	if len(t.lanes) > 0 {
		err = t.save(ctx)
	}
	if err = errors.Join(err, t.relay.lease.Release(ctx, t.epoch)); err != nil && !errors.Is(err, ErrLeaseLost) {
		t.relay.log.Warn("relay cannot release the lease", "epoch", t.epoch, "error", err)
	}
}

func (t *term) publishFailed(err error) {
	if t.publishQuiet.allow() {
		t.relay.log.Warn("relay cannot publish", "epoch", t.epoch, "error", err)
	}
}
