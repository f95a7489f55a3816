package natsbus

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
)

// arrival signals each batch.
type arrival chan struct{}

func (a arrival) Batch(*events.Batch) { a <- struct{}{} }
func (a arrival) Hint(*events.Hint)   { a <- struct{}{} }
func (arrival) Lost(events.Loss)      {}

func benchmarkLatency(b *testing.B, send func(*Bus, int)) {
	bus := embedded(b, nil)
	arrived := make(arrival, 1)
	ctx, cancel := context.WithCancel(context.Background())
	ready, over := make(chan struct{}), make(chan error, 1)
	go func() { over <- bus.Subscribe(ctx, ready, arrived) }()
	<-ready
	took := make([]time.Duration, 0, b.N)
	b.ResetTimer()
	for i := range b.N {
		start := time.Now()
		send(bus, i)
		<-arrived
		took = append(took, time.Since(start))
	}
	b.StopTimer()
	cancel()
	<-over
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkPublishToHandler is the time from Publish called to the batch in the handler, acknowledgement included.
func BenchmarkPublishToHandler(b *testing.B) {
	benchmarkLatency(b, func(bus *Bus, i int) { publish(b, bus, batch(0, uint64(i+1), "u1")) })
}

// BenchmarkHintToHandler is the same for the fast lane.
func BenchmarkHintToHandler(b *testing.B) {
	hint := &events.Hint{Changes: batch(0, 1, "u1").Changes}
	benchmarkLatency(b, func(bus *Bus, _ int) { bus.PublishHint(hint) })
}

// BenchmarkCommitToSink is the time from a commit in the feed to the change in the sink: relay, stream and follower.
func BenchmarkCommitToSink(b *testing.B) {
	db, bus := newDatabase(), embedded(b, nil)
	db.every = 100 * time.Millisecond
	db.cursor = db.clock() // so that the first commit is not before the first epoch
	sink := make(tap, 1)
	follower(b, db, bus, sink)
	relay(b, db, bus, "a")
	db.commit("first")
	<-sink
	took := make([]time.Duration, 0, b.N)
	b.ResetTimer()
	for range b.N {
		start := time.Now()
		db.commit("u1")
		<-sink
		took = append(took, time.Since(start))
	}
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkThroughput is how many changes a second go from the feed to the sink when there are always more.
func BenchmarkThroughput(b *testing.B) {
	db, bus := newDatabase(), embedded(b, nil)
	db.cursor = db.clock()
	sink := make(tap, 1<<20)
	follower(b, db, bus, sink)
	users := make([]string, 1000)
	for i := range users {
		users[i] = fmt.Sprintf("user-%06d", i)
	}
	relay(b, db, bus, "a")
	db.commit("first")
	<-sink
	b.ResetTimer()
	go func() {
		for i := range b.N {
			db.commit(users[i%len(users)])
		}
	}()
	for range b.N {
		<-sink
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
}

// tap gets one token for each change.
type tap chan struct{}

func (c tap) Apply(changes []events.Change, _ hlc.Timestamp) {
	for range changes {
		c <- struct{}{}
	}
}
func (tap) Gap(hlc.Timestamp) {}
