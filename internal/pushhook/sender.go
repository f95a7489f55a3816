package pushhook

import (
	"container/heap"
	"container/list"
	"context"
	"log/slog"
	"sync"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/profile"
)

// Hooks finds a project's push hook; access.Keyring is one.
type Hooks interface {
	Hook(project string) (*access.Hook, bool)
}

// Sender posts messages. It keeps one for each user at most: what happens while one waits is told by the same one. All methods are safe for
// concurrent use.
type Sender struct {
	cfg    Config
	hooks  Hooks
	client *client
	post   func(ctx context.Context, hook *access.Hook, id string, body []byte, at time.Time) outcome
	logger *slog.Logger

	mu       sync.Mutex
	users    map[profile.Key]*item // guarded by mu, as are all below
	later    queue                 // items that wait for their time
	cooling  *list.List            // items whose user was told of lately, the earliest first
	lanes    map[string]*lane
	runnable []*lane // with something ready and room for another request, each once; the first is next
	waiting  int     // items that are later, ready or flying
	flying   int
	stopping bool
	counts   counts
	empty    chan struct{} // closed once stopping and nothing waits

	wake   chan struct{} // of one place: the earliest time may be another one
	work   chan *item    // as many places as requests at one time, so that it never blocks
	cancel context.CancelFunc
	stop   sync.Once
	group  sync.WaitGroup
}

// state is where an item is.
type state uint8

const (
	stateLater   state = iota // in the queue, until due
	stateReady                // in its lane, until a request may be made
	stateFlying               // a request is being made
	stateCooling              // no message: its user was told of a moment ago
)

// item is the message about one user.
type item struct {
	key      profile.Key
	state    state
	notice   notice
	next     *notice // what came while the item was flying
	attempts int
	due      time.Time
	cool     *list.Element // in cooling
}

// notice is what a message says.
type notice struct {
	digest uint64
	at     time.Time
}

// NewSender makes a sender. Start it before the first Push.
func NewSender(cfg Config, hooks Hooks) *Sender {
	c := newClient(&cfg)
	return &Sender{
		cfg: cfg, hooks: hooks, client: c, post: c.post, logger: cfg.Logger, users: make(map[profile.Key]*item), cooling: list.New(),
		lanes: make(map[string]*lane), empty: make(chan struct{}), wake: make(chan struct{}, 1), work: make(chan *item, cfg.Workers),
	}
}

// CheckURL says what is wrong with a URL that a hook is declared with; the text is for who declares it.
func (s *Sender) CheckURL(raw string) error { return s.client.guard.CheckURL(raw) }

// Start begins to post, until Stop. Call it once.
func (s *Sender) Start(ctx context.Context) error {
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.group.Go(func() { s.schedule(ctx) })
	for range s.cfg.Workers {
		s.group.Go(func() { s.serve(ctx) })
	}
	return nil
}

// Stop takes nothing more, makes at once the requests that would be the first for their message, gives up those that failed before, and
// waits for the rest until ctx ends. It may be called more than once and without Start.
func (s *Sender) Stop(ctx context.Context) error {
	if s.cancel != nil {
		s.stop.Do(func() { s.end(ctx) })
	}
	return nil
}

func (s *Sender) end(ctx context.Context) {
	s.settle()
	select {
	case <-s.empty:
	case <-ctx.Done():
	}
	s.cancel()
	s.group.Wait()
	s.client.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts.Abandoned += uint64(s.waiting); s.counts.Abandoned > 0 {
		s.logger.Warn("push messages were not sent before the stop", "messages", s.counts.Abandoned)
	}
	s.waiting = 0
}

// settle begins the end: what was never tried is due now, the rest is given up.
func (s *Sender) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	for len(s.later) > 0 {
		it := heap.Pop(&s.later).(*item)
		if it.attempts > 0 {
			s.abandon(it)
			continue
		}
		s.ready(it)
	}
	s.noteEmpty()
	s.rouse()
}

// abandon gives up an item because of the stop. s.mu is held.
func (s *Sender) abandon(it *item) {
	s.counts.Abandoned++
	s.leave(it)
	delete(s.users, it.key)
}

// Push has the project told that the user's answer has the digest. It never waits: what finds no room is a dead letter.
func (s *Sender) Push(key profile.Key, digest uint64) {
	n := notice{digest: digest, at: time.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		s.counts.Abandoned++
		return
	}
	s.thaw(n.at)
	it := s.users[key]
	switch {
	case it == nil:
		s.enter(&item{key: key, notice: n, due: n.at})
	case it.state == stateCooling:
		s.cooling.Remove(it.cool)
		delete(s.users, key)
		it.notice, it.attempts = n, 0
		s.enter(it)
	case it.state == stateFlying:
		s.counts.Joined++
		it.next = &n
	default:
		s.counts.Joined++
		it.notice = n
	}
}

// enter takes in an item that was not waiting. s.mu is held.
func (s *Sender) enter(it *item) {
	l := s.lane(it.key.Project)
	if s.waiting >= s.cfg.Queue || l.waiting >= s.cfg.ProjectQueue {
		s.bury(l, it, outcome{reason: ReasonQueueFull})
		return
	}
	s.users[it.key] = it
	s.waiting++
	l.waiting++
	s.wait(it)
}

// DeadLetters lists the project's latest messages that this replica gave up, the latest first.
func (s *Sender) DeadLetters(project string) []DeadLetter {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lanes[project]
	if l == nil {
		return []DeadLetter{}
	}
	return l.dead.latest()
}
