package stream

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Subscription is one client that waits. Notices and Close are safe for concurrent use.
type Subscription struct {
	hub     *Hub
	subject Subject
	marked  atomic.Bool
	notices chan struct{} // of one place: what was not taken yet says enough
	closed  chan struct{}

	looking sync.Mutex  // one look at a time: an older answer must not come after a newer one
	again   atomic.Bool // marked while somebody was looking

	mu    sync.Mutex
	known bool // the client has been told of digest, or brought it
	last  uint64
	next  *time.Timer
	due   time.Time // of next; zero when it is not set
	edge  int64     // that next is set for; 0: none of its own
	over  bool
}

// Subscribe opens a subscription. since is the digest that the client knows, as Digest told it before the connection broke; 0 when it knows none. The client
// is told at once if its answer is another one. Errors: ErrFull, ErrStopped.
func (h *Hub) Subscribe(subject Subject, since uint64) (*Subscription, error) {
	s := &Subscription{
		hub: h, subject: subject, notices: make(chan struct{}, 1), closed: make(chan struct{}), last: since, known: since != 0,
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.stopped:
		return nil, ErrStopped
	case h.open >= h.cfg.Max, h.byKey[subject.Credential] >= h.cfg.MaxCredential, len(h.users[subject.Key]) >= h.cfg.MaxUser:
		h.counts.refused.Add(1)
		return nil, ErrFull
	}
	add(h.users, subject.Key, s)
	add(h.project, subject.Key.Project, s)
	h.byKey[subject.Credential]++
	h.open++
	h.counts.opened.Add(1)
	h.mark(s)
	return s, nil
}

func add[K comparable](sets map[K]map[*Subscription]struct{}, key K, s *Subscription) {
	if sets[key] == nil {
		sets[key] = make(map[*Subscription]struct{})
	}
	sets[key][s] = struct{}{}
}

func remove[K comparable](sets map[K]map[*Subscription]struct{}, key K, s *Subscription) {
	if delete(sets[key], s); len(sets[key]) == 0 {
		delete(sets, key)
	}
}

// Notices yields when the client should ask again. Several reasons before it is read are one notice.
func (s *Subscription) Notices() <-chan struct{} { return s.notices }

// Closed is closed when the subscription is, by whichever side.
func (s *Subscription) Closed() <-chan struct{} { return s.closed }

// Digest is of the answer that the client was last told of, for a later Subscribe.
func (s *Subscription) Digest() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// Close ends the subscription. It may be called more than once.
func (s *Subscription) Close() {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return
	}
	s.over = true
	if s.next != nil {
		s.next.Stop()
	}
	edge := s.edge
	s.edge = 0
	close(s.closed)
	s.mu.Unlock()

	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leave(edge)
	remove(h.users, s.subject.Key, s)
	remove(h.project, s.subject.Key.Project, s)
	if h.byKey[s.subject.Credential]--; h.byKey[s.subject.Credential] == 0 {
		delete(h.byKey, s.subject.Credential)
	}
	h.open--
}

func (s *Subscription) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// settle takes in an answer.
func (s *Subscription) settle(o Outlook) {
	s.mu.Lock()
	first := !s.known
	if first || s.last != o.Digest {
		s.known, s.last = true, o.Digest
		s.tell(first)
	}
	s.mu.Unlock()
	switch {
	case o.Turns == Never:
		s.turnAt(0, 0)
	case o.Turns <= 0:
		s.turnAt(0, s.hub.cfg.Opaque)
	default:
		s.turnAt(o.Edge, o.Turns)
	}
}

// tell passes on that the answer is another one. s.mu is held.
func (s *Subscription) tell(first bool) {
	if tell := s.hub.cfg.Tell; tell != nil {
		s.hub.counts.told.Add(1)
		tell(&s.subject, s.last, first)
		return
	}
	select {
	case s.notices <- struct{}{}:
		s.hub.counts.told.Add(1)
	default:
	}
}

// turnAt sets the timer for an edge; a wait of 0 sets none. Many that share an edge are spread behind it: the clients that are told all ask at once.
func (s *Subscription) turnAt(edge int64, wait time.Duration) {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	if s.edge != edge {
		h.leave(s.edge)
		if s.edge = edge; edge != 0 {
			h.edges[edge]++
		}
	}
	if sharing := h.edges[edge]; sharing > crowd {
		wait += rand.N(time.Duration(sharing) * h.cfg.Spread)
	}
	s.set(wait)
}

// leave notes that one subscription less turns at the edge. h.mu is held.
func (h *Hub) leave(edge int64) {
	if edge == 0 {
		return
	}
	if h.edges[edge]--; h.edges[edge] == 0 {
		delete(h.edges, edge)
	}
}

// after has s looked at again after the wait, or before that, when its timer is due already.
func (s *Subscription) after(wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if due := time.Now().Add(wait); s.due.IsZero() || due.Before(s.due) {
		s.set(max(wait, time.Nanosecond))
	}
}

// set replaces the timer; a wait of 0 sets none. s.mu is held.
func (s *Subscription) set(wait time.Duration) {
	switch {
	case s.over:
		return
	case wait == 0:
		if s.due = (time.Time{}); s.next != nil {
			s.next.Stop()
		}
		return
	case s.next == nil:
		s.next = time.AfterFunc(wait, func() { s.hub.mark(s) })
	default:
		s.next.Reset(wait)
	}
	s.due = time.Now().Add(wait)
}
