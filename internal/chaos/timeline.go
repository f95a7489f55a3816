package chaos

import (
	"slices"
	"sync"
	"time"
)

// Outcome is what a client got for a read.
type Outcome uint8

// The outcomes, the good ones first.
const (
	Fresh      Outcome = iota // an answer within the bound
	Degraded                  // an answer that says of itself that it may be older
	Refused                   // a clear refusal
	Unanswered                // nothing, or nothing whole
	outcomes
)

func (o Outcome) String() string { return [...]string{"fresh", "degraded", "refused", "no answer"}[o] }

// Timeline is what was done to a cluster and what its replicas and clients saw of it, to be drawn. Safe for concurrent use.
type Timeline struct {
	title string
	names []string // of the replicas
	start time.Time

	mu     sync.Mutex
	faults []span     // guarded by mu, in order of their beginnings
	lanes  []laneSeen // guarded by mu, one for each replica
}

// span is a fault while it lasts.
type span struct {
	name     string
	from, to time.Duration
}

// laneSeen is what was seen of one replica.
type laneSeen struct {
	phases []turn
	floors []time.Duration // when it was seen that all copies from before had become invalid
	gaps   int
	reads  map[int]*[outcomes]int // by slice of time
}

// turn is a change of phase.
type turn struct {
	at    time.Duration
	phase string
}

// slice is the time whose reads are drawn together.
const slice = 100 * time.Millisecond

// NewTimeline begins one now.
func NewTimeline(title string, replicas ...string) *Timeline {
	t := &Timeline{title: title, names: replicas, start: time.Now(), lanes: make([]laneSeen, len(replicas))}
	for i := range t.lanes {
		t.lanes[i].reads = make(map[int]*[outcomes]int)
	}
	return t
}

// Fault notes that one begins. The result is called when it ends.
func (t *Timeline) Fault(name string) (end func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := len(t.faults)
	now := time.Since(t.start)
	t.faults = append(t.faults, span{name, now, now})
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.faults[i].to = time.Since(t.start)
	}
}

// Read notes what a client got from the replica now.
func (t *Timeline) Read(replica int, what Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := int(time.Since(t.start) / slice)
	counts := t.lanes[replica].reads[at]
	if counts == nil {
		counts = new([outcomes]int)
		t.lanes[replica].reads[at] = counts
	}
	counts[what]++
}

// State notes the phase that the replica shows now, "" when it shows none, and how many gaps it has counted since it was
// started.
func (t *Timeline) State(replica int, phase string, gaps int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l, now := &t.lanes[replica], time.Since(t.start)
	if n := len(l.phases); n == 0 || l.phases[n-1].phase != phase {
		l.phases = append(l.phases, turn{now, phase})
	}
	if phase == "" {
		return
	}
	if gaps > l.gaps {
		l.floors = append(l.floors, now)
	}
	l.gaps = gaps
}

// Restart notes that the replica starts anew, and counts its gaps from 0.
func (t *Timeline) Restart(replica int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lanes[replica].gaps = 0
}

// end is when the last thing happened. The caller holds mu.
func (t *Timeline) end() time.Duration {
	last := time.Second
	for i := range t.faults {
		last = max(last, t.faults[i].to)
	}
	for i := range t.lanes {
		for at := range t.lanes[i].reads {
			last = max(last, time.Duration(at+1)*slice)
		}
	}
	return last
}

// moments are the slices of a replica in which something was read, in order. The caller holds mu.
func (l *laneSeen) moments() []int {
	all := make([]int, 0, len(l.reads))
	for at := range l.reads {
		all = append(all, at)
	}
	slices.Sort(all)
	return all
}
