package embedded

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"

	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// gate holds the syncs of the log back while it is shut.
type gate struct {
	mu   sync.Mutex
	open chan struct{} // closed while the gate is open
}

func newGate() *gate {
	g := &gate{open: make(chan struct{})}
	close(g.open)
	return g
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = make(chan struct{})
}

func (g *gate) lift() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.open)
}

// MaybeError implements errorfs.Injector.
func (g *gate) MaybeError(op errorfs.Op) error {
	if syncsLog(op) {
		g.mu.Lock()
		open := g.open
		g.mu.Unlock()
		<-open
	}
	return nil
}

func (g *gate) String() string { return "gate" }

// tape records what a feed yields.
type tape struct {
	mu       sync.Mutex
	changes  []events.Change
	resolved []hlc.Timestamp
	news     chan struct{}
}

func (r *tape) take(b events.FeedBatch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes = append(r.changes, b.Changes...)
	if !b.Resolved.IsZero() {
		r.resolved = append(r.resolved, b.Resolved)
	}
	select {
	case r.news <- struct{}{}:
	default:
	}
	return nil
}

// until waits until reached, called under the lock.
func (r *tape) until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		r.mu.Lock()
		ok := reached()
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-r.news:
		case <-timeout:
			t.Fatalf("%s did not come", what)
		}
	}
}

