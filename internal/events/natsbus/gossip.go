package natsbus

import (
	"context"

	"github.com/nats-io/nats.go"

	"eligibility/internal/events"
)

// announcements is how many may wait for the fleet.
const announcements = 1024

// Announce sends an announcement to all replicas. What cannot be sent now is dropped and counted; the next one is a second away.
func (b *Bus) Announce(a *events.Announcement) {
	data, err := events.EncodeAnnouncement(a)
	if err == nil {
		err = b.conn.Publish(fleetSubject, data)
	}
	if err != nil {
		b.count.announceDropped.Add(1)
		return
	}
	b.count.announced.Add(1)
}

// Listen hands over the announcements of all replicas until ctx ends. Payloads that are none are counted and left out.
func (b *Bus) Listen(ctx context.Context, ready chan<- struct{}, handle func(*events.Announcement)) error {
	messages := make(chan *nats.Msg, announcements)
	sub, err := b.conn.ChanSubscribe(fleetSubject, messages)
	if err != nil {
		return wrap("listen to announcements", err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := b.conn.FlushTimeout(b.cfg.RequestTimeout); err != nil {
		return wrap("listen to announcements", err)
	}
	close(ready)
	for {
		select {
		case m := <-messages:
			a, err := events.DecodeAnnouncement(m.Data)
			if err != nil {
				b.count.undecodable.Add(1)
				continue
			}
			handle(a)
		case <-b.closed:
			return wrap("listen to announcements", errClosed)
		case <-ctx.Done():
			return nil
		}
	}
}
