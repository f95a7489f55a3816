package natsbus

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"eligibility/internal/events"
)

// forgetAfter is when the server drops a consumer that nobody listens to: one of a replica that ended without a word.
const forgetAfter = 30 * time.Second

// attach begins to read: the first time at what comes next, later where the subscription stands. It reports a loss when the stream is not
// the one it was, or no longer holds the next message.
func (s *subscription) attach(ctx context.Context) error {
	b := s.bus
	for len(s.status) > 0 {
		<-s.status // reconnects before this moment are made good by what follows
	}
	if err := b.ensureStream(ctx); err != nil {
		return err
	}
	ctx, release := b.pending.guard(ctx, b.cfg.RequestTimeout)
	defer release()
	info, err := b.streamInfo(ctx)
	if err != nil {
		return err
	}
	s.place(info)
	messages := make(chan *nats.Msg, b.cfg.Buffer)
	inbox := b.conn.NewInbox()
	delivery, err := b.conn.ChanSubscribe(inbox, messages)
	if err != nil {
		return wrap("subscribe to deliveries", err)
	}
	consumer, err := b.js.CreatePushConsumer(ctx, StreamName, jetstream.ConsumerConfig{
		DeliverSubject:    inbox,
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       s.next,
		AckPolicy:         jetstream.AckNonePolicy,
		IdleHeartbeat:     b.cfg.Heartbeat,
		FlowControl:       true,
		InactiveThreshold: forgetAfter,
		MemoryStorage:     true,
		Replicas:          1,
	})
	if err != nil {
		_ = delivery.Unsubscribe()
		return wrap("create the consumer", err)
	}
	s.consumer, s.delivery, s.messages, s.last, s.heard = consumer.CachedInfo().Name, delivery, messages, 0, time.Now()
	return nil
}

// place decides which message comes next.
func (s *subscription) place(info *jetstream.StreamInfo) {
	state := info.State
	switch {
	case s.next == 0:
		s.next = state.LastSeq + 1
	case !info.Created.Equal(s.created):
		s.next = max(state.FirstSeq, 1)
		s.lost(events.LossRecreated)
	case s.next > state.LastSeq+1:
		// The stream lost its newest messages, in a crash of its server.
		s.next = state.LastSeq + 1
		s.lost(events.LossRecreated)
	case state.FirstSeq > s.next:
		s.next = state.FirstSeq
		s.lost(events.LossDiscarded)
	}
	s.created = info.Created
}

// resume begins to read again where the subscription stands. It tries until ctx ends, the connection is closed or the stream is not ours
// any more.
func (s *subscription) resume(ctx context.Context) error {
	s.bus.count.resumes.Add(1)
	s.detach()
	wait := 50 * time.Millisecond
	for {
		err := s.attach(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrPartitions) || errors.Is(err, ErrForeignStream) {
			return err
		}
		timer := time.NewTimer(wait/2 + rand.N(wait/2))
		select {
		case <-timer.C:
			wait = min(2*wait, 2*time.Second)
		case <-s.bus.closed:
			timer.Stop()
			return wrap("resume the subscription", errClosed)
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// deleteConsumer is the request that ends a consumer, from the JetStream protocol.
const deleteConsumer = "$JS.API.CONSUMER.DELETE." + StreamName + "."

// detach gives up the present consumer. It does not wait for an answer: a server that cannot be told forgets the consumer by itself.
func (s *subscription) detach() {
	if s.delivery == nil {
		return
	}
	_ = s.delivery.Unsubscribe()
	_ = s.bus.conn.Publish(deleteConsumer+s.consumer, nil)
	s.delivery = nil
}
