package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"eligibility/internal/hlc"
)

// FollowerConfig is how a follower behaves. Begin with DefaultFollowerConfig.
type FollowerConfig struct {
	// Now is the database's clock as this replica knows it, an upper bound; hlc.Estimate.Now. It must be known before Start.
	Now func() hlc.Timestamp
	// MaxAhead is how far a stamp may lie ahead of Now and still be believed.
	MaxAhead time.Duration
	// RetryLeast and RetryMost bound the waits before a subscription that broke off is begun anew.
	RetryLeast, RetryMost time.Duration
	Logger                *slog.Logger
}

// DefaultFollowerConfig is the configuration of a follower that reads the database's clock from now.
func DefaultFollowerConfig(now func() hlc.Timestamp) FollowerConfig {
	return FollowerConfig{
		Now: now, MaxAhead: MaxAhead, RetryLeast: 20 * time.Millisecond, RetryMost: 2 * time.Second, Logger: slog.Default(),
	}
}

// Validate reports all faults at once.
func (c *FollowerConfig) Validate() error {
	var faults []error
	if c.Now == nil {
		faults = append(faults, errors.New("follower: no clock"))
	}
	if c.MaxAhead <= 0 {
		faults = append(faults, errors.New("follower: the greatest lead of a stamp must be positive"))
	}
	if c.RetryLeast <= 0 || c.RetryMost < c.RetryLeast {
		faults = append(faults, errors.New("follower: the retry waits must be positive and in order"))
	}
	if c.Logger == nil {
		faults = append(faults, errors.New("follower: no logger"))
	}
	return errors.Join(faults...)
}

// Follower is a replica's end of the bus: it hands changes to the sink, says by sequence and epoch when some were lost, and keeps the
// watermark. A replica has one. Its promises are laws L2 and L3.
type Follower struct {
	bus  Subscriber
	sink Sink
	cfg  FollowerConfig
	log  *slog.Logger

	run                 runner
	gapQuiet, lossQuiet throttle
	count               followerCounters

	mu       sync.Mutex    // guards what follows, and keeps the calls of the sink in one line
	attached bool          // the current subscription's start was covered
	covered  hlc.Timestamp // gaps were reported up to here; only grows
	parts    []partition
	plain    []Change // room for a batch without its implausible changes
}

var _ Handler = (*Follower)(nil)

// NewFollower makes a follower that does nothing until Start. It fails on a bad configuration.
func NewFollower(bus Subscriber, sink Sink, cfg FollowerConfig) (*Follower, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	n := bus.Partitions()
	if n < 1 || n > MaxPartitions {
		return nil, fmt.Errorf("follower: %d partitions, want 1 to %d", n, MaxPartitions)
	}
	return &Follower{bus: bus, sink: sink, cfg: cfg, log: cfg.Logger, parts: make([]partition, n)}, nil
}

// Start attaches to the bus and returns once nothing that is published from then on can be missed, and everything before it is covered by
// a gap at the database's present time. It fails when ctx ends first, when the clock is not known, or when the subscription breaks off at
// once. The follower then runs until ctx ends or Stop is called. A second Start changes nothing; one after Stop fails.
func (f *Follower) Start(ctx context.Context) error {
	if f.cfg.Now().IsZero() {
		return errors.New("start follower: the database's clock is not known yet")
	}
	first := make(chan error, 1)
	started, err := f.run.start(ctx, func(ctx context.Context) { f.follow(ctx, first) })
	if err != nil {
		return fmt.Errorf("start follower: %w", err)
	}
	if !started {
		return nil
	}
	if err := <-first; err != nil {
		f.run.stop()
		return fmt.Errorf("start follower: %w", err)
	}
	return nil
}

// Stop detaches and waits. It may be called any number of times.
func (f *Follower) Stop() { f.run.stop() }

// Watermark is the greatest stamp at or before which every change was applied here; zero until every partition has told one.
func (f *Follower) Watermark() hlc.Timestamp { return loadStamp(&f.count.watermark) }

// follow keeps a subscription until ctx ends. first is told how the first one began.
func (f *Follower) follow(ctx context.Context, first chan<- error) {
	retry := backoff{least: f.cfg.RetryLeast, most: f.cfg.RetryMost}
	err := f.subscribe(ctx, first)
	for ctx.Err() == nil {
		if f.detach(); f.lossQuiet.allow() {
			f.log.Warn("follower lost its subscription", "error", err)
		}
		before := f.count.batches.Load()
		if retry.wait(ctx) != nil {
			return
		}
		err = f.subscribe(ctx, nil)
		if f.count.batches.Load() != before {
			retry.reset()
		}
	}
}

// subscribe runs one subscription to its end. begun, when not nil, gets nil once it is attached, or the error that kept it from that.
func (f *Follower) subscribe(ctx context.Context, begun chan<- error) error {
	ready, over := make(chan struct{}), make(chan error, 1)
	var wait sync.WaitGroup
	wait.Go(func() { over <- f.bus.Subscribe(ctx, ready, f) })
	defer wait.Wait()
	tell := func(err error) {
		if begun != nil {
			begun <- err
		}
	}
	select {
	case <-ready:
		f.mu.Lock()
		f.attach()
		f.mu.Unlock()
		tell(nil)
		return <-over
	case err := <-over:
		if err == nil {
			err = errors.Join(errors.New("the subscription ended"), ctx.Err())
		}
		tell(err)
		return err
	}
}

// attach covers everything before this subscription. The clock is read after the bus is attached: a change from before is then not above
// it, a change from after comes over the bus. Whoever is first, Start or the bus with a message, does it.
func (f *Follower) attach() {
	if f.attached {
		return
	}
	f.attached = true
	f.cover(f.cfg.Now())
}

// detach notes that continuity with the next subscription is not given.
func (f *Follower) detach() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.attached {
		return // the attempt before has not come so far
	}
	f.attached = false
	f.count.interruptions.Add(1)
	f.count.gaps.Add(1) // the next attach reports it
}
