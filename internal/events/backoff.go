package events

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff spaces retries: each wait is random between half and the whole of a span that doubles from least to most. It is not safe for
// concurrent use.
type backoff struct {
	least, most time.Duration
	span        time.Duration
}

// reset begins again at least. Call it on progress only: a peer that accepts and then fails at once must not be hammered.
func (b *backoff) reset() { b.span = 0 }

// wait sleeps for the next span. It returns ctx.Err() when ctx ends first.
func (b *backoff) wait(ctx context.Context) error {
	b.span = min(max(b.span*2, b.least), b.most)
	return pause(ctx, jitter(b.span))
}

// jitter is a random time between d/2 and d.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
