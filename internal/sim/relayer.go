package sim

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
)

// partitions is how many the bus has.
const partitions = 2

var _ events.Publisher = (*relayer)(nil)

// relayer is a process with a relay in it.
type relayer struct {
	h     *history
	name  string
	pace  time.Duration // sets its calls apart from those of others when the gates are open
	relay *events.Relay
	dead  bool // killed: nothing that it does has an effect any more. Guarded by h.w.mu
	over  chan struct{}

	// What it did, guarded by h.w.mu.
	acked   map[line]hlc.Timestamp // greatest resolved stamp that the bus acknowledged
	sent    map[line]map[events.Change]bool
	damaged map[events.Change]bool // left the feed under another stamp
}

// line is one relay's numbered stream of batches.
type line struct {
	epoch     uint64
	partition uint16
}

// An instant retry makes every attempt a matter of the schedule: the next call parks at its gate at once.
const instantly = time.Nanosecond

func (h *history) newRelayer() (*relayer, error) {
	r := &relayer{
		h: h, name: fmt.Sprintf("relay%d", len(h.relayers)), pace: time.Duration(1+len(h.relayers)) * 10 * time.Microsecond,
		acked: make(map[line]hlc.Timestamp), sent: make(map[line]map[events.Change]bool), damaged: make(map[events.Change]bool),
	}
	cfg := events.DefaultRelayConfig(r.name)
	cfg.TryEvery, cfg.RetryLeast, cfg.RetryMost = instantly, instantly, instantly
	cfg.RenewEvery, cfg.SaveEvery = 997*time.Millisecond, 499*time.Millisecond // never due at one instant
	cfg.StopGrace, cfg.Logger = 100*time.Millisecond, h.logger
	var err error
	r.relay, err = events.NewRelay(&feed{w: h.w, plan: &h.plan, relay: r}, &lease{w: h.w, held: &h.held, relay: r}, r, cfg)
	if err != nil {
		return nil, err
	}
	h.relayers = append(h.relayers, r)
	return r, r.relay.Start(context.Background())
}

// pass parks a call of this process, for ever when it was killed.
func (r *relayer) pass(ctx context.Context, label string, pause time.Duration) (verdict, error) {
	if !r.killed() {
		v, err := r.h.gates.pass(ctx, r.name+" "+label, pause+r.pace)
		if err != nil || !r.killed() {
			return v, err
		}
	}
	<-ctx.Done()
	return verdict{}, ctx.Err()
}

func (r *relayer) killed() bool {
	r.h.w.mu.Lock()
	defer r.h.w.mu.Unlock()
	return r.dead
}

// stop ends the relay in the background: it takes its leave through the gates.
func (r *relayer) stop() {
	if r.over == nil {
		r.over = make(chan struct{})
		go func() {
			defer close(r.over)
			r.relay.Stop()
		}()
	}
}

func (r *relayer) kill() {
	r.h.w.with(func() { r.dead = true })
	r.stop()
}

// Partitions is the number of partitions of the bus.
func (r *relayer) Partitions() int { return partitions }

// Publish hands the batch to the bus, which may lose it, or its own answer.
func (r *relayer) Publish(ctx context.Context, b *events.Batch) error {
	v, err := r.pass(ctx, "publishes to "+strconv.Itoa(int(b.Partition)), time.Millisecond+time.Duration(b.Partition)*time.Microsecond)
	if err != nil {
		return err
	}
	if v.fail && v.pick(1, 2) == 0 {
		return errFault
	}
	kept := *b
	kept.Changes = slices.Clone(b.Changes)
	r.h.w.mu.Lock()
	defer r.h.w.mu.Unlock()
	r.h.arrive(&kept)
	at := line{b.Epoch, b.Partition}
	r.keeps(&kept, at)
	if v.fail {
		return errFault
	}
	r.acked[at] = hlc.Max(r.acked[at], b.Resolved)
	return nil
}

// keeps checks the relay's promise: what it resolves it has sent. The caller holds the world's lock.
func (r *relayer) keeps(b *events.Batch, at line) {
	if r.sent[at] == nil {
		r.sent[at] = make(map[events.Change]bool)
	}
	for _, c := range b.Changes {
		r.sent[at][c] = true
	}
	for _, c := range r.h.w.log {
		if c.At.After(b.Base) && !c.At.After(b.Resolved) && events.Partition(c.Project, c.Key, partitions) == b.Partition &&
			!r.sent[at][c] && !r.damaged[c] {
			r.h.fault("%s resolves %s in epoch %d without having sent %v", r.name, short(b.Resolved), b.Epoch, name(c))
		}
	}
}

// vouched checks that the bus has acknowledged everything up to a cursor. The caller holds the world's lock.
func (r *relayer) vouched(epoch uint64, cursor hlc.Timestamp) {
	for p := range uint16(partitions) {
		if acked := r.acked[line{epoch, p}]; acked.Before(cursor) {
			r.h.fault("%s saves cursor %s in epoch %d, the bus has acknowledged %s of partition %d", r.name, short(cursor), epoch, short(acked), p)
		}
	}
}
