package natsbus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ErrPartitions is returned when the stream was made for another number of partitions. All relays and replicas have to be stopped and the
// stream deleted before the number can change.
var ErrPartitions = errors.New("the stream has another number of partitions")

// minDuplicates is the shortest time for which a server remembers message ids.
const minDuplicates = 100 * time.Millisecond

// ErrForeignStream is returned when there is a stream of our name that cannot serve: it is not ours, or keeps messages by other rules.
var ErrForeignStream = errors.New("the stream of this name is not ours")

// ensureStream creates the stream unless it is there, and checks it if it is.
func (b *Bus) ensureStream(ctx context.Context) error {
	b.ensuring.Lock()
	defer b.ensuring.Unlock()
	ctx, release := b.pending.guard(ctx, b.cfg.RequestTimeout)
	defer release()
	info, err := b.streamInfo(ctx)
	if err == nil {
		return b.check(info)
	}
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return err
	}
	storage := jetstream.FileStorage
	if b.cfg.Stream.Memory {
		storage = jetstream.MemoryStorage
	}
	_, err = b.js.CreateStream(ctx, jetstream.StreamConfig{
		Name:        StreamName,
		Description: "which rows changed, from the relay to every replica",
		Subjects:    []string{changesPrefix + "*"},
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardOld,
		MaxAge:      b.cfg.Stream.MaxAge,
		MaxBytes:    b.cfg.Stream.MaxBytes,
		Storage:     storage,
		Replicas:    b.cfg.Stream.Replicas,
		// Repeats are wanted, they do no harm; remembering message ids for nobody would cost. The server takes 0 for its default, so the least.
		Duplicates: minDuplicates,
		Metadata:   map[string]string{partitionsField: strconv.Itoa(b.cfg.Partitions)},
	})
	if err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return wrap("create the stream", err)
	}
	if err == nil {
		b.count.streamsCreated.Add(1)
		b.log.Info("bus created its stream", "stream", StreamName, "partitions", b.cfg.Partitions)
		return nil
	}
	// Another client was quicker and made it differently.
	if info, err = b.streamInfo(ctx); err != nil {
		return err
	}
	return b.check(info)
}

func (b *Bus) streamInfo(ctx context.Context) (*jetstream.StreamInfo, error) {
	stream, err := b.js.Stream(ctx, StreamName)
	if err != nil {
		return nil, wrap("look at the stream", err)
	}
	return stream.CachedInfo(), nil
}

// check refuses a stream that would break the promises of the bus. Limits that an operator has chosen are his.
func (b *Bus) check(info *jetstream.StreamInfo) error {
	cfg := info.Config
	stated, found := cfg.Metadata[partitionsField]
	if !found || len(cfg.Subjects) != 1 || cfg.Subjects[0] != changesPrefix+"*" ||
		cfg.Retention != jetstream.LimitsPolicy || cfg.Discard != jetstream.DiscardOld {
		return fmt.Errorf("bus: %w: stream %s", ErrForeignStream, StreamName)
	}
	if stated != strconv.Itoa(b.cfg.Partitions) {
		return fmt.Errorf("bus: %w: stream %s has %s, this client is configured for %d", ErrPartitions, StreamName, stated, b.cfg.Partitions)
	}
	return nil
}
