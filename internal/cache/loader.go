package cache

import (
	"context"
	"sync"
	"time"

	"eligibility/internal/profile"
)

// loader turns misses into as few loads as it can: those who miss the same key share one call, and calls that wait together are read by one
// Source.Load. Calls wait in order of arrival, at most QueueMax of them and for about QueueWait; how many loads run at once adapts to what
// the store bears. So many keys that become invalid together, as after a gap, reach the store in line and not at once.
type loader struct {
	cache  *Cache // whose entries these are
	cfg    *Config
	store  *store
	floors *floors
	stats  *counters
	// full holds a token while a whole batch may wait: it ends the window of the worker that gathers one.
	full chan struct{}

	mu     sync.Mutex // guards what follows and the unfinished parts of calls
	wake   sync.Cond  // the queue grew, or closed
	newest map[profile.Key]*call
	young  young
	queue  []*call
	closed bool

	limit   limit
	running int // loads under way
}

// call is one load of one key, shared by all who wait for done.
type call struct {
	key       profile.Key
	hash      uint64
	came      time.Time
	keep      bool  // someone wants it kept
	begun     bool  // no longer in the queue
	kept      bool  // the hints were given the entry
	floorSeen int64 // the key's highest floor just before the load began

	done  chan struct{} // closed when entry or err is set
	entry *entry
	err   error
}

// newLoader makes the loader of a cache that is complete but for it.
func newLoader(c *Cache) *loader {
	l := &loader{
		cache: c, cfg: &c.cfg, store: c.store, floors: c.floors, stats: &c.stats,
		newest: make(map[profile.Key]*call), young: make(young), full: make(chan struct{}, 1),
		limit: newLimit(c.cfg.MaxLoads, c.cfg.LoadTimeout/2),
	}
	l.wake.L = &l.mu
	return l
}

// join returns a call for the key whose result may serve whoever joins now. A load that began before the key's present floor was raised
// may not contain that change, so it is not joined: a new call takes its place. begun says that the load was under way already, so that
// its AsOf may be older than the caller.
//
// No call and no error: a load of another has come to an end since the caller looked, and r is the answer. Errors: ErrOverloaded, ErrStopped.
func (l *loader) join(hash uint64, key profile.Key, d *Demand) (r Read, c *call, begun bool, err error) {
	floor := l.floors.highest(hash)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return Read{}, nil, false, ErrStopped
	}
	if c := l.newest[key]; c != nil && (!c.begun || c.floorSeen >= floor) {
		l.stats.coalesced.Add(1)
		c.keep = c.keep || !d.NoStore
		return Read{}, c, c.begun, nil
	}
	if r, ok := l.ended(hash, key, d); ok {
		l.stats.coalesced.Add(1)
		return r, nil, false, nil
	}
	if len(l.queue) >= l.cfg.QueueMax {
		l.stats.rejected.Add(1)
		return Read{}, nil, false, ErrOverloaded
	}
	c = &call{key: key, hash: hash, came: time.Now(), keep: !d.NoStore, done: make(chan struct{})}
	l.newest[key] = c
	l.queue = append(l.queue, c)
	l.wake.Signal()
	if len(l.queue) >= l.cfg.BatchMax {
		select {
		case l.full <- struct{}{}:
		default:
		}
	}
	return Read{}, c, false, nil
}

// work loads batches until ctx ends.
func (l *loader) work(ctx context.Context) {
	batch := make([]*call, 0, l.cfg.BatchMax)
	keys := make([]profile.Key, 0, l.cfg.BatchMax)
	snaps := make([]*profile.Snapshot, l.cfg.BatchMax)
	var risen int64 // the global floor for which this worker has waited
	for {
		batch = l.take(ctx, batch[:0], &risen)
		if len(batch) == 0 {
			return
		}
		keys = keys[:0]
		for _, c := range batch {
			keys = append(keys, c.key)
		}
		began := time.Now()
		err := l.store.load(ctx, keys, snaps[:len(batch)])
		if ctx.Err() != nil {
			err = ErrStopped
		}
		l.finish(batch, snaps, err)
		l.release(began, err)
		l.settle(batch)
		clear(batch)
		clear(snaps)
	}
}

