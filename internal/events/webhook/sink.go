package webhook

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
)

// Sink takes in what the database's changefeed jobs send, and is the relay's feed. All methods are safe for concurrent use.
type Sink struct {
	cfg   Config
	log   *slog.Logger
	token [sha256.Size]byte
	feeds map[string]bool
	room  *semaphore.Weighted // bytes of bodies
	http  *http.Server
	done  chan struct{}
	term  atomic.Pointer[term] // while this process leads
	count counters
}

var _ events.Feed = (*Sink)(nil)

// term is the time during which the relay follows.
type term struct {
	deliveries chan *delivery // taken one at a time
	over       chan struct{}  // closed when the relay follows no more
}

// delivery is one request on its way to the bus.
type delivery struct {
	feed string
	Delivery
	arrived chan struct{} // closed once the bus has acknowledged it
}

// New makes a sink that listens nowhere yet. The error says what of the configuration is at fault.
func New(cfg Config) (*Sink, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Sink{
		cfg: cfg, log: cfg.Logger, token: sha256.Sum256([]byte(cfg.Token)), feeds: make(map[string]bool, len(cfg.Feeds)),
		room: semaphore.NewWeighted(cfg.MaxBytes),
	}
	for _, feed := range cfg.Feeds {
		s.feeds[feed] = true
	}
	s.http = &http.Server{
		Handler: s.routes(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug), // what clients do wrong on the wire
	}
	return s, nil
}

// errFollowed: two relays follow one sink.
var errFollowed = errors.New("the webhook is followed already")

// Follow hands over what the database sends until ctx ends or yield fails. The stamp plays no part: the database alone knows from where it
// sends.
func (s *Sink) Follow(ctx context.Context, _ hlc.Timestamp, yield func(events.FeedBatch) error) error {
	t := &term{deliveries: make(chan *delivery), over: make(chan struct{})}
	if !s.term.CompareAndSwap(nil, t) {
		return fmt.Errorf("%w: %w", events.ErrUnavailable, errFollowed)
	}
	s.log.Info("webhook takes changes in")
	defer func() {
		s.term.Store(nil)
		close(t.over)
		s.log.Info("webhook takes nothing in any more")
	}()
	told := make(map[string]promise, len(s.feeds))
	for {
		select {
		case d := <-t.deliveries:
			batch := events.FeedBatch{Changes: d.Changes, Acknowledged: func() { close(d.arrived) }}
			if !d.Resolved.IsZero() {
				before := told[d.feed]
				if time.Since(before.heard) > s.cfg.Silence {
					// Nobody says from where on the job sends: it may have been made a moment ago, or anew. Up to its first stamp followers assume that
					// everything changed: they take a change without a table for a gap up to its stamp.
					batch.Changes = append(slices.Clone(batch.Changes), events.Change{At: d.Resolved})
				}
				told[d.feed] = promise{at: hlc.Max(before.at, d.Resolved), heard: time.Now()}
				batch.Resolved = s.common(told)
			}
			if err := yield(batch); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// promise is what a feed said last.
type promise struct {
	at    hlc.Timestamp // everything up to here was delivered
	heard time.Time     // when it said so
}

// common is the stamp up to which every feed has delivered everything, zero while one of them has not said it in this term.
func (s *Sink) common(told map[string]promise) hlc.Timestamp {
	if len(told) < len(s.feeds) {
		return hlc.Timestamp{}
	}
	lowest := hlc.Timestamp{}
	for _, p := range told {
		if lowest.IsZero() || p.at.Before(lowest) {
			lowest = p.at
		}
	}
	return lowest
}

// Leads reports whether changes are taken in here now.
func (s *Sink) Leads() bool { return s.term.Load() != nil }