// follow records the feed until the test ends.
func follow(t *testing.T, s *Store, after hlc.Timestamp) *tape {
	t.Helper()
	r := &tape{news: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.Follow(ctx, after, r.take); ctx.Err() == nil {
			t.Errorf("Follow: %v", err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return r
}

// eventually polls until reached.
func eventually(t *testing.T, what string, reached func() bool) {
	t.Helper()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	timeout := time.After(20 * time.Second)
	for !reached() {
		select {
		case <-poll.C:
		case <-timeout:
			t.Fatalf("it never came to this: %s", what)
		}
	}
}

// TestTheFeedWaitsForTheDisk: a commit that is applied and not yet durable can be read, but is not announced, and no resolved stamp passes
// it.
func TestTheFeedWaitsForTheDisk(t *testing.T) {
	g := newGate()
	cfg := memory(t)
	cfg.fs = errorfs.Wrap(cfg.fs, g)
	s := openStore(t, cfg)
	shop(t, s)
	ctx := context.Background()
	start, err := s.Now(ctx)
	if err != nil {
		t.Fatal(err)
	}
	feed := follow(t, s, start)

	g.shut()
	type answer struct {
		at  hlc.Timestamp
		err error
	}
	answers := make(chan answer, 3)
	for n := range 3 {
		go func() {
			at, _, err := s.PutUsers(ctx, "shop", []profile.Update{person(n)})
			answers <- answer{at, err}
		}()
	}
	eventually(t, "three commits wait for the disk", func() bool { return s.flight.len() == 3 })
	first, _ := s.flight.first()
	dst := make([]*profile.Snapshot, 1)
	key := profile.Key{Project: "shop", User: "user-000001"}
	if err := s.Load(ctx, []profile.Key{key}, dst); err != nil || !dst[0].Found || dst[0].AsOf.Wall <= first {
		t.Errorf("a read beside the disk: %v, %+v", err, dst[0])
	}
	feed.mu.Lock()
	seen := len(feed.resolved)
	feed.mu.Unlock()
	feed.until(t, "resolved while the disk is busy", func() bool { return len(feed.resolved) >= seen+3 })
	feed.mu.Lock()
	if last := feed.resolved[len(feed.resolved)-1]; last.Wall != first-1 || len(feed.changes) != 0 {
		t.Errorf("while the first commit %d waits: resolved %v, changes %v", first, last, feed.changes)
	}
	feed.mu.Unlock()
	select {
	case a := <-answers:
		t.Errorf("a commit was acknowledged before it was durable: %+v", a)
	default:
	}

	g.lift()
	var last hlc.Timestamp
	for range 3 {
		a := <-answers
		if a.err != nil {
			t.Fatal(a.err)
		}
		last = hlc.Max(last, a.at)
	}
	feed.until(t, "resolved after the disk", func() bool { return !feed.resolved[len(feed.resolved)-1].Before(last) })
	if len(feed.changes) != 6 { // a profile and an address each
		t.Errorf("changes: %v", feed.changes)
	}
}

func TestFlightAnnouncesInOrder(t *testing.T) {
	f := newFlight()
	wake := f.subscribe()
	awake := func() bool {
		select {
		case <-wake:
			return true
		default:
			return false
		}
	}
	for at := int64(1); at <= 4; at++ {
		f.depart(at)
	}
	for _, step := range []struct {
		name             string
		lands            int64
		durable          bool
		announced, first int64
		wakes            bool
	}{
		{"one behind the first changes nothing", 2, true, 0, 1, false},
		{"the first takes the next with it", 1, true, 2, 3, true},
		{"one that fails holds back", 3, false, 2, 3, false},
		{"whatever lands after it", 4, true, 2, 3, false},
	} {
		f.land(step.lands, step.durable)
		first, ok := f.first()
		if f.announced() != step.announced || first != step.first || !ok || awake() != step.wakes {
			t.Errorf("%s: announced %d, first %d %t", step.name, f.announced(), first, ok)
		}
	}
	f.unsubscribe(wake)
	f.wake()
	if awake() {
		t.Error("one who left was woken")
	}
}

func TestAFollowerThatFallsBehindTheTrimIsTold(t *testing.T) {
	s := openStore(t, memory(t))
	shop(t, s)
	ctx := context.Background()
	var calls int
	err := s.Follow(ctx, hlc.Timestamp{}, func(b events.FeedBatch) error {
		if len(b.Changes) == 0 {
			return nil
		}
		if calls++; calls > 1 {
			return errors.New("the follower was not told")
		}
		// While the receiver is busy with the first batch, more is committed and all of it is trimmed.
		if _, _, err := s.PutUsers(ctx, "shop", []profile.Update{person(1)}); err != nil {
			return err
		}
		return s.trimChanges(s.clock.now())
	})
	if !errors.Is(err, events.ErrCursorTooOld) {
		t.Errorf("got %v, want ErrCursorTooOld", err)
	}
}

func TestTrimmingSurvivesARestart(t *testing.T) {
	cfg := memory(t)
	s := openStore(t, cfg)
	shop(t, s)
	start, err := s.Now(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.PutUsers(context.Background(), "shop", []profile.Update{person(1)}); err != nil {
		t.Fatal(err)
	}
	if err := s.trimChanges(s.clock.now()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, cfg)
	err = s.Follow(context.Background(), start, func(events.FeedBatch) error { return nil })
	if !errors.Is(err, events.ErrCursorTooOld) {
		t.Errorf("got %v, want ErrCursorTooOld", err)
	}
}

// TestCloseEndsEverythingThatIsUnderWay closes a store under load.
func TestCloseEndsEverythingThatIsUnderWay(t *testing.T) {
	s := openStore(t, memory(t))
	shop(t, s)
	ctx := context.Background()
	var group sync.WaitGroup
	busy := make(chan struct{}, 16)
	until := func(want error, call func() error) {
		group.Go(func() {
			for {
				err := call()
				select {
				case busy <- struct{}{}:
				default:
				}
				if errors.Is(err, want) {
					return
				}
				if err != nil {
					t.Errorf("got %v, want %v", err, want)
					return
				}
			}
		})
	}
	for n := range 2 {
		until(profile.ErrUnavailable, func() error {
			_, _, err := s.PutUsers(ctx, "shop", []profile.Update{person(n)})
			return err
		})
		until(profile.ErrUnavailable, func() error {
			return s.Load(ctx, []profile.Key{{Project: "shop", User: "user-000001"}}, make([]*profile.Snapshot, 1))
		})
		until(events.ErrUnavailable, func() error {
			return s.Follow(ctx, hlc.Timestamp{}, func(events.FeedBatch) error { return nil })
		})
	}
	for range 100 {
		<-busy
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	group.Wait()
}
