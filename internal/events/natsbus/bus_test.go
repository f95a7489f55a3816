package natsbus

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// embedded is a bus in this process, stopped with the test.
func embedded(t testing.TB, change func(*Config)) *Bus {
	t.Helper()
	cfg := DefaultEmbedded()
	cfg.Dir, cfg.Logger = t.TempDir(), quiet()
	cfg.Heartbeat = 100 * time.Millisecond
	if change != nil {
		change(&cfg)
	}
	b, err := Embedded(cfg)
	if err != nil {
		t.Fatalf("Embedded: %v", err)
	}
	t.Cleanup(b.Stop)
	return b
}

// recorder is a Handler that keeps what it is given.
type recorder struct {
	mu      sync.Mutex
	changed chan struct{}
	batches []events.Batch
	hints   []events.Hint
	losses  []events.Loss
	hold    chan struct{} // when not nil, every batch waits for it to be closed
}

func newRecorder() *recorder { return &recorder{changed: make(chan struct{}, 1)} }

func (r *recorder) note(add func()) {
	r.mu.Lock()
	add()
	r.mu.Unlock()
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

func (r *recorder) Batch(b *events.Batch) {
	if r.hold != nil {
		<-r.hold
	}
	kept := *b
	kept.Changes = slices.Clone(b.Changes)
	r.note(func() { r.batches = append(r.batches, kept) })
}

func (r *recorder) Hint(h *events.Hint) {
	kept := events.Hint{Changes: slices.Clone(h.Changes)}
	r.note(func() { r.hints = append(r.hints, kept) })
}

func (r *recorder) Lost(why events.Loss) { r.note(func() { r.losses = append(r.losses, why) }) }

// seqs are the sequence numbers of what was recorded, in order.
func (r *recorder) seqs() []uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]uint64, len(r.batches))
	for i := range r.batches {
		all[i] = r.batches[i].Seq
	}
	return all
}

// lost are the losses that were recorded, in order.
func (r *recorder) lost() []events.Loss {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.losses)
}

// until waits for a condition on what was recorded.
func (r *recorder) until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		r.mu.Lock()
		done := ok()
		r.mu.Unlock()
		if done {
			return
		}
		select {
		case <-r.changed:
		case <-deadline:
			r.mu.Lock()
			defer r.mu.Unlock()
			t.Fatalf("waiting for %s: have %d batches, %d hints, losses %v", what, len(r.batches), len(r.hints), r.losses)
		}
	}
}

// subscribe attaches a recorder for the time of the test.
func subscribe(t testing.TB, b *Bus, r *recorder) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, over := make(chan struct{}), make(chan error, 1)
	go func() { over <- b.Subscribe(ctx, ready, r) }()
	t.Cleanup(func() {
		cancel()
		<-over
	})
	select {
	case <-ready:
	case err := <-over:
		over <- err
		t.Fatalf("Subscribe: %v", err)
	case <-time.After(patience):
		t.Fatal("Subscribe is not ready")
	}
}

func stamp(wall int64) hlc.Timestamp { return hlc.Timestamp{Wall: wall} }

func batch(partition uint16, seq uint64, keys ...string) *events.Batch {
	b := &events.Batch{Partition: partition, Epoch: 1, Seq: seq, Base: stamp(1), High: stamp(int64(seq)), Resolved: stamp(int64(seq))}
	for _, key := range keys {
		b.Changes = append(b.Changes, events.Change{Table: events.TableProfile, Project: "acme", Key: key, At: stamp(int64(seq))})
	}
	return b
}

func publish(t testing.TB, b *Bus, batches ...*events.Batch) {
	t.Helper()
	for _, one := range batches {
		if err := b.Publish(context.Background(), one); err != nil {
			t.Fatalf("Publish of %d/%d: %v", one.Partition, one.Seq, err)
		}
	}
}

func TestBatchesAndHintsArriveAsTheyWereSent(t *testing.T) {
	b := embedded(t, nil)
	publish(t, b, batch(0, 1, "before"))
	r := newRecorder()
	subscribe(t, b, r)
	publish(t, b, batch(0, 2, "u1", "u2"), batch(1, 1), batch(0, 3, "u3"))
	b.PublishHint(&events.Hint{Changes: batch(0, 9, "h1").Changes})
	r.until(t, "three batches and a hint", func() bool { return len(r.batches) == 3 && len(r.hints) == 1 })
	want := []*events.Batch{batch(0, 2, "u1", "u2"), batch(1, 1), batch(0, 3, "u3")}
	for i, got := range r.batches {
		if got.Partition != want[i].Partition || got.Seq != want[i].Seq || got.High != want[i].High || got.Resolved != want[i].Resolved ||
			!slices.Equal(got.Changes, want[i].Changes) {
			t.Errorf("batch %d: got %+v, want %+v", i, got, *want[i])
		}
	}
	if got := r.hints[0].Changes; len(got) != 1 || got[0].Key != "h1" {
		t.Errorf("hint: got %+v", got)
	}
	if got := r.lost(); len(got) != 0 {
		t.Errorf("losses on a healthy bus: %v", got)
	}
}
