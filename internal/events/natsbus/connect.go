package natsbus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"eligibility/internal/events"
)

// ErrPayload is returned when the server does not take messages as large as a batch can be.
var ErrPayload = errors.New("the server's limit for messages is too low")

// Connect attaches to NATS servers and makes sure that the stream is there. It keeps trying until ctx ends, unless the answer cannot
// change: a stream of another number of partitions (ErrPartitions), one that is not ours (ErrForeignStream), a server that takes only
// small messages (ErrPayload).
func Connect(ctx context.Context, cfg Config) (*Bus, error) {
	err := cfg.Validate()
	if cfg.URL == "" {
		err = errors.Join(err, errors.New("bus: no URL"))
	}
	if err != nil {
		return nil, err
	}
	b := newBus(cfg)
	options := []nats.Option{nats.RetryOnFailedConnect(true)}
	if cfg.CAFile != "" {
		options = append(options, nats.RootCAs(cfg.CAFile))
	}
	if cfg.CertFile != "" {
		options = append(options, nats.ClientCert(cfg.CertFile, cfg.KeyFile))
	}
	if cfg.CredentialsFile != "" {
		options = append(options, nats.UserCredentials(cfg.CredentialsFile))
	}
	if err := b.open(ctx, options); err != nil {
		b.Stop()
		return nil, err
	}
	return b, nil
}

// open connects and prepares the stream. On an error the caller stops the bus.
func (b *Bus) open(ctx context.Context, options []nats.Option) (err error) {
	connected := make(chan struct{}, 1)
	options = append(options,
		nats.Name(b.cfg.Name),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250*time.Millisecond),
		nats.ReconnectJitter(250*time.Millisecond, 250*time.Millisecond),
		nats.PingInterval(5*time.Second),
		nats.MaxPingsOutstanding(2),
		nats.Timeout(b.cfg.RequestTimeout),
		nats.DrainTimeout(drainTime),
		// What was not sent is not kept: the relay sends it again itself, in order, and a hint that is late has no worth.
		nats.ReconnectBufSize(-1),
		nats.ConnectHandler(func(*nats.Conn) { connected <- struct{}{} }),
		nats.DisconnectErrHandler(b.disconnected),
		nats.ReconnectHandler(func(*nats.Conn) {
			b.count.reconnects.Add(1)
			b.log.Info("bus reconnected")
		}),
		nats.ErrorHandler(b.failed),
		nats.ClosedHandler(func(*nats.Conn) { close(b.closed) }),
	)
	if b.conn, err = nats.Connect(b.cfg.URL, options...); err != nil {
		return wrap("connect", err)
	}
	select {
	case <-connected:
	case <-ctx.Done():
		return wrap("connect", errors.Join(ctx.Err(), b.conn.LastError()))
	}
	if most := b.conn.MaxPayload(); most < events.MaxMessageBytes {
		return fmt.Errorf("bus: connect: %w: %d bytes, a full batch needs %d; raise its max_payload", ErrPayload, most, events.MaxMessageBytes)
	}
	if b.js, err = jetstream.New(b.conn, jetstream.WithDefaultTimeout(b.cfg.RequestTimeout)); err != nil {
		return wrap("open JetStream", err)
	}
	for {
		err := b.ensureStream(ctx)
		if err == nil || errors.Is(err, ErrPartitions) || errors.Is(err, ErrForeignStream) {
			return err
		}
		select {
		case <-time.After(250 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

func (b *Bus) disconnected(_ *nats.Conn, err error) {
	b.pending.fire()
	if err == nil {
		return // Stop
	}
	b.count.disconnects.Add(1)
	b.log.Warn("bus disconnected", "error", err)
}

// failed hears of faults that belong to no call.
func (b *Bus) failed(_ *nats.Conn, sub *nats.Subscription, err error) {
	subject := ""
	if sub != nil {
		subject = sub.Subject
	}
	if errors.Is(err, nats.ErrSlowConsumer) {
		b.count.overflows.Add(1)
	}
	b.log.Warn("bus reported a fault", "subject", subject, "error", err)
}
