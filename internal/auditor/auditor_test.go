package auditor

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"eligibility/internal/cache"
	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// database is a table of one number for each user, behind the real cache.
type database struct {
	schema *profile.Schema
	mu     sync.Mutex
	rows   map[profile.Key]int
	last   hlc.Timestamp
	fail   error
}

func (d *database) tick() hlc.Timestamp {
	d.last = hlc.Max(d.last.Next(), hlc.Timestamp{Wall: time.Now().UnixNano()})
	return d.last
}

func (d *database) Now(context.Context) (hlc.Timestamp, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tick(), nil
}

func (d *database) Load(_ context.Context, keys []profile.Key, dst []*profile.Snapshot) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail != nil {
		return d.fail
	}
	at := d.tick()
	for i, key := range keys {
		var b profile.Builder
		b.Reset(d.schema, key, at)
		b.Found()
		b.Attributes(fmt.Appendf(nil, `{"n":%d}`, d.rows[key]))
		dst[i] = b.Build()
	}
	return nil
}

// commit counts the user's number up.
func (d *database) commit(key profile.Key) events.Change {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rows[key]++
	return events.Change{Table: events.TableProfile, Project: key.Project, Key: key.User, At: d.tick()}
}

type rulesets struct{ schema *profile.Schema }

func (r rulesets) Load(string) *rules.Ruleset { return &rules.Ruleset{Schema: r.schema} }

// world is a replica of which the test is the feed.
type world struct {
	t     *testing.T
	db    *database
	cache *cache.Cache
	audit *Auditor
}

var ada = profile.Key{Project: "shop", User: "ada"}

// run starts a replica in a bubble of its own and has its watermark advance ten times a second, unless frozen says so.
func run(t *testing.T, cfg Config, test func(w *world, freeze func())) {
	synctest.Test(t, func(t *testing.T) {
		schema, err := profile.NewSchema().WithAttribute("n", profile.Type{Kind: profile.Int}, false)
		if err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, db: &database{schema: schema, rows: make(map[profile.Key]int)}}
		clock := &hlc.Estimate{}
		if w.cache, err = cache.New(cache.Defaults(), w.db, clock); err != nil {
			t.Fatal(err)
		}
		if err := w.cache.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer w.cache.Stop()
		w.audit = New(cfg, w.cache, w.db, rulesets{schema})
		if err := w.audit.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer w.audit.Stop()
		feed, freeze := context.WithCancel(t.Context())
		var group sync.WaitGroup
		defer func() { freeze(); group.Wait() }()
		group.Go(func() {
			for feed.Err() == nil {
				time.Sleep(100 * time.Millisecond) // the bubble's time
				now, _ := w.db.Now(feed)
				w.cache.Apply(nil, now)
			}
		})
		synctest.Wait()
		test(w, freeze)
	})
}

// tell is the feed: the cache hears first.
func (w *world) tell(c events.Change) {
	w.cache.Apply([]events.Change{c}, hlc.Timestamp{})
	w.audit.Apply([]events.Change{c}, hlc.Timestamp{})
}

// read asks for ada until she is in memory: the cache may drop what it is offered.
func (w *world) read() int64 {
	w.t.Helper()
	for range 100 {
		r, err := w.cache.Get(w.t.Context(), ada, &cache.Demand{})
		if err != nil {
			w.t.Fatal(err)
		}
		synctest.Wait()
		if _, hit := w.cache.Hit(ada, &cache.Demand{}); hit {
			n, _ := w.db.schema.Attribute("n")
			return r.Snapshot.Int(n.Slot)
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Fatal("ada is never kept")
	return 0
}

func TestACacheThatIsRightIsFoundConsistentOnEveryScale(t *testing.T) {
	run(t, Defaults(time.Hour), func(w *world, _ func()) {
		w.read()
		w.tell(w.db.commit(ada))
		w.read()
		time.Sleep(70 * time.Second)
		s := w.audit.Stats()
		if s.Checked != [3]uint64{1, 1, 1} || s.Inconsistent != [3]uint64{} {
			t.Errorf("%+v, want one check on each scale and no difference", s)
		}
	})
}

func TestALostChangeIsFoundAndHealed(t *testing.T) {
	run(t, Defaults(time.Hour), func(w *world, _ func()) {
		w.tell(w.db.commit(ada))
		w.read()
		w.db.commit(ada) // nobody tells
		time.Sleep(3 * time.Second)
		s := w.audit.Stats()
		if s.Checked[0] != 1 || s.Inconsistent[0] != 1 {
			t.Fatalf("%+v, want the difference found on the first scale", s)
		}
		if n := w.read(); n != 2 {
			t.Errorf("after the audit ada's number is read as %d, want 2", n)
		}
		time.Sleep(70 * time.Second)
		if s := w.audit.Stats(); s.Inconsistent != [3]uint64{1, 0, 0} || s.Checked[2] != 1 {
			t.Errorf("%+v, want no difference after it was healed", s)
		}
	})
}

func TestWhatComesToNoVerdictIsNotCounted(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(w *world, freeze func())
		want func(Stats) uint64
	}{
		{"not in memory", func(w *world, _ func()) { w.tell(w.db.commit(ada)) }, func(s Stats) uint64 { return s.Absent }},
		{"the store cannot be read", func(w *world, _ func()) {
			w.tell(w.db.commit(ada))
			w.read()
			w.db.mu.Lock()
			w.db.fail = profile.ErrUnavailable
			w.db.mu.Unlock()
		}, func(s Stats) uint64 { return s.Unread }},
		{"the watermark stands still", func(w *world, freeze func()) {
			w.tell(w.db.commit(ada))
			freeze()
			time.Sleep(200 * time.Millisecond)
			w.read()
		}, func(s Stats) uint64 { return s.Moved + s.Late }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run(t, Defaults(time.Hour), func(w *world, freeze func()) {
				tt.do(w, freeze)
				time.Sleep(9 * time.Second)
				s := w.audit.Stats()
				if tt.want(s) != 1 || s.Checked != [3]uint64{} {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

func TestSamplesKeepToTheRateAndToTheRoom(t *testing.T) {
	cfg := Defaults(time.Hour)
	cfg.Rate, cfg.Waiting = 1000, 8
	run(t, cfg, func(w *world, _ func()) {
		burst := make([]events.Change, 5000)
		for i := range burst {
			burst[i] = w.db.commit(profile.Key{Project: "shop", User: fmt.Sprint(i)})
		}
		w.audit.Apply(burst, hlc.Timestamp{})
		if s := w.audit.Stats(); s.Dropped != 0 {
			t.Errorf("%d dropped, want one sample of a burst at one instant", s.Dropped)
		}
		for i := range 100 {
			time.Sleep(time.Millisecond)
			w.audit.Apply(burst[i:i+1], hlc.Timestamp{})
		}
		synctest.Wait()
		if s := w.audit.Stats(); s.Dropped == 0 || s.Dropped > 300 {
			t.Errorf("%d dropped of 303, want those beyond the room", s.Dropped)
		}
	})
}
