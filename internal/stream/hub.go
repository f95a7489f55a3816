package stream

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

// Outlook is an answer in short.
type Outlook struct {
	// Digest is equal for equal messages: which are shown, in which revision, where and in which order.
	Digest uint64
	// Turns is how long it takes at least until time alone may change the answer; Never when no instant is known. 0 of an answer that may change at any
	// time.
	Turns time.Duration
	// Edge identifies the instant that Turns leads to: subscriptions that share it turn together.
	Edge int64
}

// Never is an Outlook's Turns without an end.
const Never = time.Duration(1<<63 - 1)

// Asker computes what a subscription's user would be answered now. It must be safe for concurrent use.
type Asker interface {
	Ask(ctx context.Context, s *Subject) (Outlook, error)
}

// Subject is who is asked about, and for what. Immutable.
type Subject struct {
	Key        profile.Key
	Credential string // id of the key that opened the stream: limits count by it
	Question   []byte // what the client asks for, as the Asker reads it
}

// Config bounds a hub.
type Config struct {
	Max           int           // streams in all
	MaxCredential int           // of one key
	MaxUser       int           // of one user
	Workers       int           // looks at one time
	AskTimeout    time.Duration // of one look
	Retry         time.Duration // after a look that failed; the first half of it is certain, the rest drawn
	Spread        time.Duration // for each stream that turns at one instant with others: they come one after the other, not all at once
	GapSpread     time.Duration // over which all streams are looked at again after a gap
	Opaque        time.Duration // how often a subscription is looked at whose answer may change at any time
	Logger        *slog.Logger  // default: discard

	// Tell, when set, is told instead of the subscriptions' Notices: of whom and of which answer, and whether it is the first that the subscription is
	// told of. It must neither wait nor call the hub. Calls for one subscription come one after the other, in the order of its answers.
	Tell func(s *Subject, digest uint64, first bool)
}

// Defaults allows 20,000 streams.
func Defaults() Config {
	return Config{
		Max: 20_000, MaxCredential: 20_000, MaxUser: 8, Workers: 4, AskTimeout: 2 * time.Second, Retry: 2 * time.Second,
		Spread: 50 * time.Microsecond, GapSpread: 5 * time.Second, Opaque: time.Second, Logger: slog.New(slog.DiscardHandler),
	}
}

// Reasons for which Subscribe refuses.
var (
	ErrFull    = errors.New("too many streams are open")
	ErrStopped = errors.New("the streams were closed")
)

// Hub marks, looks and tells. It is an events.Sink; put it behind the cache, whose floors must be raised before a look. All methods are safe for concurrent
// use.
type Hub struct {
	cfg   Config
	asker Asker

	mu      sync.RWMutex
	users   map[profile.Key]map[*Subscription]struct{} // guarded by mu, as are all below
	project map[string]map[*Subscription]struct{}
	byKey   map[string]int // streams of each credential
	edges   map[int64]int  // subscriptions that turn at each instant
	open    int
	stopped bool

	marked chan *Subscription // each subscription is in it at most once, so it never blocks
	counts counters
	cancel context.CancelFunc
	group  sync.WaitGroup
}

var _ events.Sink = (*Hub)(nil)

// New makes a hub. Start it before the first Subscribe.
func New(cfg Config, asker Asker) *Hub {
	return &Hub{
		cfg: cfg, asker: asker,
		users: make(map[profile.Key]map[*Subscription]struct{}), project: make(map[string]map[*Subscription]struct{}),
		byKey: make(map[string]int), edges: make(map[int64]int),
		// Closed subscriptions may wait in it for a worker that drops them, beside all open ones.
		marked: make(chan *Subscription, 2*cfg.Max+cfg.Workers),
	}
}

// Start begins to look at what is marked, until ctx ends or Stop is called. Call it once.
func (h *Hub) Start(ctx context.Context) error {
	ctx, h.cancel = context.WithCancel(ctx)
	for range h.cfg.Workers {
		h.group.Go(func() { h.work(ctx) })
	}
	return nil
}

