package sim

import (
	"context"
	"fmt"
	"time"

	"eligibility/internal/cache"
	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

var (
	_ events.Subscriber = (*replica)(nil)
	_ events.Sink       = (*ledger)(nil)
)

// replica is a process that answers: a cache, a follower that drives it, the rulesets in force.
type replica struct {
	h        *history
	name     string
	clock    *hlc.Estimate
	cache    *cache.Cache
	follower *events.Follower
	live     rules.Live
	ledger   ledger
	hints    *shelf

	// The bus's side of it, used by the schedule and, guarded by h.w.mu, by publishers.
	handler events.Handler // nil while not attached
	queue   []*events.Batch
	signal  bool // the bus owes it a word about a loss
	whisper []*events.Hint
	broken  chan error
	// attached is when it was attached, until the schedule has noted that nothing from before then may be used.
	attached hlc.Timestamp

	told map[profile.Key]int // commits that it was told of. Guarded by h.w.mu
}

// ledger is what the follower has told its sinks: the floors, apart from the cache's, and that the ruleset may have changed.
type ledger struct {
	due    bool // the ruleset is to be read again
	rows   map[profile.Key]hlc.Timestamp
	global hlc.Timestamp
}

// Apply notes changes.
func (l *ledger) Apply(changes []events.Change, _ hlc.Timestamp) {
	for _, c := range changes {
		l.due = l.due || c.Table == events.TableRuleset
		key := profile.Key{Project: c.Project, User: c.Key}
		l.rows[key] = hlc.Max(l.rows[key], c.At)
	}
}

// Gap may have been a change of anything.
func (l *ledger) Gap(at hlc.Timestamp) { l.due, l.global = true, hlc.Max(l.global, at) }

// wholeBatch is more keys than there are users.
const wholeBatch = 8

func (h *history) newReplica() (*replica, error) {
	r := &replica{
		h: h, name: fmt.Sprintf("replica%d", len(h.replicas)), clock: &hlc.Estimate{}, broken: make(chan error, 1),
		told: make(map[profile.Key]int), ledger: ledger{rows: make(map[profile.Key]hlc.Timestamp)},
	}
	r.hints = newShelf(h, r, mix(h.seed, uint64(len(h.replicas))))
	src := &source{w: h.w, gates: &h.gates, name: r.name, plan: &h.plan, pace: time.Millisecond + time.Duration(len(h.replicas))*100*time.Nanosecond}
	cfg := cache.Defaults()
	cfg.Bound, cfg.MaxAge, cfg.FloorSlots = h.options.bound, maxAge, h.plan.slots
	cfg.MaxLoads, cfg.BatchMax, cfg.QueueMax, cfg.Logger = 2, wholeBatch, h.plan.queue, h.logger
	if cfg.GapSpread = h.plan.spread; cfg.GapSpread > 0 {
		cfg.MaxLoads = 1 // each worker waits once after a gap; of two it would be chance which one a reader wakes
	}
	// Who comes in one step comes into one load, which is never full: else it would be chance whether a worker of the cache or a reader is the first to go on.
	cfg.BatchWindow = settleTime / 2
	random := mix(h.seed, 77)
	var err error
	r.cache, err = cache.Assemble(cfg, src, r.clock, cache.Parts{
		Hints: r.hints, Seed: h.options.seed,
		// The draw must not depend on who of several goroutines comes first, so it goes by the schedule's step alone.
		Random: func(n int64) int64 { return int64(mix(random, h.step.Load()) % uint64(n)) },
	})
	if err != nil {
		return nil, err
	}
	follow := events.DefaultFollowerConfig(r.clock.Now)
	follow.RetryLeast, follow.RetryMost, follow.Logger = instantly, instantly, h.logger
	if r.follower, err = events.NewFollower(r, events.Fanout{r.cache, &r.ledger}, follow); err != nil {
		return nil, err
	}
	requested := time.Now()
	now, err := src.Now(context.Background())
	if err != nil {
		return nil, err
	}
	r.clock.Observe(now, requested)
	h.replicas = append(h.replicas, r)
	r.live.Swap(h.w.rulesets.All[0])
	if err := r.cache.Start(context.Background()); err != nil {
		return nil, err
	}
	return r, r.follower.Start(context.Background())
}

func (r *replica) stop() {
	r.follower.Stop()
	r.cache.Stop()
}

// Partitions is the number of partitions of the bus.
func (r *replica) Partitions() int { return partitions }

// Subscribe attaches when the schedule says so and breaks off when it says so. Messages are handed over by the schedule itself.
func (r *replica) Subscribe(ctx context.Context, ready chan<- struct{}, handle events.Handler) error {
	v, err := r.h.gates.pass(ctx, r.name+" subscribes", time.Millisecond)
	if err != nil {
		return nil
	}
	if v.fail {
		return errFault
	}
	r.h.w.with(func() { r.handler, r.queue, r.whisper, r.signal = handle, nil, nil, false })
	r.attached = r.clock.Now()
	close(ready)
	defer r.h.w.with(func() { r.handler = nil })
	select {
	case err := <-r.broken:
		return err
	case <-ctx.Done():
		return nil
	}
}

// arrive puts a batch on the way to every replica that is attached. The caller holds the world's lock.
func (h *history) arrive(b *events.Batch) {
	for _, r := range h.replicas {
		if r.handler != nil {
			r.queue = append(r.queue, b)
		}
	}
}

// deliver hands a batch over and notes what the replica has been told by it.
func (r *replica) deliver(b *events.Batch) {
	limit := r.clock.Now().Add(events.MaxAhead)
	r.handler.Batch(b)
	r.toldOf(b.Changes, limit)
	w := r.h.w
	w.mu.Lock()
	defer w.mu.Unlock()
	mark := r.follower.Watermark()
	if mark.IsZero() {
		return
	}
	r.toldUpTo(mark)
	for key, commits := range w.rows {
		if n := w.upTo(key, mark); n > 0 && hlc.Max(r.ledger.global, r.ledger.rows[key]).Before(commits[n-1]) {
			r.h.fault("%s has watermark %s, and was never told of %s at %s", r.name, short(mark), key.User, short(commits[n-1]))
		}
	}
}

// toldOf notes changes; one with a stamp beyond the limit stands for everything up to now.
func (r *replica) toldOf(changes []events.Change, limit hlc.Timestamp) {
	w := r.h.w
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range changes {
		if c.At.After(limit) {
			r.toldUpTo(limit.Add(-events.MaxAhead))
		} else {
			key := profile.Key{Project: c.Project, User: c.Key}
			r.told[key] = max(r.told[key], w.upTo(key, c.At))
		}
	}
}

// toldUpTo notes that no copy from before the stamp may be used. The caller holds the world's lock.
func (r *replica) toldUpTo(at hlc.Timestamp) {
	for key := range r.h.w.rows {
		r.told[key] = max(r.told[key], r.h.w.upTo(key, at))
	}
}

// lose tells the follower of a loss.
func (r *replica) lose(why events.Loss) {
	now := r.clock.Now()
	r.handler.Lost(why)
	r.h.w.with(func() { r.toldUpTo(now) })
}

// hear takes in a hint.
func (r *replica) hear(hint *events.Hint) {
	limit := r.clock.Now().Add(events.MaxAhead)
	r.handler.Hint(hint)
	r.toldOf(hint.Changes, limit)
}

// renew puts a ruleset into force, unless a newer one is.
func (r *replica) renew(version int) { r.live.Swap(r.h.w.rulesets.All[version]) }
