package embedded

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"

	"pgregory.net/rapid"
)

// hands is a wall clock that jumps and a monotonic clock that does not.
type hands struct {
	mu   sync.Mutex
	wall time.Time
	mono time.Duration
}

func newHands() *hands { return &hands{wall: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

// pass lets time pass.
func (h *hands) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wall, h.mono = h.wall.Add(d), h.mono+d
}

// jump sets the wall clock.
func (h *hands) jump(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wall = h.wall.Add(d)
}

func (h *hands) readWall() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.wall
}

func (h *hands) readMono() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mono
}

// disk keeps a clock's bound and can refuse to.
type disk struct {
	bound int64
	fails bool
	syncs int
}

var errDisk = errors.New("the disk refuses")

func (d *disk) persist(bound int64) error {
	if d.fails {
		return errDisk
	}
	d.bound, d.syncs = bound, d.syncs+1
	return nil
}

func mustTick(t interface{ Fatal(...any) }, c *clock) int64 {
	if err := c.ensure(); err != nil {
		t.Fatal(err)
	}
	at, ok := c.tick()
	if !ok {
		t.Fatal("no stamp is left below the bound")
	}
	if at.Logical != 0 {
		t.Fatal("a stamp has a logical part")
	}
	return at.Wall
}

// TestStampsRiseWhateverTheClocksDo is the law of the clock over any history of ticks, time passing, wall clock jumps, clean ends and
// crashes.
func TestStampsRiseWhateverTheClocksDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, d := newHands(), &disk{}
		c := newClock(0, h.readWall, h.readMono, d.persist)
		if err := c.ensure(); err != nil { // as every opening does
			t.Fatal(err)
		}
		last := int64(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"tick", "tick", "tick", "read", "pass", "jump", "keep", "crash", "end"}).Draw(t, "step") {
			case "read":
				at := c.read().Wall
				if at <= last || at > d.bound {
					t.Fatalf("read %d after %d, the durable bound is %d", at, last, d.bound)
				}
				last = at
			case "tick":
				at := mustTick(t, c)
				if at <= last {
					t.Fatalf("stamp %d after %d", at, last)
				}
				if at > d.bound {
					t.Fatalf("stamp %d is above the durable bound %d", at, d.bound)
				}
				if wall := h.readWall().UnixNano(); at < wall {
					t.Fatalf("stamp %d is before the wall clock %d", at, wall)
				}
				last = at
			case "pass":
				h.pass(time.Duration(rapid.Int64Range(0, int64(10*time.Second)).Draw(t, "d")))
			case "jump":
				h.jump(time.Duration(rapid.Int64Range(-int64(48*time.Hour), int64(time.Hour)).Draw(t, "d")))
			case "keep":
				if err := c.keep(); err != nil {
					t.Fatal(err)
				}
			case "end":
				if err := c.settle(); err != nil {
					t.Fatal(err)
				}
				fallthrough
			case "crash":
				c = newClock(d.bound, h.readWall, h.readMono, d.persist)
				if err := c.ensure(); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestClockGoesOnWhenTheWallIsSetBack(t *testing.T) {
	h, d := newHands(), &disk{}
	c := newClock(0, h.readWall, h.readMono, d.persist)
	before := mustTick(t, c)
	h.jump(-time.Hour)
	h.pass(10 * time.Second)
	if passed := time.Duration(mustTick(t, c) - before); passed != 10*time.Second {
		t.Errorf("10 s after the wall clock was set back the stamps have moved by %v", passed)
	}
	h.jump(2 * time.Hour)
	if got, want := mustTick(t, c), h.readWall().UnixNano(); got != want {
		t.Errorf("after the wall clock went ahead a stamp is %d, want the wall's %d", got, want)
	}
}

func TestClockRunsInStepWithTheWallAfterACleanEnd(t *testing.T) {
	h, d := newHands(), &disk{}
	for range 20 {
		c := newClock(d.bound, h.readWall, h.readMono, d.persist)
		mustTick(t, c)
		h.pass(time.Second)
		mustTick(t, c)
		if err := c.settle(); err != nil {
			t.Fatal(err)
		}
		h.pass(time.Millisecond)
	}
	c := newClock(d.bound, h.readWall, h.readMono, d.persist)
	if ahead := time.Duration(mustTick(t, c) - h.readWall().UnixNano()); ahead != 0 {
		t.Errorf("the clock is %v ahead of the wall", ahead)
	}
}

func TestACrashLoopDoesNotRunAhead(t *testing.T) {
	h, d := newHands(), &disk{}
	for range 200 {
		c := newClock(d.bound, h.readWall, h.readMono, d.persist)
		for range 10 {
			mustTick(t, c)
			h.pass(20 * time.Millisecond)
		}
		h.pass(100 * time.Millisecond) // until the next start
	}
	c := newClock(d.bound, h.readWall, h.readMono, d.persist)
	if ahead := time.Duration(mustTick(t, c) - h.readWall().UnixNano()); ahead > time.Second {
		t.Errorf("after 200 crashes the clock is %v ahead of the wall", ahead)
	}
}

func TestKeepSparesTheTicksTheDisk(t *testing.T) {
	h, d := newHands(), &disk{}
	c := newClock(0, h.readWall, h.readMono, d.persist)
	mustTick(t, c)
	inline := 0
	for range 600 { // one minute
		h.pass(keepEvery)
		if err := c.keep(); err != nil {
			t.Fatal(err)
		}
		before := d.syncs
		mustTick(t, c)
		inline += d.syncs - before
	}
	if inline != 0 {
		t.Errorf("%d ticks waited for the disk", inline)
	}
	if d.syncs > 80 {
		t.Errorf("a minute cost %d syncs", d.syncs)
	}
	if err := c.keep(); err != nil { // takes note of the last tick
		t.Fatal(err)
	}
	before := d.syncs
	for range 600 {
		h.pass(keepEvery)
		if err := c.keep(); err != nil {
			t.Fatal(err)
		}
	}
	if d.syncs != before {
		t.Errorf("an idle minute cost %d syncs", d.syncs-before)
	}
}

func TestADiskThatRefusesStopsCommitsAndNotReads(t *testing.T) {
	h, d := newHands(), &disk{}
	c := newClock(0, h.readWall, h.readMono, d.persist)
	last := mustTick(t, c)
	d.fails = true
	h.pass(time.Hour)
	if err := c.ensure(); !errors.Is(err, errDisk) {
		t.Fatalf("ensure: %v; want the disk's error", err)
	}
	for range 3 {
		c.await()
		h.pass(time.Minute)
		if at := c.read().Wall; at <= last || at < h.readWall().UnixNano() {
			t.Fatalf("read %d after %d at wall %d", at, last, h.readWall().UnixNano())
		} else {
			last = at
		}
	}
}

func TestADiskThatDoesNotAnswerStopsNobody(t *testing.T) {
	h, d := newHands(), &disk{}
	c := newClock(0, h.readWall, h.readMono, d.persist)
	last := mustTick(t, c)
	h.pass(time.Hour)
	c.await() // nobody extends
	h.pass(time.Second)
	start := time.Now()
	for range 1000 {
		c.await()
		read := c.read().Wall
		at, ok := c.tick()
		if !ok || read <= last || at.Wall <= read || at.Wall > d.bound {
			t.Fatalf("stamps %d and %v (%t) after %d, below the bound %d", read, at, ok, last, d.bound)
		}
		last = at.Wall
	}
	if waited := time.Since(start); waited > 100*readPatience {
		t.Errorf("1000 reads waited %v for a disk that was known to hang", waited)
	}
	<-c.asked
	if err := c.extend(0); err != nil {
		t.Fatal(err)
	}
	if got, want := mustTick(t, c), h.readWall().UnixNano(); got < want {
		t.Errorf("after the disk has answered a stamp is %d, the wall %d", got, want)
	}
}

// TestJumpsNeverReorderCommits does the same to a whole store, across restarts.
func TestJumpsNeverReorderCommits(t *testing.T) {
	h := newHands()
	cfg := memory(t)
	cfg.wall, cfg.mono = h.readWall, h.readMono
	var last hlc.Timestamp
	for i, jump := range []time.Duration{0, time.Hour, -3 * time.Hour, 30 * time.Minute, -48 * time.Hour, time.Minute} {
		s := openStore(t, cfg)
		if i == 0 {
			shop(t, s)
		}
		for n := range 5 {
			at, _, err := s.PutUsers(context.Background(), "shop", []profile.Update{person(n)})
			if err != nil {
				t.Fatal(err)
			}
			if !at.After(last) {
				t.Fatalf("jump %v: commit at %v after %v", jump, at, last)
			}
			now, err := s.Now(context.Background())
			if err != nil || !now.After(at) {
				t.Fatalf("now is %v (%v) after the commit at %v", now, err, at)
			}
			last = now
			h.pass(time.Second)
			h.jump(jump / 5)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
