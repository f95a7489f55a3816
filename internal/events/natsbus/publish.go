package natsbus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"eligibility/internal/events"
)

// Publish puts a batch on the stream and returns once the stream has taken it. When it fails the batch may or may not be in the stream;
// publish the same batch again. A stream that is gone is created anew on the way.
func (b *Bus) Publish(ctx context.Context, batch *events.Batch) error {
	if int(batch.Partition) >= len(b.subjects) {
		return fmt.Errorf("bus: publish: partition %d of %d", batch.Partition, len(b.subjects))
	}
	buffer := b.buffer()
	defer b.buffers.Put(buffer)
	data, err := events.AppendBatch(*buffer, batch)
	if err != nil {
		return wrap("publish", err)
	}
	*buffer = data
	err = b.put(ctx, b.subjects[batch.Partition], data)
	if errors.Is(err, jetstream.ErrNoStreamResponse) {
		if err = b.ensureStream(ctx); err == nil {
			err = b.put(ctx, b.subjects[batch.Partition], data)
		}
	}
	if err != nil {
		b.count.publishFailures.Add(1)
		return wrap("publish", err)
	}
	b.count.published.Add(1)
	b.count.publishedBytes.Add(uint64(len(data)))
	return nil
}

// put publishes once. The message id header is left out: the stream does not look for repeats.
func (b *Bus) put(ctx context.Context, subject string, data []byte) error {
	ctx, release := b.pending.guard(ctx, b.cfg.PublishTimeout)
	defer release()
	ack, err := b.js.Publish(ctx, subject, data, jetstream.WithRetryAttempts(0))
	if err != nil {
		return err
	}
	if ack.Stream != StreamName {
		return fmt.Errorf("taken by stream %q", ack.Stream)
	}
	return nil
}

// PublishHint sends the fast lane to all replicas. It does not wait and does not fail: what cannot be sent now is dropped and counted,
// the feed tells the same later.
func (b *Bus) PublishHint(h *events.Hint) {
	buffer := b.buffer()
	defer b.buffers.Put(buffer)
	for start := 0; start < len(h.Changes); start += events.MaxBatchChanges {
		part := events.Hint{Changes: h.Changes[start:min(start+events.MaxBatchChanges, len(h.Changes))]}
		data, err := events.AppendHint((*buffer)[:0], &part)
		if err == nil {
			*buffer = data
			err = b.conn.Publish(hintsSubject, data)
		}
		if err != nil {
			b.count.hintsDropped.Add(1)
			continue
		}
		b.count.hintsSent.Add(1)
	}
}
