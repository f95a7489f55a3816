package sim

import (
	"context"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
)

// leaseLife is how long the lease is held without being renewed.
const leaseLife = 3 * time.Second

// tenure is the lease as the database keeps it.
type tenure struct {
	holder  string
	epoch   uint64
	expires time.Duration // by the world's time
	cursor  hlc.Timestamp
}

var _ events.Lease = (*lease)(nil)

// lease is the tenure as one relay sees it.
type lease struct {
	w     *world
	held  *tenure // guarded by w.mu
	relay *relayer
}

// do runs f on the database once the schedule lets it.
func (l *lease) do(ctx context.Context, label string, pause time.Duration, f func() error) error {
	v, err := l.relay.pass(ctx, label, pause)
	if err != nil {
		return err
	}
	if v.fail && v.pick(1, 2) == 0 {
		return errFault
	}
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	if err := f(); err != nil {
		return err
	}
	if v.fail {
		return errFault // done, and the answer got lost
	}
	return nil
}

func (l *lease) Acquire(ctx context.Context, holder string) (epoch uint64, cursor hlc.Timestamp, err error) {
	err = l.do(ctx, "acquires", 100*time.Millisecond, func() error {
		if l.held.holder != "" && l.held.holder != holder && l.w.elapsed() < l.held.expires {
			return events.ErrLeaseHeld
		}
		l.held.holder, l.held.expires = holder, l.w.elapsed()+leaseLife
		l.held.epoch++
		epoch, cursor = l.held.epoch, l.held.cursor
		return nil
	})
	return epoch, cursor, err
}

func (l *lease) Renew(ctx context.Context, holder string, epoch uint64) error {
	return l.do(ctx, "renews", time.Millisecond, func() error {
		if l.held.holder != holder || l.held.epoch != epoch {
			return events.ErrLeaseLost
		}
		l.held.expires = l.w.elapsed() + leaseLife
		return nil
	})
}

func (l *lease) SaveCursor(ctx context.Context, epoch uint64, cursor hlc.Timestamp) error {
	return l.do(ctx, "saves", time.Millisecond, func() error {
		if l.held.epoch != epoch {
			return events.ErrLeaseLost
		}
		l.relay.vouched(epoch, cursor)
		l.held.cursor = hlc.Max(l.held.cursor, cursor)
		return nil
	})
}

func (l *lease) Release(ctx context.Context, epoch uint64) error {
	return l.do(ctx, "releases", time.Millisecond, func() error {
		if l.held.epoch != epoch {
			return events.ErrLeaseLost
		}
		l.held.holder = ""
		return nil
	})
}

func (l *lease) Now(ctx context.Context) (now hlc.Timestamp, err error) {
	err = l.do(ctx, "asks the time", time.Millisecond, func() error {
		now = l.w.now()
		return nil
	})
	return now, err
}
