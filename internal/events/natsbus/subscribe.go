package natsbus

import (
	"context"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"eligibility/internal/events"
)

// Subscribe hands over every batch that the stream takes from now on, and every hint, until ctx ends.
//
// Where it stands it knows by the stream's own numbering. After a reconnect, a silence or an overflow of the local buffer it goes on at
// the next number; if the stream shows that this is not the next message any more, it reports a loss and goes on with what there is.
func (b *Bus) Subscribe(ctx context.Context, ready chan<- struct{}, handle events.Handler) error {
	s := &subscription{bus: b, handle: handle, hints: make(chan *nats.Msg, b.cfg.Buffer)}
	hints, err := b.conn.ChanSubscribe(hintsSubject, s.hints)
	if err != nil {
		return wrap("subscribe to hints", err)
	}
	defer func() { _ = hints.Unsubscribe() }()
	s.status = b.conn.StatusChanged(nats.CONNECTED)
	defer b.conn.RemoveStatusListener(s.status)
	if err := s.attach(ctx); err != nil {
		return err
	}
	defer s.detach()
	close(ready)
	return s.loop(ctx)
}

// subscription is one call of Subscribe; its goroutine alone uses it.
type subscription struct {
	bus    *Bus
	handle events.Handler
	hints  chan *nats.Msg
	status chan nats.Status // reconnects

	// Where it stands in the stream.
	created time.Time // which stream it is: a new one of the same name was created later
	next    uint64    // number of the message to come, 0 before the first attach

	// The consumer that delivers at present.
	consumer string
	delivery *nats.Subscription
	messages chan *nats.Msg
	last     uint64    // its own count of messages, all of which must arrive
	heard    time.Time // when anything came from it

	batch events.Batch // reused
	hint  events.Hint  // reused
}

// silence is how many heartbeats may be missed.
const silence = 3

func (s *subscription) loop(ctx context.Context) error {
	beat := time.NewTicker(s.bus.cfg.Heartbeat)
	defer beat.Stop()
	for {
		sound := true
		select {
		case m := <-s.messages:
			sound = s.message(m)
		case m := <-s.hints:
			s.takeHint(m)
		case _, open := <-s.status:
			if !open {
				return wrap("subscribe", errClosed)
			}
			sound = false // reconnected: the consumer may be gone, and what was under way is
		case <-beat.C:
			sound = time.Since(s.heard) <= silence*s.bus.cfg.Heartbeat
		case <-s.bus.closed:
			return wrap("subscribe", errClosed)
		case <-ctx.Done():
			return nil
		}
		if sound {
			continue
		}
		if err := s.resume(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

// message takes in what the consumer delivered. It is false when something was lost on the way here, which the stream still has.
func (s *subscription) message(m *nats.Msg) (sound bool) {
	s.heard = time.Now()
	if status := m.Header.Get(statusHeader); status != "" && len(m.Data) == 0 {
		return s.control(m, status)
	}
	meta, err := m.Metadata()
	if err != nil {
		s.lost(events.LossUndecodable)
		return true
	}
	if meta.Sequence.Consumer != s.last+1 {
		return false
	}
	s.last++
	switch number := meta.Sequence.Stream; {
	case number > s.next:
		s.lost(events.LossDiscarded)
	case number < s.next:
		s.lost(events.LossRecreated)
	}
	s.next = meta.Sequence.Stream + 1
	s.bus.count.delivered.Add(1)
	s.bus.count.deliveredBytes.Add(uint64(len(m.Data)))
	err = events.DecodeBatch(m.Data, &s.batch)
	if err != nil || int(s.batch.Partition) >= len(s.bus.subjects) || s.bus.subjects[s.batch.Partition] != m.Subject {
		s.lost(events.LossUndecodable)
		return true
	}
	s.handle.Batch(&s.batch)
	return true
}

// Headers and texts of a consumer's control messages, from the JetStream protocol.
const (
	statusHeader  = "Status"
	statusControl = "100" // heartbeat or flow control; any other status means that the consumer is over
	lastHeader    = "Nats-Last-Consumer"
	stalledHeader = "Nats-Consumer-Stalled"
)

// control answers the consumer's own messages. A heartbeat says how many messages came before it.
func (s *subscription) control(m *nats.Msg, status string) (sound bool) {
	if status != statusControl {
		return false
	}
	if m.Reply != "" { // flow control: it goes on when we say that we got this far
		_ = m.Respond(nil)
	}
	if stalled := m.Header.Get(stalledHeader); stalled != "" {
		_ = s.bus.conn.Publish(stalled, nil)
	}
	if text := m.Header.Get(lastHeader); text != "" {
		sent, err := strconv.ParseUint(text, 10, 64)
		return err == nil && sent == s.last
	}
	return true
}

func (s *subscription) takeHint(m *nats.Msg) {
	if err := events.DecodeHint(m.Data, &s.hint); err != nil {
		s.lost(events.LossUndecodable)
		return
	}
	s.bus.count.hintsReceived.Add(1)
	s.handle.Hint(&s.hint)
}

func (s *subscription) lost(why events.Loss) {
	switch why {
	case events.LossDiscarded:
		s.bus.count.discarded.Add(1)
	case events.LossRecreated:
		s.bus.count.recreated.Add(1)
	case events.LossUndecodable:
		s.bus.count.undecodable.Add(1)
	}
	s.bus.log.Warn("bus lost continuity", "why", why.String(), "next", s.next)
	s.handle.Lost(why)
}