// Drain closes all subscriptions and refuses new ones. Their clients connect again, elsewhere.
func (h *Hub) Drain() {
	h.mu.Lock()
	h.stopped = true
	all := h.all()
	h.mu.Unlock()
	for _, s := range all {
		s.Close()
	}
}

// Stop drains, ends what Start began and waits for it.
func (h *Hub) Stop() {
	h.Drain()
	if h.cancel != nil {
		h.cancel()
		h.group.Wait()
	}
}

// Apply marks the users that changed. It never waits.
func (h *Hub) Apply(changes []events.Change, _ hlc.Timestamp) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.open == 0 {
		return
	}
	for i := range changes {
		if changes[i].Table != events.TableProfile {
			continue // a ruleset is Published once it is in force here
		}
		for s := range h.users[profile.Key{Project: changes[i].Project, User: changes[i].Key}] {
			h.mark(s)
		}
	}
}

// Gap marks all, over some time: nobody knows whom it concerns, and the cache has to read every one of them again.
func (h *Hub) Gap(hlc.Timestamp) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, s := range h.all() {
		s.after(rand.N(h.cfg.GapSpread))
	}
}

// Published marks the subscriptions of the project, whose ruleset has just been replaced on this replica.
func (h *Hub) Published(project string) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	spread := time.Duration(len(h.project[project])) * h.cfg.Spread
	for s := range h.project[project] {
		if spread > crowd*h.cfg.Spread {
			s.after(rand.N(spread))
			continue
		}
		h.mark(s)
	}
}

// crowd is how many may turn at once without being spread.
const crowd = 256

// all lists the open subscriptions. h.mu is held.
func (h *Hub) all() []*Subscription {
	out := make([]*Subscription, 0, h.open)
	for _, subscriptions := range h.project {
		for s := range subscriptions {
			out = append(out, s)
		}
	}
	return out
}

// mark has s looked at soon, once, however often it is marked before that.
func (h *Hub) mark(s *Subscription) {
	if s.marked.CompareAndSwap(false, true) {
		select {
		case h.marked <- s:
		default:
			s.marked.Store(false) // closed ones fill the room; the next mark tries again
		}
	}
}

func (h *Hub) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-h.marked:
			s.marked.Store(false) // before the look: a change during it marks again
			h.turn(ctx, s)
		}
	}
}

// turn looks, unless another worker does: that one is asked to have s marked again, so that no worker waits for another.
func (h *Hub) turn(ctx context.Context, s *Subscription) {
	s.again.Store(true) // before the lock is tried: who holds it now will see it
	if !s.looking.TryLock() {
		return
	}
	s.again.Store(false)
	h.look(ctx, s)
	s.looking.Unlock()
	if s.again.Load() {
		h.mark(s)
	}
}

// look computes the answer, tells the client if it is another one, and sets the timer to the next instant at which it may turn.
func (h *Hub) look(ctx context.Context, s *Subscription) {
	if s.isClosed() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, h.cfg.AskTimeout)
	defer cancel()
	h.counts.looks.Add(1)
	outlook, err := h.asker.Ask(ctx, &s.subject)
	if err != nil {
		h.counts.failed.Add(1)
		s.turnAt(0, h.cfg.Retry/2+rand.N(h.cfg.Retry/2+1))
		return
	}
	s.settle(outlook)
}

// counters are read by Stats.
type counters struct{ opened, refused, looks, failed, told atomic.Uint64 }

// Stats says what the hub did.
type Stats struct {
	Open                                 int
	Opened, Refused, Looks, Failed, Told uint64
}

// Stats reads the counters.
func (h *Hub) Stats() Stats {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return Stats{
		Open: h.open, Opened: h.counts.opened.Load(), Refused: h.counts.refused.Load(), Looks: h.counts.looks.Load(),
		Failed: h.counts.failed.Load(), Told: h.counts.told.Load(),
	}
}
