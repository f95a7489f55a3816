package natsbus

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
)

// database is a feed, a lease and a clock in memory: enough of a store to run the whole way from commit to floor.
type database struct {
	mu      sync.Mutex
	last    hlc.Timestamp
	log     []events.Change
	changed chan struct{} // closed and replaced by every commit
	holder  string
	epoch   uint64
	cursor  hlc.Timestamp
	every   time.Duration // between resolved stamps
}

func newDatabase() *database {
	return &database{changed: make(chan struct{}), every: 10 * time.Millisecond}
}

// now is a stamp above every one given before. The caller holds mu.
func (d *database) now() hlc.Timestamp {
	d.last = hlc.Max(d.last.Add(1), hlc.FromTime(time.Now()))
	return d.last
}

func (d *database) clock() hlc.Timestamp {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now()
}

func (d *database) commit(user string) hlc.Timestamp {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := events.Change{Table: events.TableProfile, Project: "acme", Key: user, At: d.now()}
	d.log = append(d.log, c)
	close(d.changed)
	d.changed = make(chan struct{})
	return c.At
}

func (d *database) Follow(ctx context.Context, after hlc.Timestamp, yield func(events.FeedBatch) error) error {
	tick := time.NewTicker(d.every)
	defer tick.Stop()
	next, resolve := 0, false
	for {
		d.mu.Lock()
		batch := events.FeedBatch{Changes: slices.Clone(d.log[next:])}
		next = len(d.log)
		if resolve {
			batch.Resolved = d.now()
		}
		changed := d.changed
		d.mu.Unlock()
		batch.Changes = slices.DeleteFunc(batch.Changes, func(c events.Change) bool { return !c.At.After(after) })
		if len(batch.Changes) > 0 || resolve {
			if err := yield(batch); err != nil {
				return err
			}
		}
		select {
		case <-changed:
			resolve = false
		case <-tick.C:
			resolve = true
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (d *database) Acquire(_ context.Context, holder string) (epoch uint64, cursor hlc.Timestamp, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.holder != "" && d.holder != holder {
		return 0, hlc.Timestamp{}, events.ErrLeaseHeld
	}
	d.holder = holder
	d.epoch++
	return d.epoch, d.cursor, nil
}

func (d *database) Renew(_ context.Context, _ string, epoch uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if epoch != d.epoch {
		return events.ErrLeaseLost
	}
	return nil
}

func (d *database) SaveCursor(_ context.Context, epoch uint64, cursor hlc.Timestamp) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if epoch != d.epoch {
		return events.ErrLeaseLost
	}
	d.cursor = hlc.Max(d.cursor, cursor)
	return nil
}

func (d *database) Release(_ context.Context, epoch uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if epoch == d.epoch {
		d.holder = ""
	}
	return nil
}

func (d *database) Now(context.Context) (hlc.Timestamp, error) { return d.clock(), nil }

// steal takes the lease away from whoever has it, as its expiry would.
func (d *database) steal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.holder = ""
	d.epoch++
}

// judge is a sink that knows every commit, and sees when the watermark passes one whose floor was not raised.
type judge struct {
	db *database

	mu        sync.Mutex
	floors    map[string]hlc.Timestamp
	global    hlc.Timestamp
	watermark hlc.Timestamp
	checked   int // commits that were passed
	breach    string
	gaps      int
	changed   chan struct{}
}

func newJudge(db *database) *judge {
	return &judge{db: db, floors: map[string]hlc.Timestamp{}, changed: make(chan struct{}, 1)}
}

func (j *judge) Apply(changes []events.Change, watermark hlc.Timestamp) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range changes {
		j.floors[c.Key] = hlc.Max(j.floors[c.Key], c.At)
	}
	if !watermark.IsZero() {
		j.watermark = watermark
		j.pass()
	}
	select {
	case j.changed <- struct{}{}:
	default:
	}
}

func (j *judge) pass() {
	j.db.mu.Lock()
	defer j.db.mu.Unlock()
	for ; j.checked < len(j.db.log) && !j.db.log[j.checked].At.After(j.watermark); j.checked++ {
		c := j.db.log[j.checked]
		if floor := hlc.Max(j.global, j.floors[c.Key]); floor.Before(c.At) && j.breach == "" {
			j.breach = fmt.Sprintf("the watermark %v has passed the commit of %s at %v, whose floor is %v", j.watermark, c.Key, c.At, floor)
		}
	}
}

