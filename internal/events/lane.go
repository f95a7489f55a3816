package events

import (
	"context"
	"slices"
	"sync"

	"eligibility/internal/hlc"
)

// laneChanges is how many changes may wait in one lane. When they do, the relay stops taking from the feed, which keeps them for it.
const laneChanges = 4 * MaxBatchChanges

// laneMarks is how many resolved stamps may wait in one lane. Beyond it the newest replaces the one before it: the oldest still go out,
// so a lane that is always behind advances all the same.
const laneMarks = 64

// lane is the way of one partition from the feed to the bus: a bounded queue and one sender, which has one batch in flight at a time.
// While that batch is being acknowledged the queue fills, so batches grow with the load and nothing ever waits for a timer.
type lane struct {
	partition uint16
	epoch     uint64
	base      hlc.Timestamp

	mu       sync.Mutex
	ring     []Change // laneChanges slots; waiting changes begin at head
	head     int
	waiting  int
	taken    uint64        // changes ever taken out of the ring
	marks    []mark        // oldest first
	high     hlc.Timestamp // as Batch.High, for the next batch
	acked    hlc.Timestamp // greatest resolved stamp that the bus has acknowledged
	arrived  uint64        // changes ever taken out whose batch the bus has acknowledged
	waiters  []waiter      // oldest first
	finished bool          // no more will be put

	seq  uint64        // the sender's: last sequence number given out
	wake chan struct{} // there is something to send, or finished
	room chan struct{} // the ring is no longer full
}

// mark is a resolved stamp that is true once `after` changes were taken out.
type mark struct {
	after    uint64
	resolved hlc.Timestamp
}

func newLane(partition uint16, epoch uint64, base hlc.Timestamp) *lane {
	return &lane{
		partition: partition, epoch: epoch, base: base, high: base,
		ring: make([]Change, laneChanges),
		wake: make(chan struct{}, 1), room: make(chan struct{}, 1),
	}
}

// put queues c behind what waits; high is the greatest plausible commit time that the feed has given so far, c's included. It blocks while
// the lane is full, until ctx ends. One goroutine at a time puts.
func (l *lane) put(ctx context.Context, c Change, high hlc.Timestamp) error {
	for {
		l.mu.Lock()
		if l.waiting < len(l.ring) {
			l.ring[(l.head+l.waiting)%len(l.ring)] = c
			l.waiting++
			l.high = hlc.Max(l.high, high)
			l.mu.Unlock()
			signal(l.wake)
			return nil
		}
		l.mu.Unlock()
		select {
		case <-l.room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// resolve queues the promise that all changes at or before t were put.
func (l *lane) resolve(t hlc.Timestamp) {
	l.mu.Lock()
	if len(l.marks) == laneMarks {
		l.marks = l.marks[:laneMarks-1]
	}
	l.marks = append(l.marks, mark{after: l.taken + uint64(l.waiting), resolved: t})
	l.mu.Unlock()
	signal(l.wake)
}

// finish says that nothing more will be put; the sender ends when the queue is empty.
func (l *lane) finish() {
	l.mu.Lock()
	l.finished = true
	l.mu.Unlock()
	signal(l.wake)
}

// send publishes what waits until ctx ends, or until the lane was finished and is empty. It sends a batch again until the bus
// acknowledges it, so the order within the partition is that of the feed. Failed attempts are counted and handed to failed.
func (l *lane) send(ctx context.Context, bus Publisher, retry backoff, count *relayCounters, failed func(error)) {
	b := Batch{Partition: l.partition, Epoch: l.epoch, Base: l.base, Changes: make([]Change, 0, MaxBatchChanges)}
	for {
		some, end := l.take(&b, count)
		upTo := l.out()
		if end {
			return
		}
		if !some {
			select {
			case <-l.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		for {
			err := bus.Publish(ctx, &b)
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				return
			}
			count.publishFailures.Add(1)
			failed(err)
			if retry.wait(ctx) != nil {
				return
			}
		}
		retry.reset()
		count.batches.Add(1)
		count.changes.Add(uint64(len(b.Changes)))
		l.ack(upTo, b.Resolved)
	}
}

// take moves what waits, up to MaxBatchChanges, into b and numbers it. A change that the wire format cannot hold is left out together
// with one sequence number: followers see a gap up to High, which covers it. end is true when the lane is finished and empty.
func (l *lane) take(b *Batch, count *relayCounters) (some, end bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(l.waiting, MaxBatchChanges)
	b.Changes, b.Resolved = b.Changes[:0], hlc.Timestamp{}
	left := uint64(0)
	for range n {
		slot := &l.ring[l.head]
		if carryable(slot) {
			b.Changes = append(b.Changes, *slot)
		} else {
			left++
		}
		*slot = Change{} // let go of its strings
		l.head = (l.head + 1) % len(l.ring)
	}
	l.waiting -= n
	l.taken += uint64(n)
	due := 0
	for due < len(l.marks) && l.marks[due].after <= l.taken {
		b.Resolved = l.marks[due].resolved
		due++
	}
	l.marks = append(l.marks[:0], l.marks[due:]...)
	if n == 0 && due == 0 {
		return false, l.finished
	}
	if n > 0 {
		signal(l.room)
	}
	if left > 0 {
		l.seq++
		count.uncarryable.Add(left)
	}
	l.seq++
	b.Seq, b.High = l.seq, l.high
	return true, false
}

// ack notes that the bus has everything up to the upTo-th change ever taken, and the resolved stamp.
func (l *lane) ack(upTo uint64, resolved hlc.Timestamp) {
	l.mu.Lock()
	l.arrived = upTo
	l.acked = hlc.Max(l.acked, resolved)
	due := 0
	for due < len(l.waiters) && l.met(&l.waiters[due]) {
		due++
	}
	met := slices.Clone(l.waiters[:due])
	l.waiters = slices.Delete(l.waiters, 0, due)
	l.mu.Unlock()
	for i := range met {
		met[i].done()
	}
}

// acknowledged is the greatest resolved stamp that the bus has acknowledged on this lane, zero when none yet.
func (l *lane) acknowledged() hlc.Timestamp {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acked
}

// depth is the number of changes that wait.
func (l *lane) depth() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting
}

// signal sets a one-place flag; a flag that is set already stays so.
func signal(flag chan struct{}) {
	select {
	case flag <- struct{}{}:
	default:
	}
}