// take waits for calls and begins them. None: the loader is closed.
func (l *loader) take(ctx context.Context, batch []*call, risen *int64) []*call {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		l.shed()
		for (len(l.queue) == 0 || !l.limit.allows(l.running)) && !l.closed {
			l.wake.Wait()
			l.shed()
		}
		if l.closed {
			return batch
		}
		if floor := l.floors.global.Load(); floor > *risen && l.cfg.GapSpread > 0 {
			*risen = floor
			l.mu.Unlock()
			l.spread(ctx)
			l.mu.Lock()
			continue
		}
		if l.cfg.BatchWindow == 0 || len(l.queue) >= l.cfg.BatchMax {
			break
		}
		l.mu.Unlock()
		l.gather(ctx)
		l.mu.Lock()
		if len(l.queue) > 0 && l.limit.allows(l.running) && !l.closed {
			break
		}
	}
	l.running++
	n := min(len(l.queue), l.cfg.BatchMax)
	batch = append(batch, l.queue[:n]...)
	l.queue = append(l.queue[:0], l.queue[n:]...)
	clear(l.queue[len(l.queue) : len(l.queue)+n])
	select {
	case <-l.full: // what was full is taken: the next batch has its window
	default:
	}
	for _, c := range batch {
		c.begun = true
		c.floorSeen = l.floors.highest(c.hash)
	}
	if len(l.queue) > 0 {
		l.wake.Signal()
	}
	return batch
}

// shed refuses the calls that have waited too long: those who wait for them have better uses for what time they have left, and a store
// that is behind gets no more to do. The caller holds mu.
func (l *loader) shed() {
	n := 0
	for n < len(l.queue) && time.Since(l.queue[n].came) > l.cfg.QueueWait {
		c := l.queue[n]
		c.err = ErrOverloaded
		if l.newest[c.key] == c {
			delete(l.newest, c.key)
		}
		close(c.done)
		n++
	}
	if n > 0 {
		l.stats.rejected.Add(uint64(n))
		l.queue = append(l.queue[:0], l.queue[n:]...)
		clear(l.queue[len(l.queue) : len(l.queue)+n])
	}
}

// release notes that a load is over and lets the next begin.
func (l *loader) release(began time.Time, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	l.limit.ended(began, time.Now(), err != nil)
	if len(l.queue) > 0 {
		l.wake.Signal()
	}
}

// limitNow is how many loads may run at once at present.
func (l *loader) limitNow() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int(l.limit.now)
}

// spread lets a random part of GapSpread go by. All replicas hear of a gap in the same moment, and all of their workers would turn to the store in
// the next. Calls that arrive meanwhile share the batch.
func (l *loader) spread(ctx context.Context) {
	timer := time.NewTimer(time.Duration(l.cfg.draw(int64(l.cfg.GapSpread))))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// gather lets a batch grow for the window, or until it is full.
func (l *loader) gather(ctx context.Context) {
	timer := time.NewTimer(l.cfg.BatchWindow)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.full:
	case <-ctx.Done():
	}
}

// finish hands the result of a load to those who wait. The entry is offered to the hints first and is young from then on, so that whoever
// comes later finds the call, the young entry or the hints'.
func (l *loader) finish(batch []*call, snaps []*profile.Snapshot, err error) {
	for i, c := range batch {
		if err == nil {
			c.entry = newEntry(snaps[i], l.cfg.life(), l.cfg.MemoBytes)
			if l.wanted(c) {
				c.kept = l.cache.keep(c.hash, c.entry)
			}
		}
		c.err = err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range batch {
		if l.newest[c.key] == c {
			delete(l.newest, c.key)
		}
		if c.kept {
			l.young[c.key] = c.entry
		}
		close(c.done)
	}
}

func (l *loader) wanted(c *call) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return c.keep
}

// depth is the number of keys that wait for a load to begin.
func (l *loader) depth() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// close refuses new calls, fails the waiting ones and lets the workers go. It may be called again.
func (l *loader) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, c := range l.queue {
		c.err = ErrStopped
		delete(l.newest, c.key)
		close(c.done)
	}
	l.queue = nil
	l.wake.Broadcast()
}
