package embedded

import (
	"sync"
	"time"

	"eligibility/internal/hlc"
)

// The clock may run ahead of what is durable by a reserve. It grows with the age of the process, because a restart after a crash begins
// above the whole reserve: a process that dies again and again must not drive its stamps far ahead of the wall clock.
const (
	minReserve = 250 * time.Millisecond
	maxReserve = 3 * time.Second
)

// readPatience is how long a read waits for a new bound before it takes a stamp below the old one.
const readPatience = 50 * time.Millisecond

// clock gives out the store's stamps. Each is a new nanosecond (Logical is always 0), so that bounds kept in 64 bits are exact.
//
// Its physical part is max(previous + monotonic time since, wall): it neither goes back nor stands still when the wall clock is set back.
// No stamp is above a durable bound, and a restart begins above that bound, so that order survives restarts too. While the disk does not
// answer, the stamps still rise, but by a nanosecond each: they tell when the disk was last heard of instead of the present time. Safe for
// concurrent use.
type clock struct {
	wall    func() time.Time
	mono    func() time.Duration
	persist func(bound int64) error // makes a new bound durable
	started time.Duration
	asked   chan struct{} // gets a token when a read wants a new bound; whoever owns the clock then calls extend

	extending sync.Mutex // held by who persists a bound, so that an older one never overwrites a newer

	mu       sync.Mutex
	last     int64 // the greatest stamp given out
	lastMono time.Duration
	bound    int64
	ticked   bool          // since the last keep
	broken   bool          // a bound could not be made durable
	late     time.Duration // on mono: since when reads have wanted a new bound, 0 when they do not
	raised   chan struct{} // closed at the next end of an extension
}

// newClock continues after bound, the one found in the store (0 in a new store).
func newClock(bound int64, wall func() time.Time, mono func() time.Duration, persist func(int64) error) *clock {
	now := mono()
	return &clock{
		wall: wall, mono: mono, persist: persist, started: now, asked: make(chan struct{}, 1),
		last: bound, lastMono: now, bound: bound, raised: make(chan struct{}),
	}
}

// ensure makes the bound durable that a stamp of the present time needs. It waits for the disk and fails with it.
func (c *clock) ensure() error {
	c.mu.Lock()
	enough := c.next() <= c.bound
	c.mu.Unlock()
	if enough {
		return nil
	}
	return c.extend(0)
}

// tick returns a stamp above every stamp before, without waiting. ok is false when the bound leaves none: call ensure.
func (c *clock) tick() (at hlc.Timestamp, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := c.below()
	if next > c.bound {
		return hlc.Timestamp{}, false
	}
	return c.take(next), true
}

// await is ensure for reads: it gives the disk a moment and never fails.
func (c *clock) await() {
	c.mu.Lock()
	now := c.mono()
	if c.broken || c.next() <= c.bound {
		c.mu.Unlock()
		return
	}
	if c.late == 0 {
		c.late = max(now, 1)
	}
	patience, raised := readPatience-(now-c.late), c.raised
	c.mu.Unlock()
	select {
	case c.asked <- struct{}{}:
	default:
	}
	if patience <= 0 {
		return // the disk has hung for longer than that: further reads do not wait for it
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-raised:
	case <-timer.C:
	}
}

// read is tick for reads: it never fails. On a disk that refuses writes reads go on with stamps above the bound. No commit can follow on
// this disk, so only a wall clock that is also set back before the restart could repeat one of them.
func (c *clock) read() hlc.Timestamp {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken {
		return c.take(c.next())
	}
	return c.take(c.below())
}

// below is the next stamp: the present time or, where that is above the bound, the one right after the last.
func (c *clock) below() int64 {
	if next := c.next(); next <= c.bound {
		return next
	}
	return c.last + 1
}

// now is the present time of the clock. It is no stamp: nothing is ordered by it.
func (c *clock) now() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.next()
}

func (c *clock) take(next int64) hlc.Timestamp {
	c.last, c.lastMono, c.ticked = next, c.mono(), true
	return hlc.Timestamp{Wall: next}
}

func (c *clock) next() int64 {
	return max(c.last+1, c.last+int64(c.mono()-c.lastMono), c.wall().UnixNano())
}

// extend raises the durable bound to now plus the reserve unless more than slack is left.
func (c *clock) extend(slack time.Duration) error {
	c.extending.Lock()
	defer c.extending.Unlock()
	c.mu.Lock()
	next, bound := c.next(), c.bound
	c.mu.Unlock()
	if bound-next > int64(slack) {
		return nil // by another, while this one waited
	}
	raised := max(bound, next+int64(c.reserve()))
	err := c.persist(raised)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.broken = true
	} else {
		c.bound, c.late = raised, 0
	}
	close(c.raised)
	c.raised = make(chan struct{})
	return err
}

// keep raises the bound ahead of need, so that no stamp waits for the disk. A clock that nobody asked since the last call is left alone: an
// idle store writes nothing.
func (c *clock) keep() error {
	c.mu.Lock()
	ticked := c.ticked
	c.ticked = false
	c.mu.Unlock()
	if !ticked {
		return nil
	}
	return c.extend(c.reserve() / 2)
}

// settle lowers the durable bound to the last stamp at a clean end, so that the next start need not begin ahead of the wall clock.
func (c *clock) settle() error {
	c.extending.Lock()
	defer c.extending.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bound = c.last
	return c.persist(c.last)
}

func (c *clock) reserve() time.Duration {
	return min(max((c.mono()-c.started)/2, minReserve), maxReserve)
}