func (j *judge) Gap(at hlc.Timestamp) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.gaps++
	j.global = hlc.Max(j.global, at)
}

// reach waits until the watermark has come to a stamp.
func (j *judge) reach(t testing.TB, at hlc.Timestamp) {
	t.Helper()
	deadline := time.After(patience)
	for {
		j.mu.Lock()
		watermark, breach := j.watermark, j.breach
		j.mu.Unlock()
		if breach != "" {
			t.Fatal(breach)
		}
		if !watermark.Before(at) {
			return
		}
		select {
		case <-j.changed:
		case <-deadline:
			t.Fatalf("the watermark is %v and does not reach %v", watermark, at)
		}
	}
}

func relay(t testing.TB, db *database, b *Bus, holder string) *events.Relay {
	t.Helper()
	cfg := events.DefaultRelayConfig(holder)
	cfg.TryEvery, cfg.RenewEvery, cfg.SaveEvery = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
	cfg.Logger = quiet()
	r, err := events.NewRelay(db, db, b, cfg)
	if err == nil {
		err = r.Start(context.Background())
	}
	if err != nil {
		t.Fatalf("start relay: %v", err)
	}
	t.Cleanup(r.Stop)
	return r
}

func follower(t testing.TB, db *database, b *Bus, sink events.Sink) *events.Follower {
	t.Helper()
	cfg := events.DefaultFollowerConfig(db.clock)
	cfg.Logger = quiet()
	f, err := events.NewFollower(b, sink, cfg)
	if err == nil {
		err = f.Start(context.Background())
	}
	if err != nil {
		t.Fatalf("start follower: %v", err)
	}
	t.Cleanup(f.Stop)
	return f
}

func TestFromCommitToFloorInOneProcess(t *testing.T) {
	db, b := newDatabase(), embedded(t, nil)
	j := newJudge(db)
	f := follower(t, db, b, j)
	relay(t, db, b, "a")
	j.reach(t, db.clock())
	before := f.Stats()
	for i := range 5000 {
		db.commit(fmt.Sprintf("u%d", i%100))
	}
	j.reach(t, db.clock())
	got := f.Stats()
	j.mu.Lock()
	defer j.mu.Unlock()
	if got.Gaps != before.Gaps || got.Changes < 5000 || j.checked != 5000 {
		t.Errorf("stats %+v, %d commits checked; want 5000 changes and no further gap", got, j.checked)
	}
}

// Everything that can go wrong goes wrong in turn, while commits go on. No watermark may pass a commit that a replica has not taken in,
// and when all is well again every replica must catch up.
func TestNoCommitIsPassedWhateverBreaks(t *testing.T) {
	dir := t.TempDir()
	s := broker(t, dir, -1)
	port := portOf(s)
	w := newWire(t, s.Addr().String())
	db := newDatabase()
	near, far := connected(t, s.ClientURL(), nil), connected(t, w.url(), func(c *Config) { c.Buffer = 64 })
	judges := []*judge{newJudge(db), newJudge(db)}
	followers := []*events.Follower{follower(t, db, near, judges[0]), follower(t, db, far, judges[1])}
	first := relay(t, db, near, "a")
	relay(t, db, far, "b")

	ctx, cancel := context.WithCancel(context.Background())
	var writers sync.WaitGroup
	writers.Go(func() {
		for ctx.Err() == nil {
			for range rand.N(50) {
				db.commit(fmt.Sprintf("u%d", rand.N(200)))
			}
			select {
			case <-time.After(time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
	defer writers.Wait()
	defer cancel()

	catchUp := func(what string) {
		t.Helper()
		at := db.clock()
		for i, j := range judges {
			j.reach(t, at)
			t.Logf("replica %d after %s: %+v", i, what, followers[i].Stats())
		}
	}
	catchUp("the start")
	w.set(true)
	db.commit("while one replica is cut off")
	w.set(false)
	catchUp("a cut wire")
	db.steal()
	catchUp("a lost lease")
	if err := near.js.DeleteStream(ctx, StreamName); err != nil {
		t.Fatal(err)
	}
	catchUp("a deleted stream")
	for _, partition := range []string{"0", "1", "2", "3"} {
		if _, err := near.js.Publish(ctx, changesPrefix+partition, []byte("garbage")); err != nil {
			t.Fatal(err)
		}
	}
	catchUp("garbage")
	first.Stop()
	catchUp("a relay that stopped")
	halt(s)
	db.commit("while the server is down")
	broker(t, dir, port)
	catchUp("a restarted server")
}
