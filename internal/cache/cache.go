package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

// Cache answers reads of users from memory where law L1 allows it and from the store where not. Hit, Get, GetMany, Apply, Gap, RaiseOwn,
// State and Stats are safe for concurrent use.
type Cache struct {
	cfg    Config
	clock  *hlc.Estimate
	floors *floors
	hints  hints
	store  *store
	loader *loader
	bulk   chan struct{} // a place in it is the right to one bulk load
	stats  counters

	watermark atomic.Int64 // wall nanoseconds, only grows; 0 before the first
	progress  atomic.Int64 // uptime at which the watermark last grew
	phase     atomic.Uint32
	born      time.Time

	begin sync.Once
	end   sync.Once
	stop  context.CancelFunc // set by Start
	group sync.WaitGroup
}

// New makes a cache over the store behind src. The clock is renewed by every load and once a second. What New returns must be stopped, even
// when it was never started.
func New(cfg Config, src profile.Source, clock *hlc.Estimate) (*Cache, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	h, err := newRistretto(cfg.CacheBytes)
	if err != nil {
		return nil, err
	}
	return newCache(cfg, src, clock, h), nil
}

// newCache takes a valid configuration.
func newCache(cfg Config, src profile.Source, clock *hlc.Estimate, h hints) *Cache {
	c := &Cache{
		cfg:    cfg,
		clock:  clock,
		floors: newFloors(cfg.FloorSlots),
		hints:  h,
		bulk:   make(chan struct{}, cfg.BulkLoads),
		born:   time.Now(),
	}
	c.store = &store{src: src, clock: clock, timeout: cfg.LoadTimeout, logger: cfg.Logger, stats: &c.stats}
	c.loader = newLoader(c)
	return c
}

// Start begins loading and renewing the clock, until ctx ends or Stop is called. It does not wait for the store. A second call does
// nothing.
func (c *Cache) Start(ctx context.Context) error {
	c.begin.Do(func() {
		ctx, c.stop = context.WithCancel(ctx)
		c.group.Go(func() {
			<-ctx.Done()
			c.loader.close() // lets the workers go, which wait for calls and not for ctx
		})
		for range c.cfg.MaxLoads {
			c.group.Go(func() { c.loader.work(ctx) })
		}
		c.group.Go(func() { c.beat(ctx) })
		c.group.Go(func() { c.watch(ctx) })
	})
	return nil
}

// Stop ends what Start began, waits for it and frees the entries. Reads that wait for a load get ErrStopped. Call it after the last Hit has
// returned: ristretto does not bear a read while it is closed.
func (c *Cache) Stop() {
	c.begin.Do(func() {}) // from now on Start does nothing
	c.end.Do(func() {
		if c.stop != nil {
			c.stop()
		}
		c.loader.close()
		c.group.Wait()
		c.hints.close()
	})
}

// Hit answers from memory or reports false. It allocates nothing and takes no lock of ours (law L9). A miss is not counted: Get, which
// follows it, does.
func (c *Cache) Hit(key profile.Key, d *Demand) (Read, bool) { return c.HitAt(key, d, time.Now()) }

// HitAt is Hit for a reader who came at an instant, a time.Now of this process from a moment ago: the bound counts from when he came.
func (c *Cache) HitAt(key profile.Key, d *Demand, at time.Time) (Read, bool) {
	hash := c.floors.hash(events.TableProfile, key.Project, key.User)
	v := c.view(hash, at) // before the entry, so that the processor waits for both at once; the proof in valid asks for no order of these two
	e, ok := c.hints.get(hash)
	if !ok {
		return Read{}, false
	}
	r, why := v.take(e, key, d)
	if why != fits {
		return Read{}, false
	}
	c.stats.look(hash, fits)
	return r, true
}

