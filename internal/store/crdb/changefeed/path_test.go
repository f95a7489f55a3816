package changefeed_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/events/natsbus"
	"eligibility/internal/hlc"
	"eligibility/internal/store/crdb"
	"eligibility/internal/store/crdb/fakefeed"
)

// judge is a replica's sink. It remembers floors, and which changes had been applied when the watermark passed.
type judge struct {
	mu        sync.Mutex
	floors    map[string]hlc.Timestamp
	global    hlc.Timestamp
	watermark hlc.Timestamp
	gaps      int
	passed    chan struct{} // one place: the watermark rose
	breach    func(watermark hlc.Timestamp, floor func(user string) hlc.Timestamp)
}

func (j *judge) Apply(changes []events.Change, watermark hlc.Timestamp) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range changes {
		j.floors[c.Key] = hlc.Max(j.floors[c.Key], c.At)
	}
	if watermark.IsZero() {
		return
	}
	j.watermark = watermark
	j.breach(watermark, func(user string) hlc.Timestamp { return hlc.Max(j.global, j.floors[user]) })
	select {
	case j.passed <- struct{}{}:
	default:
	}
}

func (j *judge) Gap(at hlc.Timestamp) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.gaps++
	j.global = hlc.Max(j.global, at)
}

// TestFromCommitToFloorThroughEveryFault runs the whole way on real parts while the feed is cut, silent, repeats, shuts down and forgets: no watermark may pass
// a commit whose floor was not raised, and in the end it must pass them all.
func TestFromCommitToFloorThroughEveryFault(t *testing.T) {
	w := newWorld(t)
	server := fakefeed.Start(t, fakefeed.Options{Source: fakefeed.Outbox{URL: w.url}, Behind: w.url})
	cfg := crdb.Defaults(w.url)
	cfg.Conns, cfg.Feed = 4, feedOf(t, server.URL)
	store, err := crdb.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	busCfg := natsbus.DefaultEmbedded()
	busCfg.Partitions, busCfg.Logger = 4, slog.New(slog.DiscardHandler)
	bus, err := natsbus.Embedded(busCfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Stop)

	checked := 0
	j := &judge{floors: map[string]hlc.Timestamp{}, passed: make(chan struct{}, 1)}
	j.breach = func(watermark hlc.Timestamp, floor func(string) hlc.Timestamp) {
		w.mu.Lock()
		defer w.mu.Unlock()
		checked = 0
		for _, c := range w.commits {
			if c.at.After(watermark) {
				continue
			}
			checked++
			for _, user := range c.users {
				if floor(user).Before(c.at) {
					t.Errorf("the watermark %v has passed the commit of %s at %v, whose floor is %v", watermark, user, c.at, floor(user))
				}
			}
		}
	}
	var clock hlc.Estimate
	clock.Observe(w.now(t), time.Now())
	followerCfg := events.DefaultFollowerConfig(clock.Now)
	followerCfg.Logger = busCfg.Logger
	follower, err := events.NewFollower(bus, j, followerCfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := follower.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(follower.Stop)
	relayCfg := events.DefaultRelayConfig("test")
	relayCfg.Logger, relayCfg.TryEvery, relayCfg.SaveEvery = busCfg.Logger, 50*time.Millisecond, 50*time.Millisecond
	relay, err := events.NewRelay(store, store, bus, relayCfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := relay.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(relay.Stop)

	faults := []fakefeed.Faults{
		{},
		{Repeats: 0.5},
		{Repeats: 0.2, CutAfter: 100},
		{SilentAfter: 50},
		{DownAfter: 100, NullKeyAt: 20},
		{UndatedAt: 30},
		{Refuse: fakefeed.Collected(hlc.Timestamp{Wall: 1}, hlc.Timestamp{Wall: 2})},
		{},
	}
	turn, began := 0, time.Now()
	const each = 600 * time.Millisecond
	w.run(t, each*time.Duration(len(faults)), func(ctx context.Context) error {
		if due := int(time.Since(began) / each); due > turn && due < len(faults) {
			turn = due
			server.Set(faults[turn])
			server.Cut()
		}
		_, err := w.read(ctx)
		return err
	})
	server.Set(fakefeed.Faults{})
	end := w.now(t)
	for deadline := time.After(patience); ; {
		j.mu.Lock()
		reached := !j.watermark.Before(end)
		j.mu.Unlock()
		if reached {
			break
		}
		select {
		case <-j.passed:
		case <-deadline:
			t.Fatalf("the watermark does not reach the end: %+v", relay.Stats())
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if checked != len(w.commits) {
		t.Errorf("%d commits were passed, want %d", checked, len(w.commits))
	}
	stats := relay.Stats()
	if stats.FeedRestarts == 0 || stats.CursorsTooOld == 0 || j.gaps == 0 {
		t.Errorf("nothing went wrong: %+v, %d gaps", stats, j.gaps)
	}
	t.Logf("%d commits passed; %d gaps; relay: %d terms, %d feed restarts, %d dead cursors, %d changes, %d sent as gaps",
		checked, j.gaps, stats.Terms, stats.FeedRestarts, stats.CursorsTooOld, stats.Changes, stats.Uncarryable)
}
