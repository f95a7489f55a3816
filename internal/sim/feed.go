package sim

import (
	"context"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
)

var _ events.Feed = (*feed)(nil)

// feed is the database's changefeed as one relay follows it.
type feed struct {
	w     *world
	plan  *plan
	relay *relayer
}

// feedPause is how often an undisturbed feed says how far it is.
const feedPause = 200 * time.Millisecond

// farAhead is how far a damaged stamp lies ahead.
const farAhead = time.Hour

// Follow yields a piece each time the schedule lets it.
func (f *feed) Follow(ctx context.Context, after hlc.Timestamp, yield func(events.FeedBatch) error) error {
	for next := 0; ; {
		v, err := f.relay.pass(ctx, "feed", feedPause)
		if err != nil {
			return err
		}
		if v.fail {
			return events.ErrUnavailable
		}
		var piece events.FeedBatch
		if piece, next, err = f.piece(after, next, v); err != nil {
			return err
		}
		if len(piece.Changes) == 0 && piece.Resolved.IsZero() {
			continue
		}
		if err := yield(piece); err != nil {
			return err
		}
	}
}

// piece is what comes after the first next changes of the log: one change, or how far the feed is, so that what a relay's senders make of
// it does not depend on who of them is faster. Through open gates it is all there is.
func (f *feed) piece(after hlc.Timestamp, next int, v verdict) (b events.FeedBatch, following int, err error) {
	w := f.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if next == 0 && after.Before(w.horizon) {
		return b, 0, events.ErrCursorTooOld
	}
	for next < len(w.log) && !w.log[next].At.After(after) {
		next++
	}
	switch {
	case v.draw == 0:
		for _, c := range w.log[next:] {
			if c.At.After(after) {
				b.Changes = append(b.Changes, c)
			}
		}
		next = len(w.log)
		b.Resolved = f.resolve(next)
	case f.plan.repeats && next > 0 && v.pick(1, 6) == 0:
		if c := w.log[v.pick(2, next)]; c.At.After(after) {
			b.Changes = append(b.Changes, c)
		}
	case next < len(w.log) && v.pick(1, 3) > 0:
		b.Changes = append(b.Changes, w.log[next])
		next++
	default:
		b.Resolved = f.resolve(next)
	}
	if f.plan.damage && v.draw != 0 && v.pick(3, 12) == 0 {
		f.damage(&b)
	}
	return b, next, nil
}

// damage spoils a stamp.
func (f *feed) damage(b *events.FeedBatch) {
	if n := len(b.Changes); n > 0 {
		f.relay.damaged[b.Changes[n-1]] = true
		b.Changes[n-1].At = b.Changes[n-1].At.Add(farAhead)
	} else {
		b.Resolved = b.Resolved.Add(farAhead)
	}
}

// resolve promises that nothing at or before the stamp follows the first sent changes of the log.
func (f *feed) resolve(sent int) hlc.Timestamp {
	at := f.w.now()
	if !f.w.stuck.IsZero() {
		at = hlc.Min(at, f.w.stuck)
	}
	for _, c := range f.w.log[sent:] {
		at = hlc.Min(at, c.At.Add(-1))
	}
	f.w.resolved = hlc.Max(f.w.resolved, at)
	return at
}
