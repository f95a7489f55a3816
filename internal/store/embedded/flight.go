package embedded

import "sync"

// flight keeps the commits that were applied but are not yet durable, in the order of their stamps, and wakes the followers of the feed.
// Safe for concurrent use.
type flight struct {
	mu      sync.Mutex
	pending []pendingCommit // ascending; bounded by the calls that wait in commit
	durable int64           // every commit up to this stamp is durable
	wakes   map[chan struct{}]struct{}
}

type pendingCommit struct {
	at   int64
	done bool
}

func newFlight() *flight { return &flight{wakes: make(map[chan struct{}]struct{})} }

// start says that everything found in the store at its opening, all of it below at, is durable.
func (f *flight) start(at int64) { f.durable = at }

// depart notes a commit about to be applied. Stamps come in ascending order.
func (f *flight) depart(at int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pending = append(f.pending, pendingCommit{at: at})
}

// land notes the end of the commit's fsync. A commit whose fsync failed is kept for ever: nothing at or above it is announced any more.
func (f *flight) land(at int64, durable bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !durable {
		return
	}
	for i := range f.pending {
		if f.pending[i].at == at {
			f.pending[i].done = true
			break
		}
	}
	n := 0
	for n < len(f.pending) && f.pending[n].done {
		f.durable = f.pending[n].at
		n++
	}
	if n > 0 {
		f.pending = f.pending[:copy(f.pending, f.pending[n:])]
		f.wakeLocked()
	}
}

// announced is the greatest stamp up to which all commits are durable.
func (f *flight) announced() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.durable
}

// first is the stamp of the oldest commit that is not yet durable.
func (f *flight) first() (int64, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.pending) == 0 {
		return 0, false
	}
	return f.pending[0].at, true
}

// subscribe returns a channel that gets a token after commits became durable; tokens coalesce.
func (f *flight) subscribe() chan struct{} {
	wake := make(chan struct{}, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wakes[wake] = struct{}{}
	return wake
}

func (f *flight) unsubscribe(wake chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.wakes, wake)
}

func (f *flight) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wakeLocked()
}

func (f *flight) wakeLocked() {
	for wake := range f.wakes {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

func (f *flight) len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.pending)
}