// Get answers from memory, else from a load that all who ask for the key at the same time share, else by the policy in d. It returns within
// Config.WaitMax and a little, or when ctx ends; the shared load goes on without the caller.
//
// Errors: profile.ErrUnavailable and its kinds ErrStopped and ErrSchemaBehind, ErrOverloaded, ErrAsOfInFuture, ErrAsOfNotReached,
// ctx.Err().
func (c *Cache) Get(ctx context.Context, key profile.Key, d *Demand) (Read, error) {
	hash := c.floors.hash(events.TableProfile, key.Project, key.User)
	r, why := c.look(hash, key, d)
	c.count(hash, why)
	if why == fits {
		return r, nil
	}
	if err := c.plausible(d); err != nil {
		return Read{}, err
	}
	if c.store.down.Load() {
		// Do not make every reader wait out a store that failed within the last second. The beat finds out when it is back.
		if r, ok := c.stale(hash, key, d); ok {
			return r, nil
		}
	}
	r, err := c.fill(ctx, hash, key, d)
	if err == nil {
		return r, nil
	}
	if cannotAnswer(err) {
		if r, ok := c.stale(hash, key, d); ok {
			return r, nil
		}
	}
	return Read{}, fmt.Errorf("read user: %w", err)
}

// look reads the entry and decides on it.
func (c *Cache) look(hash uint64, key profile.Key, d *Demand) (Read, cause) {
	e, ok := c.hints.get(hash)
	if !ok {
		return Read{}, absent
	}
	return c.take(e, hash, key, d)
}

// take decides on an entry, wherever it was found.
func (c *Cache) take(e *entry, hash uint64, key profile.Key, d *Demand) (Read, cause) {
	v := c.view(hash, time.Now())
	return v.take(e, key, d)
}

// take decides on an entry.
func (v *view) take(e *entry, key profile.Key, d *Demand) (Read, cause) {
	trueAt, why := valid(e, key, d, v)
	if why != fits {
		return Read{}, why
	}
	return Read{Snapshot: e.snap, TrueAt: trueAt, Memo: &e.memo, Hit: true}, fits
}

// view loads the watermark before the floors; the whole proof in valid rests on that order.
func (c *Cache) view(hash uint64, at time.Time) view {
	v := view{bound: c.cfg.Bound}
	v.watermark = hlc.Timestamp{Wall: c.watermark.Load()}
	v.global = c.floors.global.Load()
	v.slot = c.floors.at(hash)
	v.now = c.clock.At(at)
	return v
}

// keep offers a loaded entry to the hints, unless it is too large or refused already, and reports whether it did.
func (c *Cache) keep(hash uint64, e *entry) bool {
	if e.snap.Partial { // good for one question: nothing loads it for keeping, and nothing ever may
		c.stats.fillsRefused.Add(1)
		return false
	}
	if e.cost > c.cfg.MaxEntryBytes {
		c.stats.oversize.Add(1)
		return false
	}
	v := c.view(hash, time.Now())
	if _, why := valid(e, e.snap.Key, &Demand{}, &v); why != fits {
		c.stats.fillsRefused.Add(1)
		return false
	}
	c.stats.fills.Add(1)
	c.hints.put(hash, e)
	return true
}

// maxAhead is how far a node's clock may lie ahead of the estimate: the skew that CockroachDB tolerates between nodes.
const maxAhead = 500 * time.Millisecond

// plausible refuses a demand that no write of this database can have led to.
func (c *Cache) plausible(d *Demand) error {
	if c.clock.Known() && d.MinAsOf.After(c.clock.Now().Add(maxAhead)) {
		return ErrAsOfInFuture
	}
	return nil
}

// cannotAnswer reports whether err is what the stale policy is for: the store is away or too slow.
func cannotAnswer(err error) bool {
	return errors.Is(err, profile.ErrUnavailable) || errors.Is(err, ErrOverloaded) || errors.Is(err, context.DeadlineExceeded)
}

func (c *Cache) uptime() time.Duration { return time.Since(c.born) }
