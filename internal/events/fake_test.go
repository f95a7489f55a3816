package events

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"eligibility/internal/hlc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

// at is a stamp of so many seconds.
func at(seconds int64) hlc.Timestamp { return hlc.Timestamp{Wall: seconds * int64(time.Second)} }

func profileAt(key string, t hlc.Timestamp) Change {
	return Change{Table: TableProfile, Project: "acme", Key: key, At: t}
}

// floors is a Sink that keeps a floor for each row, as the cache does for each slot.
type floors struct {
	rows      map[string]hlc.Timestamp
	global    hlc.Timestamp
	watermark hlc.Timestamp
	calls     []string // what was called, in order
	fault     string   // the first breach of what a Sink may expect
}

func newFloors() *floors { return &floors{rows: map[string]hlc.Timestamp{}} }

func (f *floors) Apply(changes []Change, watermark hlc.Timestamp) {
	for _, c := range changes {
		row := fmt.Sprintf("%d/%s/%s", c.Table, c.Project, c.Key)
		f.rows[row] = hlc.Max(f.rows[row], c.At)
	}
	if !watermark.IsZero() {
		if !watermark.After(f.watermark) {
			f.fault = fmt.Sprintf("watermark %v after %v", watermark, f.watermark)
		}
		f.watermark = watermark
	}
	f.calls = append(f.calls, fmt.Sprintf("apply %d", len(changes)))
}

func (f *floors) Gap(t hlc.Timestamp) {
	f.global = hlc.Max(f.global, t)
	f.calls = append(f.calls, "gap")
}

// of is the floor that a row must reach.
func (f *floors) of(c Change) hlc.Timestamp {
	return hlc.Max(f.global, f.rows[fmt.Sprintf("%d/%s/%s", c.Table, c.Project, c.Key)])
}

// lineup is a Subscriber whose messages the test hands over itself.
type lineup struct {
	partitions int
	fail       atomic.Pointer[error] // what Subscribe gives at once, unless nil
	attached   chan Handler
	breakOff   chan error
}

func newLineup(partitions int) *lineup {
	return &lineup{partitions: partitions, attached: make(chan Handler, 1), breakOff: make(chan error)}
}

func (l *lineup) Partitions() int { return l.partitions }

func (l *lineup) Subscribe(ctx context.Context, ready chan<- struct{}, h Handler) error {
	if fail := l.fail.Load(); fail != nil {
		return *fail
	}
	close(ready)
	l.attached <- h
	select {
	case err := <-l.breakOff:
		return err
	case <-ctx.Done():
		return nil
	}
}

// followerAt is a follower that is attached at a database time, with its clock in the test's hand.
func followerAt(t testing.TB, partitions int, now *hlc.Timestamp) (*Follower, *floors) {
	t.Helper()
	sink := newFloors()
	cfg := DefaultFollowerConfig(func() hlc.Timestamp { return *now })
	cfg.Logger = silent()
	f, err := NewFollower(newLineup(partitions), sink, cfg)
	if err != nil {
		t.Fatalf("NewFollower: %v", err)
	}
	f.mu.Lock()
	f.attach()
	f.mu.Unlock()
	sink.calls = slices.Delete(sink.calls, 0, 1)
	return f, sink
}
