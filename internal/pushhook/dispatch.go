package pushhook

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"time"
)

// schedule hands out what is due.
func (s *Sender) schedule(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if next, ok := s.advance(time.Now()); ok {
			timer.Reset(time.Until(next))
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// advance moves on what is due, lane by lane, and says when the next is.
func (s *Sender) advance(now time.Time) (next time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.later) > 0 && !s.later[0].due.After(now) {
		s.ready(heap.Pop(&s.later).(*item))
	}
	for len(s.runnable) > 0 && s.flying < s.cfg.Workers {
		l := s.runnable[0]
		s.runnable, l.runnable = s.runnable[1:], false
		it := l.ready[0]
		l.ready[0] = nil
		l.ready = l.ready[1:]
		it.state = stateFlying
		l.flying++
		s.flying++
		s.work <- it
		s.offer(l)
	}
	if len(s.later) == 0 {
		return time.Time{}, false
	}
	return s.later[0].due, true
}

// serve makes one request after the other.
func (s *Sender) serve(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case it := <-s.work:
			s.attempt(ctx, it)
		}
	}
}

// attempt makes one request and decides what becomes of the item. Nobody else touches its notice while it is flying.
func (s *Sender) attempt(ctx context.Context, it *item) {
	hook, ok := s.hooks.Hook(it.key.Project)
	if !ok { // it was taken back meanwhile
		s.landed(it, outcome{}, false)
		return
	}
	body, err := encode(it.key, it.notice.digest, it.notice.at)
	if err != nil { // cannot be: the body is text and numbers
		s.landed(it, outcome{reason: ReasonURL, final: true}, true)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	o := s.post(ctx, hook, deliveryID(it.key, it.notice.digest), body, time.Now())
	s.landed(it, o, true)
}

// landed takes in what became of a request; sent is false when there was no hook any more.
func (s *Sender) landed(it *item, o outcome, sent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.rouse()
	now := time.Now()
	l := s.lanes[it.key.Project]
	l.flying--
	s.flying--
	s.offer(l)
	if !sent {
		s.counts.Gone++
		s.leave(it)
		delete(s.users, it.key)
		return
	}
	it.attempts++
	s.counts.requested(&o)
	s.note(l, &o)
	switch {
	case o.reason == "":
		s.counts.Delivered++
		s.after(it, now)
	case s.stopping && !o.final:
		s.abandon(it)
	case o.final || it.attempts >= s.cfg.Attempts:
		s.bury(l, it, o)
		s.after(it, now)
	default:
		if it.next != nil {
			it.notice, it.next = *it.next, nil
		}
		it.due = now.Add(s.pause(it.attempts, o.asked))
		s.wait(it)
	}
}

// after goes on with what came during the request, or keeps the user from being told of again too soon. s.mu is held.
func (s *Sender) after(it *item, now time.Time) {
	it.due, it.attempts = now.Add(s.cfg.Interval), 0
	if it.next != nil {
		if it.notice, it.next = *it.next, nil; s.stopping {
			it.due = now
		}
		s.wait(it)
		return
	}
	s.leave(it)
	it.state = stateCooling
	it.cool = s.cooling.PushBack(it)
	s.thaw(now)
}

// thaw forgets the users who may be told of again, and the earliest beyond the bound: those may then be told of a little too soon. s.mu is
// held.
func (s *Sender) thaw(now time.Time) {
	for front := s.cooling.Front(); front != nil; front = s.cooling.Front() {
		it := front.Value.(*item)
		if it.due.After(now) && s.cooling.Len() <= s.cfg.Queue {
			return
		}
		s.cooling.Remove(front)
		delete(s.users, it.key)
	}
}

// pause is how long to wait after an attempt that failed, the how manieth of its message, when the receiver asked for a wait.
func (s *Sender) pause(attempts int, asked time.Duration) time.Duration {
	backoff := s.cfg.MaxBackoff
	if doublings := attempts - 1; doublings < 32 {
		if d := s.cfg.Backoff << doublings; d > 0 && d < backoff {
			backoff = d
		}
	}
	backoff = backoff/2 + rand.N(backoff/2+1)
	return max(backoff, min(asked, s.cfg.MaxAsked))
}

// bury makes a dead letter of an item's message. s.mu is held.
func (s *Sender) bury(l *lane, it *item, o outcome) {
	s.counts.Dead++
	l.dead.add(DeadLetter{
		DeliveryID: deliveryID(it.key, it.notice.digest), UserID: it.key.User, At: it.notice.at.UTC(), GivenUpAt: time.Now().UTC(),
		Attempts: it.attempts, Reason: o.reason, Status: o.status,
	}, s.cfg.DeadLetters)
}

// note logs when a receiver begins to fail and when it ends. s.mu is held.
func (s *Sender) note(l *lane, o *outcome) {
	failing := o.reason != ""
	switch {
	case failing && !l.failing:
		s.logger.Warn("push hook fails", "project", l.project, "reason", o.reason, "status", o.status)
	case !failing && l.failing:
		s.logger.Info("push hook answers again", "project", l.project)
	}
	l.failing = failing
}
