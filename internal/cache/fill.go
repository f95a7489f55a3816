package cache

import (
	"context"
	"fmt"
	"time"

	"eligibility/internal/profile"
)

// maxRaces is how many times a read is repeated because a change of its key arrived while the store was read.
const maxRaces = 3

// errLate: the read is correct but was so long under way that the bound has passed.
var errLate = fmt.Errorf("%w: a read took longer than the staleness bound", profile.ErrUnavailable)

// errNoLoad: no load came to an end in the time that one reader may wait.
var errNoLoad = fmt.Errorf("%w: no load ended in time", profile.ErrUnavailable)

// fill answers from a shared load.
func (c *Cache) fill(ctx context.Context, hash uint64, key profile.Key, d *Demand) (Read, error) {
	limited, cancel := context.WithTimeout(ctx, c.cfg.WaitMax)
	defer cancel()
	p := patience{budget: c.cfg.MinAsOfWait}
	for first := true; ; first = false {
		r, call, begun, err := c.loader.join(hash, key, d)
		if err != nil {
			return Read{}, err
		}
		if call == nil {
			return r, nil
		}
		began := before
		if !begun || !first {
			began = after // what is joined later was not there yet when the reader came
		}
		select {
		case <-call.done:
		case <-limited.Done():
			return Read{}, ended(ctx)
		}
		if call.err != nil {
			return Read{}, call.err
		}
		r, why := c.accept(hash, key, d, loaded{call.entry, call.floorSeen, began}, p.races >= maxRaces)
		if why == fits {
			return r, nil
		}
		wait, err := p.next(why, d.MinAsOf.Sub(call.entry.snap.AsOf), began)
		if err != nil {
			return Read{}, err
		}
		c.stats.rereads.Add(1)
		if wait == 0 {
			continue
		}
		if !pause(limited, wait) {
			return Read{}, ended(ctx)
		}
		if r, why := c.look(hash, key, d); why == fits {
			return r, nil // another's load, or the watermark, got there meanwhile
		}
	}
}

// ended says why a wait was cut: by the caller's own ctx or by our limit.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return errNoLoad
}

// loaded is what a load brought for one key, as one of its readers sees it.
type loaded struct {
	entry     *entry
	floorSeen int64 // the key's highest floor just before the load began
	began     order
}

// order is when a load began: before or after the reader came who now gets its result.
type order bool

const (
	before order = false
	after  order = true
)

// accept decides whether a load answers a reader who gets it now. The check is that of a hit, with one more way through.
//
// A load contains every change that was delivered before it began. So if it began after the reader came, its row is right for him even
// though it is stamped below a floor: the floor is another key's of the slot, or an upper bound, or the node that served the read has a
// slower clock. Such a read is answered and not kept, and claims nothing beyond its AsOf. If the floor rose during the load the read is
// repeated, unless it is the last try: to a reader who came before a change, either side of it is right.
//
// A load that began before the reader came may lack a change that was delivered in between, and an unchanged floor would not show it: the
// maximum may stem from a later stamp. It counts only if it passes the full check.
func (c *Cache) accept(hash uint64, key profile.Key, d *Demand, l loaded, lastTry bool) (Read, cause) {
	e, v := l.entry, c.view(hash, time.Now())
	trueAt, why := valid(e, key, d, &v)
	switch why {
	case fits:
		return Read{Snapshot: e.snap, TrueAt: trueAt, Memo: &e.memo}, fits
	case slotFloor, globalFloor:
		if l.began == before || v.floor() > l.floorSeen && !lastTry {
			return Read{}, why
		}
		if why := timely(e, e.snap.AsOf, d, &v); why != fits {
			return Read{}, why
		}
		c.stats.uncached.Add(1)
		return Read{Snapshot: e.snap, TrueAt: e.snap.AsOf}, fits
	}
	return Read{}, why
}

// patience is what remains of a reader's willingness to read again.
type patience struct {
	budget time.Duration // for waiting until the store has caught up with what the reader knows of
	races  int
	waits  int
}

// next says how long to wait before reading again, after a load that was refused for the cause; shortBy is what its AsOf lacked to the
// demanded stamp.
func (p *patience) next(why cause, shortBy time.Duration, began order) (time.Duration, error) {
	switch {
	case began == before || why == slotFloor || why == globalFloor:
		if p.races < maxRaces {
			p.races++
			return 0, nil // a load that begins now is newer
		}
	case why == belowMinAsOf:
		if wait, ok := p.wait(max(shortBy, 0)); ok {
			return wait, nil
		}
	case why == oldSchema:
		if wait, ok := p.wait(0); ok {
			return wait, nil
		}
	}
	switch why {
	case belowMinAsOf:
		return 0, ErrAsOfNotReached
	case oldSchema:
		return 0, ErrSchemaBehind
	}
	return 0, errLate
}

// wait spends the budget: the known difference and a millisecond, which doubles each time lest a store that stands still be asked in a
// tight loop. False: the difference is more than what is left.
func (p *patience) wait(shortBy time.Duration) (time.Duration, bool) {
	if shortBy+time.Millisecond > p.budget {
		return 0, false
	}
	wait := min(shortBy+time.Millisecond<<min(p.waits, 10), p.budget)
	p.waits++
	p.budget -= wait
	return wait, true
}

// pause waits for d or until ctx ends, and reports whether d passed.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
