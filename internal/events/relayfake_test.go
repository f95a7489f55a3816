package events

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"eligibility/internal/hlc"
)

// store is the database of the relay tests: a feed and a lease. Its clock is at(1000) when the test starts and runs with the bubble's.
type store struct {
	mu       sync.Mutex
	began    time.Time
	ahead    time.Duration // added to the clock
	log      []Change      // as committed
	resolved hlc.Timestamp
	changed  chan struct{} // closed and replaced at every change of what follows or is above

	follows []hlc.Timestamp // the cursors that Follow was called with
	times   []time.Time     // when
	breaks  error           // what running and new Follow calls return, unless nil
	tooOld  hlc.Timestamp   // cursors before it are refused
	yielded int             // changes given to the relay
	lingers chan struct{}   // when not nil, Follow outlives its context until it is closed

	holder  string
	epoch   uint64
	cursor  hlc.Timestamp
	saves   []time.Time
	noSave  error // what SaveCursor returns, unless nil
	noRenew error // what Renew returns, unless nil
}

func newStore() *store { return &store{began: time.Now(), changed: make(chan struct{})} }

func (s *store) with(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	close(s.changed)
	s.changed = make(chan struct{})
}

// view is the state of a store at one instant.
type view struct {
	now, cursor, resolved hlc.Timestamp
	holder                string
	follows               []hlc.Timestamp
	saves, tries, yielded int
	log                   []Change
}

func (s *store) peek() view {
	s.mu.Lock()
	defer s.mu.Unlock()
	return view{
		now: s.now(), cursor: s.cursor, resolved: s.resolved, holder: s.holder, follows: slices.Clone(s.follows),
		saves: len(s.saves), tries: len(s.times), yielded: s.yielded, log: slices.Clone(s.log),
	}
}

// now is the clock. The caller holds mu.
func (s *store) now() hlc.Timestamp { return at(1000).Add(time.Since(s.began) + s.ahead) }

// commit makes changes of users just after the present, each a nanosecond after the one before.
func (s *store) commit(users ...string) {
	s.with(func() {
		for _, user := range users {
			t := s.now().Add(1) // a relay that began from now follows what is above it
			if n := len(s.log); n > 0 && !t.After(s.log[n-1].At) {
				t = s.log[n-1].At.Add(1)
			}
			s.log = append(s.log, profileAt(user, t))
		}
	})
}

// resolve lets the feed resolve everything that was committed.
func (s *store) resolve() {
	s.with(func() {
		s.resolved = s.now()
		if n := len(s.log); n > 0 {
			s.resolved = hlc.Max(s.resolved, s.log[n-1].At)
		}
	})
}

func (s *store) Follow(ctx context.Context, after hlc.Timestamp, yield func(FeedBatch) error) error {
	s.with(func() {
		s.follows = append(s.follows, after)
		s.times = append(s.times, time.Now())
	})
	next, told := 0, after
	for {
		s.mu.Lock()
		changed, broken, old := s.changed, s.breaks, after.Before(s.tooOld)
		batch := FeedBatch{Changes: slices.Clone(s.log[next:])}
		next = len(s.log)
		if s.resolved != told {
			batch.Resolved, told = s.resolved, s.resolved
		}
		s.mu.Unlock()
		if old {
			return ErrCursorTooOld
		}
		if broken != nil {
			return broken
		}
		batch.Changes = slices.DeleteFunc(batch.Changes, func(c Change) bool { return !c.At.After(after) })
		if len(batch.Changes) > 0 || !batch.Resolved.IsZero() {
			if err := yield(batch); err != nil {
				return err
			}
			s.mu.Lock()
			s.yielded += len(batch.Changes)
			s.mu.Unlock()
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if s.lingers != nil {
				<-s.lingers
			}
			return ctx.Err()
		}
	}
}

