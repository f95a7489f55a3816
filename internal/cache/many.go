package cache

import (
	"context"
	"fmt"

	"eligibility/internal/events"
	"eligibility/internal/profile"
)

// GetMany fills dst[i] for keys[i], for bulk work that must not disturb single reads: hits are used, misses are read in batches by the
// calling goroutine under a budget of its own, and nothing loaded is kept. Reads are never Degraded; each was within the bound when it was
// taken, so that callers who ask for many batches at once get the first of them a little older. dst must be as long as keys. On an error,
// which is one of those of Get but never ErrOverloaded, dst is incomplete.
func (c *Cache) GetMany(ctx context.Context, keys []profile.Key, d *Demand, dst []Read) error {
	dst = dst[:len(keys)]
	var missing []wanted
	for i, key := range keys {
		hash := c.floors.hash(events.TableProfile, key.Project, key.User)
		r, why := c.look(hash, key, d)
		c.count(hash, why)
		if why == fits {
			dst[i] = r
			continue
		}
		if missing == nil {
			missing = make([]wanted, 0, len(keys)-i)
		}
		missing = append(missing, wanted{index: i, hash: hash})
	}
	if len(missing) == 0 {
		return nil
	}
	if err := c.plausible(d); err != nil {
		return err
	}
	b := bulk{cache: c, keys: keys, demand: d, dst: dst}
	for len(missing) > 0 {
		n := min(len(missing), c.cfg.BatchMax)
		if err := b.fill(ctx, missing[:n]); err != nil {
			return fmt.Errorf("read users: %w", err)
		}
		missing = missing[n:]
	}
	return nil
}

// wanted is a miss of GetMany.
type wanted struct {
	index     int
	hash      uint64
	floorSeen int64
}

// bulk is one GetMany at work, and its buffers.
type bulk struct {
	cache  *Cache
	keys   []profile.Key
	demand *Demand
	dst    []Read

	batch []profile.Key
	snaps []*profile.Snapshot
}

// fill reads a chunk of misses, those again that were refused. It overwrites the chunk.
func (b *bulk) fill(ctx context.Context, chunk []wanted) error {
	limited, cancel := context.WithTimeout(ctx, b.cache.cfg.WaitMax)
	defer cancel()
	p := patience{budget: b.cache.cfg.MinAsOfWait}
	for {
		if err := b.load(limited, chunk); err != nil {
			if limited.Err() != nil {
				return ended(ctx)
			}
			return err
		}
		refused, why := b.accept(chunk, p.races >= maxRaces)
		if len(refused) == 0 {
			return nil
		}
		// All were read at one stamp, so that they lack the same.
		wait, err := p.next(why, b.demand.MinAsOf.Sub(b.snaps[0].AsOf), after)
		if err != nil {
			return err
		}
		b.cache.stats.rereads.Add(uint64(len(refused)))
		if wait > 0 && !pause(limited, wait) {
			return ended(ctx)
		}
		chunk = refused
	}
}

// load reads the chunk once the bulk budget has room.
func (b *bulk) load(ctx context.Context, chunk []wanted) error {
	select {
	case b.cache.bulk <- struct{}{}:
		defer func() { <-b.cache.bulk }()
	case <-ctx.Done():
		return ctx.Err()
	}
	b.batch = b.batch[:0]
	for i := range chunk {
		b.batch = append(b.batch, b.keys[chunk[i].index])
		chunk[i].floorSeen = b.cache.floors.highest(chunk[i].hash)
	}
	b.snaps = append(b.snaps[:0], make([]*profile.Snapshot, len(chunk))...)
	return b.cache.store.loadPart(ctx, b.demand.Only, b.batch, b.snaps)
}

// accept keeps what answers and returns the rest at the front of the chunk, with the gravest cause.
func (b *bulk) accept(chunk []wanted, lastTry bool) (refused []wanted, gravest cause) {
	refused = chunk[:0]
	e := &entry{maxAge: b.cache.cfg.life()} // none of them is kept: one after the other is looked at
	for i, w := range chunk {
		e.snap = b.snaps[i]
		r, why := b.cache.accept(w.hash, b.keys[w.index], b.demand, loaded{e, w.floorSeen, after}, lastTry)
		if why != fits {
			refused = append(refused, w)
			gravest = max(gravest, why)
			continue
		}
		r.Memo = nil
		b.dst[w.index] = r
	}
	return refused, gravest
}
