package cache

import (
	"context"
	"sync"
	"testing"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

// world is a database of rows that are only ever counted up, with a clock of its own. It knows what every snapshot that it gave out
// contains, so that a test can say whether an answer was true.
//
// Its rules are those of a serialisable database: no commit gets a stamp at or below a stamp that was read at or was resolved before, and
// a load sees every commit made before its reading instant, even those stamped above the AsOf that it reports.
type world struct {
	start time.Time

	mu       sync.Mutex
	behind   time.Duration // by how much the node that serves reads has a slower clock
	schema   uint64
	fail     error // what Load and Now answer instead
	manual   bool  // loads wait for the test
	running  []*running
	loads    [][]profile.Key
	ended    int // loads that came back
	failures int
	contains map[*profile.Snapshot]int
	rows     map[profile.Key]*row
	read     hlc.Timestamp // greatest stamp read at
	resolved hlc.Timestamp
}

type row struct {
	commits   []hlc.Timestamp
	delivered int // this many commits, the last of them included, were told to the cache
}

// running is a load under way when the world is manual. It reads when read is closed and comes back when finish yields.
type running struct {
	keys   []profile.Key
	read   chan struct{}
	isRead bool
	finish chan error
}

// epoch is the world's time at its beginning.
const epoch = int64(1_800_000_000_000_000_000)

func newWorld() *world {
	return &world{
		start: time.Now(), schema: 1,
		contains: make(map[*profile.Snapshot]int), rows: make(map[profile.Key]*row),
	}
}

// now is the database's clock.
func (w *world) now() hlc.Timestamp { return hlc.Timestamp{Wall: epoch + int64(time.Since(w.start))} }

func (w *world) row(key profile.Key) *row {
	r, ok := w.rows[key]
	if !ok {
		r = &row{}
		w.rows[key] = r
	}
	return r
}

// commit writes the row, stamped by a node whose clock runs ahead.
func (w *world) commit(key profile.Key, ahead time.Duration) events.Change {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.row(key)
	at := hlc.Max(w.now().Add(ahead), hlc.Max(w.read, w.resolved).Next())
	if n := len(r.commits); n > 0 {
		at = hlc.Max(at, r.commits[n-1].Next())
	}
	r.commits = append(r.commits, at)
	return events.Change{Table: events.TableProfile, Project: key.Project, Key: key.User, At: at}
}

// told notes that the cache now knows of the change.
func (w *world) told(c events.Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.row(profile.Key{Project: c.Project, User: c.Key})
	for i, at := range r.commits {
		if at == c.At {
			r.delivered = max(r.delivered, i+1)
		}
	}
}

// upTo counts the commits of the key at or before the stamp.
func (w *world) upTo(key profile.Key, at hlc.Timestamp) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, c := range w.row(key).commits {
		if !c.After(at) {
			n++
		}
	}
	return n
}

func (w *world) delivered(key profile.Key) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.row(key).delivered
}

func (w *world) contained(s *profile.Snapshot) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.contains[s]
}

func (w *world) runningCount() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.running)
}

func (w *world) newestSchema() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.schema
}

func (w *world) loadCount() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.loads)
}

// set changes the world under its lock.
func (w *world) set(f func(*world)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(w)
}

// Load implements profile.Source.
func (w *world) Load(ctx context.Context, keys []profile.Key, dst []*profile.Snapshot) error {
	keys = append([]profile.Key(nil), keys...)
	w.mu.Lock()
	w.loads = append(w.loads, keys)
	if !w.manual {
		defer w.mu.Unlock()
		return w.answer(keys, dst, w.fail)
	}
	r := &running{keys: keys, read: make(chan struct{}), finish: make(chan error)}
	w.running = append(w.running, r)
	w.mu.Unlock()

	got := make([]*profile.Snapshot, len(keys))
	var err error
	for read := r.read; ; {
		select {
		case <-read:
			read = nil
			w.mu.Lock()
			err = w.answer(keys, got, w.fail)
			w.mu.Unlock()
		case failure := <-r.finish:
			copy(dst, got)
			if failure != nil {
				err = failure
				w.set(func(w *world) { w.failures++ })
			}
			return err
		case <-ctx.Done():
			w.set(func(w *world) { w.failures++ })
			return ctx.Err()
		}
	}
}

// answer reads all keys at one instant.
func (w *world) answer(keys []profile.Key, dst []*profile.Snapshot, err error) error {
	if err != nil {
		w.failures++
		return err
	}
	asOf := hlc.Timestamp{Wall: w.now().Wall - int64(w.behind)}
	w.read = hlc.Max(w.read, asOf)
	for i, key := range keys {
		n := len(w.row(key).commits)
		dst[i] = &profile.Snapshot{Key: key, AsOf: asOf, SchemaVersion: w.schema, Found: n > 0}
		w.contains[dst[i]] = n
	}
	w.ended++
	return nil
}

// Now implements profile.Source.
func (w *world) Now(context.Context) (hlc.Timestamp, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail != nil {
		w.failures++
		return hlc.Timestamp{}, w.fail
	}
	return w.now(), nil
}

// letRead makes the running load i read; finish makes it come back, having read.
func (w *world) letRead(i int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i >= len(w.running) {
		panic("the test expects a load that is not running")
	}
	if r := w.running[i]; !r.isRead {
		r.isRead = true
		close(r.read)
	}
}

func (w *world) takeRunning(i int) *running {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.running[i]
	w.running = append(w.running[:i:i], w.running[i+1:]...)
	return r
}

// small is a configuration for tests.
func small() Config {
	cfg := Defaults()
	cfg.CacheBytes = 1 << 20
	cfg.FloorSlots = 1 << 12
	cfg.MaxLoads = 4
	cfg.Bound = time.Second
	cfg.GapSpread = 0 // tests of it say so; the others count on when loads begin
	return cfg
}

// started makes and starts a cache over w that is stopped when the test ends. Entries are in a plain map, so that what was filled is there.
func started(t *testing.T, cfg Config, w profile.Source) *Cache {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	c := newCache(cfg, w, &hlc.Estimate{}, newFaithful())
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	return c
}

// faithful are hints that lose nothing.
type faithful struct {
	mu sync.Mutex
	m  map[uint64]*entry
}

func newFaithful() *faithful { return &faithful{m: make(map[uint64]*entry)} }

func (f *faithful) get(hash uint64) (*entry, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, ok := f.m[hash]
	return e, ok
}

func (f *faithful) put(hash uint64, e *entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.m[hash] = e
}

func (f *faithful) size() (entries, bytes int64, evictions uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.m {
		bytes += e.cost
	}
	return int64(len(f.m)), bytes, 0
}

func (f *faithful) settle() {}

func (f *faithful) close() {}

func user(id string) profile.Key { return profile.Key{Project: "shop", User: id} }
