package auditor

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"eligibility/internal/cache"
	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"

	"golang.org/x/time/rate"
)

// Scales are how long after a change it is looked at. A lost change shows at the first, one that comes back late only before the later ones, an entry that is
// brought back by the cache only at them.
var Scales = [...]time.Duration{time.Second, 10 * time.Second, time.Minute}

// Cache is the replica's cache, as a decision asks it.
type Cache interface {
	Hit(key profile.Key, d *cache.Demand) (cache.Read, bool)
	RaiseOwn(changes []events.Change)
}

// Rulesets tells the schema of a project; *rules.Live does.
type Rulesets interface {
	Load(project string) *rules.Ruleset
}

// Config bounds the auditor's work.
type Config struct {
	Rate        float64       // audited changes a second; each is looked at once on every scale
	Waiting     int           // changes that wait for their time, on each scale
	Workers     int           // audits at one time; one of them mostly waits for the watermark
	Retention   time.Duration // of user events
	LoadTimeout time.Duration
	Patience    time.Duration // how long an audit waits for the watermark to pass its read of the store
	Logger      *slog.Logger  // default: discard
}

// Defaults audits two changes a second: a few store reads a second at most, whatever the traffic.
func Defaults(retention time.Duration) Config {
	return Config{
		Rate: 2, Waiting: 256, Workers: 4, Retention: retention, LoadTimeout: 2 * time.Second, Patience: 10 * time.Second,
		Logger: slog.New(slog.DiscardHandler),
	}
}

// Auditor is a Sink of the changes that it samples. Stats is safe for concurrent use.
type Auditor struct {
	cfg      Config
	cache    Cache
	store    profile.Source
	rulesets Rulesets
	limit    *rate.Limiter
	scales   [len(Scales)]chan sample
	due      chan audit
	counts   counters

	cancel context.CancelFunc
	group  sync.WaitGroup
}

var _ events.Sink = (*Auditor)(nil)

// sample is a changed user, heard of at heard.
type sample struct {
	key   profile.Key
	heard time.Time
}

// audit is a sample whose time on a scale has come.
type audit struct {
	key   profile.Key
	scale int
}

// New makes an auditor of the cache over the store that the cache itself reads.
func New(cfg Config, users Cache, store profile.Source, rulesets Rulesets) *Auditor {
	a := &Auditor{
		cfg: cfg, cache: users, store: store, rulesets: rulesets, limit: rate.NewLimiter(rate.Limit(cfg.Rate), 1),
		due: make(chan audit),
	}
	for i := range a.scales {
		a.scales[i] = make(chan sample, cfg.Waiting)
	}
	return a
}

// Start begins to audit, until ctx ends or Stop is called. Call it once.
func (a *Auditor) Start(ctx context.Context) error {
	ctx, a.cancel = context.WithCancel(ctx)
	for scale := range Scales {
		a.group.Go(func() { a.ripen(ctx, scale) })
	}
	for range a.cfg.Workers {
		a.group.Go(func() { a.work(ctx) })
	}
	return nil
}

// Stop ends what Start began and waits for it. Without Start it does nothing.
func (a *Auditor) Stop() {
	if a.cancel != nil {
		a.cancel()
		a.group.Wait()
	}
}

// Apply samples the changes of users. It never waits: what is above the rate, or finds no room to wait, is left out.
func (a *Auditor) Apply(changes []events.Change, _ hlc.Timestamp) {
	for i := range changes {
		if changes[i].Table != events.TableProfile || !a.limit.Allow() {
			continue
		}
		s := sample{key: profile.Key{Project: changes[i].Project, User: changes[i].Key}, heard: time.Now()}
		for scale := range a.scales {
			select {
			case a.scales[scale] <- s:
			default:
				a.counts.dropped.Add(1)
			}
		}
	}
}

// Gap does nothing: the floors are what a gap is for.
func (a *Auditor) Gap(hlc.Timestamp) {}

// ripen hands samples on when their time has come. On one scale they come in the order in which they were heard.
func (a *Auditor) ripen(ctx context.Context, scale int) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var s sample
		select {
		case <-ctx.Done():
			return
		case s = <-a.scales[scale]:
		}
		timer.Reset(time.Until(s.heard.Add(Scales[scale])))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		select {
		case <-ctx.Done():
			return
		case a.due <- audit{key: s.key, scale: scale}:
		}
	}
}

func (a *Auditor) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case due := <-a.due:
			a.audit(ctx, due)
		}
	}
}

// counters are read by Stats.
type counters struct {
	checked, inconsistent                [len(Scales)]atomic.Uint64
	absent, moved, unread, late, dropped atomic.Uint64
}

// Stats says what was audited since the start.
type Stats struct {
	Checked, Inconsistent [len(Scales)]uint64 // by scale
	// What came to no verdict: the user was not in memory, changed meanwhile, could not be read, or the watermark did not pass the read in time.
	Absent, Moved, Unread, Late uint64
	Dropped                     uint64 // samples for which there was no room to wait
}

// Stats reads the counters.
func (a *Auditor) Stats() Stats {
	s := Stats{
		Absent: a.counts.absent.Load(), Moved: a.counts.moved.Load(), Unread: a.counts.unread.Load(), Late: a.counts.late.Load(),
		Dropped: a.counts.dropped.Load(),
	}
	for i := range Scales {
		s.Checked[i], s.Inconsistent[i] = a.counts.checked[i].Load(), a.counts.inconsistent[i].Load()
	}
	return s
}