func (s *store) Acquire(_ context.Context, holder string) (epoch uint64, cursor hlc.Timestamp, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holder != "" && s.holder != holder {
		return 0, hlc.Timestamp{}, ErrLeaseHeld
	}
	s.holder = holder
	s.epoch++
	return s.epoch, s.cursor, nil
}

func (s *store) Renew(_ context.Context, holder string, epoch uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holder != holder || s.epoch != epoch {
		return ErrLeaseLost
	}
	return s.noRenew
}

func (s *store) SaveCursor(_ context.Context, epoch uint64, cursor hlc.Timestamp) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.noSave != nil {
		return s.noSave
	}
	if s.epoch != epoch {
		return ErrLeaseLost
	}
	s.cursor = hlc.Max(s.cursor, cursor)
	s.saves = append(s.saves, time.Now())
	return nil
}

func (s *store) Release(_ context.Context, epoch uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch == epoch {
		s.holder = ""
	}
	return nil
}

func (s *store) Now(context.Context) (hlc.Timestamp, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now(), nil
}

// pipe is a Publisher that keeps what is published and fails as told.
type pipe struct {
	partitions int

	mu       sync.Mutex
	batches  []Batch
	attempts []Batch
	down     bool          // publishes fail
	deaf     bool          // publishes arrive, and fail all the same
	hold     chan struct{} // when not nil, publishes wait for it to be closed
	holdOnly int           // when positive, only those of the partition below it
}

var errDown = errors.New("the bus is down")

func (p *pipe) Partitions() int { return p.partitions }

func (p *pipe) Publish(ctx context.Context, b *Batch) error {
	p.mu.Lock()
	kept := *b
	kept.Changes = slices.Clone(b.Changes)
	p.attempts = append(p.attempts, kept)
	down, deaf, hold, only := p.down, p.deaf, p.hold, p.holdOnly
	p.mu.Unlock()
	if hold != nil && (only == 0 || int(b.Partition) == only-1) {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if down {
		return errDown
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.batches = append(p.batches, kept)
	if deaf {
		return errDown
	}
	return nil
}

func (p *pipe) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// sent is what arrived, in order.
func (p *pipe) sent() []Batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.batches)
}

// users are the users named in batches, in order.
func users(batches []Batch) []string {
	var all []string
	for _, b := range batches {
		for _, c := range b.Changes {
			all = append(all, c.Key)
		}
	}
	return all
}

// checkSequences fails the test unless every (epoch, partition) is numbered from 1 without a gap, repeats of one batch allowed.
func checkSequences(t *testing.T, batches []Batch) {
	t.Helper()
	type line struct {
		epoch     uint64
		partition uint16
	}
	last := map[line]uint64{}
	for _, b := range batches {
		l := line{b.Epoch, b.Partition}
		if b.Seq != last[l]+1 && b.Seq != last[l] {
			t.Errorf("epoch %d partition %d: %d follows %d", b.Epoch, b.Partition, b.Seq, last[l])
		}
		last[l] = b.Seq
		if b.High.Before(b.Base) {
			t.Errorf("epoch %d partition %d seq %d: high %v is below base %v", b.Epoch, b.Partition, b.Seq, b.High, b.Base)
		}
		for _, c := range b.Changes {
			if b.High.Before(c.At) {
				t.Errorf("epoch %d partition %d seq %d: high %v is below a change at %v", b.Epoch, b.Partition, b.Seq, b.High, c.At)
			}
		}
	}
}

// relayOn starts a relay in a bubble; the bubble must end with its Stop.
func relayOn(t *testing.T, s *store, p *pipe, holder string) *Relay {
	t.Helper()
	cfg := DefaultRelayConfig(holder)
	cfg.Logger = silent()
	r, err := NewRelay(s, s, p, cfg)
	if err != nil {
		t.Fatalf("NewRelay: %v", err)
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(r.Stop)
	synctest.Wait()
	return r
}

// after lets time pass in the bubble.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
