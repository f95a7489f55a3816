package natsbus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"eligibility/internal/audience"
)

// Names of the results of audience jobs on the bus, and the headers of their messages. They are part of its wire format.
const (
	AudienceStream  = "ELIGIBILITY_AUDIENCES"
	audiencePrefix  = "eligibility.audience."
	audienceAny     = audiencePrefix + "*.*" // project and job
	numberHeader    = "Eligibility-Message"  // in the job, from 1 on
	startHeader     = "Eligibility-Start"    // where its lines begin in the results, in bytes
	kindHeader      = "Eligibility-Kind"
	kindLines       = "lines"
	kindSummary     = "summary"
	audienceRemains = 2 * time.Minute // for which a repeated message is known
)

// Results puts the results of audience jobs on a stream of their own. It is safe for concurrent use.
type Results struct{ bus *Bus }

var _ audience.Publisher = Results{}

// Results is where audience jobs publish.
func (b *Bus) Results() Results { return Results{b} }

// Subject is where a job's results go.
func (Results) Subject(project, job string) string { return audiencePrefix + project + "." + job }

// Last says what the stream has of a job. It makes the stream when it is not there.
func (r Results) Last(ctx context.Context, project, job string) (audience.Place, error) {
	b := r.bus
	stream, err := b.audiences(ctx)
	if err != nil {
		return audience.Place{}, err
	}
	place := audience.Place{Stream: stream.CachedInfo().Created.UTC().Format(time.RFC3339Nano)}
	ctx, release := b.pending.guard(ctx, b.cfg.RequestTimeout)
	defer release()
	m, err := stream.GetLastMsgForSubject(ctx, r.Subject(project, job))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return place, nil
	}
	if err != nil {
		return audience.Place{}, wrap("look for the last message", err)
	}
	place.Sequence, place.Whole = m.Sequence, m.Header.Get(kindHeader) == kindSummary
	place.Number, err = strconv.ParseInt(m.Header.Get(numberHeader), 10, 64)
	if err == nil {
		place.Bytes, err = strconv.ParseInt(m.Header.Get(startHeader), 10, 64)
	}
	if err != nil {
		return audience.Place{}, fmt.Errorf("bus: message %d of %s is not ours: %w", m.Sequence, AudienceStream, err)
	}
	if !place.Whole {
		place.Bytes += int64(len(m.Data))
	}
	return place, nil
}

// Publish appends a message of results and returns once the stream has it. Two things keep one from being there twice: its id, by which the stream knows a repeat of the last
// minutes, and the sequence that it must follow.
func (r Results) Publish(ctx context.Context, project, job string, m *audience.Message, after uint64) (uint64, error) {
	b := r.bus
	kind, number := kindLines, strconv.FormatInt(m.Number, 10)
	if m.Whole {
		kind = kindSummary
	}
	out := &nats.Msg{Subject: r.Subject(project, job), Data: m.Data, Header: nats.Header{
		typeHeader: {contentNDJSON}, numberHeader: {number}, startHeader: {strconv.FormatInt(m.Start, 10)}, kindHeader: {kind},
	}}
	ctx, release := b.pending.guard(ctx, b.cfg.PublishTimeout)
	defer release()
	ack, err := b.js.PublishMsg(ctx, out, jetstream.WithRetryAttempts(0), jetstream.WithExpectStream(AudienceStream),
		jetstream.WithMsgID(job+"/"+number), jetstream.WithExpectLastSequencePerSubject(after))
	if err != nil {
		b.count.resultFailures.Add(1)
		if full(err) {
			err = errors.Join(audience.ErrBusFull, err)
		}
		return 0, wrap("publish results", err)
	}
	if ack.Duplicate {
		b.count.resultRepeats.Add(1)
		return ack.Sequence, nil
	}
	b.count.results.Add(1)
	b.count.resultBytes.Add(uint64(len(m.Data)))
	return ack.Sequence, nil
}

// Codes of the JetStream protocol for what there is no room for.
const (
	codeStoreFailed      jetstream.ErrorCode = 10077 // of which "maximum bytes exceeded" is one
	codeStorageExceeded  jetstream.ErrorCode = 10047
	codeMemoryExceeded   jetstream.ErrorCode = 10028
	codeInsufficient     jetstream.ErrorCode = 10023
	codeAccountResources jetstream.ErrorCode = 10002
)

func full(err error) bool {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return false
	}
	if api.ErrorCode == codeStoreFailed {
		return strings.Contains(api.Description, "maximum")
	}
	return slices.Contains([]jetstream.ErrorCode{codeStorageExceeded, codeMemoryExceeded, codeInsufficient, codeAccountResources}, api.ErrorCode)
}

// audiences is the stream of results. It is made when the first job publishes: who has none needs neither the room nor the right. It refuses what it has no room for, and throws
// away by age alone: a reader has that long.
func (b *Bus) audiences(ctx context.Context) (jetstream.Stream, error) {
	b.ensuring.Lock()
	defer b.ensuring.Unlock()
	ctx, release := b.pending.guard(ctx, b.cfg.RequestTimeout)
	defer release()
	stream, err := b.js.Stream(ctx, AudienceStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if stream, err = b.createAudiences(ctx); err == nil {
			b.count.streamsCreated.Add(1)
			b.log.Info("bus created its stream", "stream", AudienceStream)
		} else if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another client was quicker
			stream, err = b.js.Stream(ctx, AudienceStream)
		}
	}
	if err != nil {
		if full(err) {
			err = errors.Join(audience.ErrBusFull, err)
		}
		return nil, wrap("open the stream of results", err)
	}
	cfg := &stream.CachedInfo().Config
	if !slices.Equal(cfg.Subjects, []string{audienceAny}) || cfg.Retention != jetstream.LimitsPolicy || cfg.Discard != jetstream.DiscardNew || cfg.NoAck || cfg.MaxMsgsPerSubject > 0 {
		return nil, fmt.Errorf("bus: %w: stream %s: want subjects %s, limits retention, discard new, acknowledgements and no limit per subject", ErrForeignStream, AudienceStream, audienceAny)
	}
	return stream, nil
}

func (b *Bus) createAudiences(ctx context.Context) (jetstream.Stream, error) {
	storage := jetstream.FileStorage
	if b.cfg.Audiences.Memory {
		storage = jetstream.MemoryStorage
	}
	return b.js.CreateStream(ctx, jetstream.StreamConfig{
		Name:        AudienceStream,
		Description: "results of audience jobs",
		Subjects:    []string{audienceAny},
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew,
		MaxAge:      b.cfg.Audiences.MaxAge,
		MaxBytes:    b.cfg.Audiences.MaxBytes,
		Storage:     storage,
		Replicas:    b.cfg.Audiences.Replicas,
		Duplicates:  min(audienceRemains, b.cfg.Audiences.MaxAge),
	})
}
