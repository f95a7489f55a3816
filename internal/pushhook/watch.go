package pushhook

import (
	"container/list"
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/stream"
)

// Limits of what is taken in.
const (
	filterSlots = 1 << 16     // of the filter before the queue
	filterTime  = time.Minute // a user who is seen again within it is not looked at again
	seenQueue   = 1024
	sweepEvery  = time.Minute
)

// Watch holds the users whom apps asked for lately, on this replica, and has them pushed when their answers change. It is an events.Sink;
// put it behind the cache. All methods are safe for concurrent use.
type Watch struct {
	cfg   Config
	hooks Hooks
	hub   *stream.Hub

	seed   maphash.Seed
	filter []atomic.Uint64 // what was seen lately, by hash; a lost or a shared slot only makes work
	began  time.Time
	seen   chan sight

	// known and order belong to the goroutine that keeps the watch.
	known map[sight]*list.Element
	order *list.List // of *watched, the one seen last in front

	evicted, dropped atomic.Uint64
	cancel           context.CancelFunc
	group            sync.WaitGroup
}

var _ events.Sink = (*Watch)(nil)

// sight is a user in a context: what an app asks for.
type sight struct {
	key      profile.Key
	question string
}

type watched struct {
	sight
	subscription *stream.Subscription
	last         time.Time
}

// NewWatch makes a watch that asks asker what users are answered and tells push, which must neither wait nor call the watch. Start it
// before the first Seen.
func NewWatch(cfg Config, asker stream.Asker, hooks Hooks, push func(key profile.Key, digest uint64)) *Watch {
	hubCfg := stream.Defaults()
	hubCfg.Max, hubCfg.MaxCredential, hubCfg.MaxUser = cfg.Watched, cfg.Watched, cfg.MaxUser
	hubCfg.Workers, hubCfg.Logger = cfg.Lookers, cfg.Logger
	hubCfg.Tell = func(s *stream.Subject, digest uint64, first bool) {
		if !first { // the first answer is the one that the app just got
			push(s.Key, digest)
		}
	}
	return &Watch{
		cfg: cfg, hooks: hooks, hub: stream.New(hubCfg, asker),
		seed: maphash.MakeSeed(), filter: make([]atomic.Uint64, filterSlots), began: time.Now(),
		seen: make(chan sight, seenQueue), known: make(map[sight]*list.Element), order: list.New(),
	}
}

// Start begins to watch, until Stop. Call it once.
func (w *Watch) Start(ctx context.Context) error {
	ctx, w.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := w.hub.Start(ctx); err != nil {
		return err
	}
	w.group.Go(func() { w.keep(ctx) })
	return nil
}

// Stop ends what Start began and waits for it.
func (w *Watch) Stop() {
	if w.cancel != nil {
		w.cancel()
		w.group.Wait()
	}
	w.hub.Stop()
}

// Wants reports whether the project has a hook, so that Seen is worth a call. It allocates nothing.
func (w *Watch) Wants(project string) bool {
	_, ok := w.hooks.Hook(project)
	return ok
}

// Seen notes that an app asked for the user in the context that question holds, in the form that the Asker reads. It never waits, copies
// the question, keeps the key, and allocates nothing for who was seen a moment ago.
func (w *Watch) Seen(key profile.Key, question []byte) {
	slot, mark := w.mark(key, question)
	if slot.Load() == mark {
		return
	}
	select {
	case w.seen <- sight{key, string(question)}:
		slot.Store(mark)
	default:
		w.dropped.Add(1) // the next request tries again
	}
}

// mark is the place of a sight in the filter, and what stands there while it was seen lately.
func (w *Watch) mark(key profile.Key, question []byte) (*atomic.Uint64, uint64) {
	var h maphash.Hash
	h.SetSeed(w.seed)
	_, _ = h.WriteString(key.Project)
	_ = h.WriteByte(0)
	_, _ = h.WriteString(key.User)
	_ = h.WriteByte(0)
	_, _ = h.Write(question)
	sum := h.Sum64()
	period := uint64(time.Since(w.began)/filterTime) + 1
	return &w.filter[sum%filterSlots], sum ^ period*0x9e3779b97f4a7c15 // spread over all bits, so that neighbouring periods differ in many
}

// Apply marks the users that changed.
func (w *Watch) Apply(changes []events.Change, watermark hlc.Timestamp) {
	w.hub.Apply(changes, watermark)
}

// Gap marks all.
func (w *Watch) Gap(at hlc.Timestamp) { w.hub.Gap(at) }

// Published marks the users of a project whose ruleset was replaced on this replica.
func (w *Watch) Published(project string) { w.hub.Published(project) }

// keep takes in what is seen and lets go of what was not seen for long.
func (w *Watch) keep(ctx context.Context) {
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-w.seen:
			w.take(s, time.Now())
		case <-sweep.C:
			w.sweep(time.Now())
		}
	}
}

func (w *Watch) take(s sight, now time.Time) {
	if e, ok := w.known[s]; ok {
		e.Value.(*watched).last = now
		w.order.MoveToFront(e)
		return
	}
	if w.order.Len() >= w.cfg.Watched {
		w.evicted.Add(1)
		w.drop(w.order.Back())
	}
	subscription, err := w.hub.Subscribe(stream.Subject{Key: s.key, Question: []byte(s.question)}, 0)
	if err != nil { // the user is watched in enough contexts; the hub counts it
		return
	}
	w.known[s] = w.order.PushFront(&watched{sight: s, subscription: subscription, last: now})
}

// sweep drops the users not seen for long, and those of projects that took their hook back.
func (w *Watch) sweep(now time.Time) {
	for e := w.order.Back(); e != nil; {
		before := e.Prev()
		if entry := e.Value.(*watched); now.Sub(entry.last) > w.cfg.WatchTime || !w.Wants(entry.key.Project) {
			w.drop(e)
		}
		e = before
	}
}

func (w *Watch) drop(e *list.Element) {
	entry := w.order.Remove(e).(*watched)
	delete(w.known, entry.sight)
	entry.subscription.Close()
}
