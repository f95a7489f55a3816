package events

import (
	"context"
	"errors"
	"fmt"
	"time"

	"eligibility/internal/hlc"
)

// follow keeps the feed running until ctx ends or its cursor is too old.
func (t *term) follow(ctx context.Context) error {
	retry := backoff{least: t.relay.cfg.RetryLeast, most: t.relay.cfg.RetryMost}
	for {
		t.progress = false
		err := t.relay.feed.Follow(ctx, t.resolved, func(b FeedBatch) error { return t.take(ctx, b) })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, ErrCursorTooOld) {
			return err
		}
		if t.progress {
			retry.reset()
		}
		t.relay.count.feedRestarts.Add(1)
		if t.feedQuiet.allow() {
			t.relay.log.Warn("relay lost the feed", "epoch", t.epoch, "resume_after", t.resolved, "error", err)
		}
		if err := retry.wait(ctx); err != nil {
			return err
		}
	}
}

// take puts what the feed gave into the lanes. It blocks while a lane is full: the feed keeps what the bus cannot take.
func (t *term) take(ctx context.Context, b FeedBatch) error {
	for i := range b.Changes {
		c := b.Changes[i]
		plausible, now, err := t.plausible(ctx, c.At)
		if err != nil {
			return err
		}
		if plausible {
			t.high = hlc.Max(t.high, c.At)
		} else {
			// It goes out as it is, and followers take it for a gap. In High it would make every later batch of the epoch implausible too. What it
			// stands for has been committed: before the present, or at a node whose clock is a little ahead.
			t.high = hlc.Max(t.high, now.Add(nodesDiffer))
			t.alarm("change", c.At)
		}
		if err := t.lanes[Partition(c.Project, c.Key, len(t.lanes))].put(ctx, c, t.high); err != nil {
			return err
		}
	}
	if !b.Resolved.IsZero() {
		if err := t.resolve(ctx, b.Resolved); err != nil {
			return err
		}
	}
	if b.Acknowledged != nil {
		told := b.Resolved
		if told != t.resolved {
			told = hlc.Timestamp{} // it was refused, so no lane will ever tell it
		}
		awaitAll(t.lanes, told, b.Acknowledged)
	}
	return nil
}

func (t *term) resolve(ctx context.Context, at hlc.Timestamp) error {
	plausible, _, err := t.plausible(ctx, at)
	switch {
	case err != nil:
		return err
	case !plausible:
		// As a cursor it would make every later term begin in the future.
		t.alarm("resolved", at)
		return nil
	case at.Before(t.resolved):
		t.relay.count.backwards.Add(1)
		return nil
	}
	t.progress = t.progress || at.After(t.resolved)
	t.resolved = at
	t.relay.count.resolved.Store(&at)
	for _, l := range t.lanes {
		l.resolve(at)
	}
	return nil
}

// plausible reports whether at lies at most MaxAhead ahead of the database's clock. Before it says no it asks the database: our estimate
// may lag, after the process was suspended or the database's clock was set, and a change that is left out of High for nothing may be
// passed by a watermark without its floor. A feed that is full of such stamps is slowed by the asking, which it deserves. When
// not plausible, now is what the database said.
func (t *term) plausible(ctx context.Context, at hlc.Timestamp) (ok bool, now hlc.Timestamp, err error) {
	ahead := t.relay.cfg.MaxAhead
	if !at.After(t.clock.Now().Add(ahead)) {
		return true, now, nil
	}
	if now, err = t.askClock(ctx); err != nil {
		return false, now, fmt.Errorf("read the database's clock: %w", err)
	}
	return !at.After(now.Add(ahead)), now, nil
}

// askClock reads the database's clock.
func (t *term) askClock(ctx context.Context) (hlc.Timestamp, error) {
	requested := time.Now()
	now, err := t.relay.lease.Now(ctx)
	if err != nil {
		return hlc.Timestamp{}, err
	}
	t.clock.Observe(now, requested)
	return now, nil
}

// nodesDiffer is the skew that CockroachDB tolerates between the clocks of its nodes.
const nodesDiffer = 500 * time.Millisecond

func (t *term) alarm(what string, at hlc.Timestamp) {
	t.relay.count.implausible.Add(1)
	if t.alarmQuiet.allow() {
		t.relay.log.Error("feed gave a stamp far ahead of the database's clock", "epoch", t.epoch, "what", what, "stamp", at)
	}
}
