package changefeed_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/events/natsbus"
	"eligibility/internal/hlc"
	"eligibility/internal/store/crdb/fakefeed"
)

// paced sends rows at a rate, each stamped when it is sent, and a resolved stamp five times a second.
type paced struct{ rows, perSecond int }

func (p paced) Stream(ctx context.Context, _ hlc.Timestamp, send func(fakefeed.Message) error) error {
	began := time.Now()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	resolved := began
	for sent := 0; ; {
		for due := int(time.Since(began).Seconds() * float64(p.perSecond)); sent < min(due, p.rows); sent++ {
			at := hlc.FromTime(time.Now())
			if err := send(fakefeed.Row("profiles", fmt.Sprintf(`["acme", "u%d"]`, sent%5000), `{"attrs": {"plan": "gold", "orders": 3}}`, at)); err != nil {
				return err
			}
		}
		if now := time.Now(); now.Sub(resolved) > 200*time.Millisecond {
			resolved = now
			if err := send(fakefeed.Resolved(hlc.FromTime(now))); err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// soloLease is a lease that nobody else wants, with this machine's clock.
type soloLease struct{}

func (soloLease) Acquire(context.Context, string) (uint64, hlc.Timestamp, error) {
	return 1, hlc.FromTime(time.Now()), nil
}
func (soloLease) Renew(context.Context, string, uint64) error             { return nil }
func (soloLease) SaveCursor(context.Context, uint64, hlc.Timestamp) error { return nil }
func (soloLease) Release(context.Context, uint64) error                   { return nil }
func (soloLease) Now(context.Context) (hlc.Timestamp, error)              { return hlc.FromTime(time.Now()), nil }

// stopwatch is a sink that measures how old changes are when they arrive.
type stopwatch struct {
	mu   sync.Mutex
	ages []time.Duration
	want int
	all  chan struct{} // closed when want have come
}

func newStopwatch(want int) *stopwatch { return &stopwatch{want: want, all: make(chan struct{})} }

func (s *stopwatch) note(changes []events.Change) {
	now := time.Now().UnixNano()
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.ages)
	for i := range changes {
		s.ages = append(s.ages, time.Duration(now-changes[i].At.Wall))
	}
	if before < s.want && len(s.ages) >= s.want {
		close(s.all)
	}
}

func (s *stopwatch) Apply(changes []events.Change, _ hlc.Timestamp) { s.note(changes) }
func (s *stopwatch) Gap(hlc.Timestamp)                              {}

func (s *stopwatch) report(b *testing.B) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(s.ages)
	if len(s.ages) > 0 {
		b.ReportMetric(float64(s.ages[len(s.ages)/2].Microseconds()), "p50-µs")
		b.ReportMetric(float64(s.ages[len(s.ages)*99/100].Microseconds()), "p99-µs")
	}
}

// cpu is the processor time of this process, the fake database included.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// share reports the processor time of what ran as a percentage of one core, for rows at this rate.
func share(b *testing.B, before time.Duration, perSecond int) {
	b.Helper()
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N)*float64(perSecond)/1e9*100, "%core")
}

// BenchmarkRowToYield is from the fake database's send to yield: two passes through the loopback and our decoding. Run it with -benchtime=10000x.
func BenchmarkRowToYield(b *testing.B) {
	for _, rate := range []int{2000, 5000} {
		b.Run(fmt.Sprintf("%d-rows-per-s", rate), func(b *testing.B) {
			server := fakefeed.Start(b, fakefeed.Options{Source: paced{b.N, rate}})
			watch := newStopwatch(b.N)
			ctx, cancel := context.WithCancel(b.Context())
			var following sync.WaitGroup
			before := cpu(b)
			following.Go(func() {
				_ = feedOf(b, server.URL).Follow(ctx, hlc.Timestamp{Wall: 1}, func(batch events.FeedBatch) error { watch.note(batch.Changes); return nil })
			})
			<-watch.all
			share(b, before, rate)
			cancel()
			following.Wait()
			watch.report(b)
		})
	}
}

// BenchmarkFeedToFloor is the whole way: fake database, feed, relay, a NATS server, and the followers of so many replicas, all in one process. Run it with
// -benchtime=10000x.
func BenchmarkFeedToFloor(b *testing.B) {
	for _, c := range []struct{ rate, replicas int }{{2000, 1}, {5000, 1}, {500, 100}} {
		b.Run(fmt.Sprintf("%d-rows-per-s/%d-replicas", c.rate, c.replicas), func(b *testing.B) {
			quiet := slog.New(slog.DiscardHandler)
			server := fakefeed.Start(b, fakefeed.Options{Source: paced{b.N, c.rate}})
			cfg := natsbus.DefaultEmbedded()
			cfg.Logger = quiet
			bus, err := natsbus.Embedded(cfg)
			if err != nil {
				b.Fatal(err)
			}
			defer bus.Stop()
			watch := newStopwatch(b.N * c.replicas)
			for range c.replicas {
				followerCfg := events.DefaultFollowerConfig(func() hlc.Timestamp { return hlc.FromTime(time.Now()) })
				followerCfg.Logger = quiet
				follower, err := events.NewFollower(bus, watch, followerCfg)
				if err == nil {
					err = follower.Start(context.Background())
				}
				if err != nil {
					b.Fatal(err)
				}
				defer follower.Stop()
			}
			relayCfg := events.DefaultRelayConfig("bench")
			relayCfg.Logger = quiet
			relay, err := events.NewRelay(feedOf(b, server.URL), soloLease{}, bus, relayCfg)
			if err != nil {
				b.Fatal(err)
			}
			before := cpu(b)
			if err := relay.Start(context.Background()); err != nil {
				b.Fatal(err)
			}
			defer relay.Stop()
			<-watch.all
			share(b, before, c.rate)
			watch.report(b)
		})
	}
}
