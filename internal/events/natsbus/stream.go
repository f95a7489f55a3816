package natsbus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
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

// check refuses a stream that would break the promises of the bus, and says how it differs. Limits that an operator has chosen are his.
func (b *Bus) check(info *jetstream.StreamInfo) error {
	if found := differences(&info.Config); len(found) > 0 {
		return fmt.Errorf("bus: %w: stream %s: %s", ErrForeignStream, StreamName, strings.Join(found, "; "))
	}
	if stated := info.Config.Metadata[partitionsField]; stated != strconv.Itoa(b.cfg.Partitions) {
		return fmt.Errorf("bus: %w: stream %s has %s, this client is configured for %d", ErrPartitions, StreamName, stated, b.cfg.Partitions)
	}
	return nil
}

// differences says what keeps a stream from being ours, with what it would have to be.
func differences(cfg *jetstream.StreamConfig) (found []string) {
	differs := func(what string, has, want any) {
		found = append(found, fmt.Sprintf("%s: %v, want %v", what, has, want))
	}
	if _, stated := cfg.Metadata[partitionsField]; !stated {
		differs("metadata "+partitionsField, "not there", "the number of partitions")
	}
	if want := []string{changesPrefix + "*"}; !slices.Equal(cfg.Subjects, want) {
		differs("subjects", cfg.Subjects, want)
	}
	if cfg.Retention != jetstream.LimitsPolicy {
		differs("retention", cfg.Retention, jetstream.LimitsPolicy)
	}
	if cfg.Discard != jetstream.DiscardOld {
		differs("discard", cfg.Discard, jetstream.DiscardOld)
	}
	if cfg.NoAck {
		differs("no_ack", true, false) // the relay would take nothing for acknowledged
	}
	if cfg.MaxMsgsPerSubject > 0 {
		differs("max_msgs_per_subject", cfg.MaxMsgsPerSubject, "no limit")
	}
	return found
}
