package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"eligibility/internal/cache"
	"eligibility/internal/engine"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// Tally counts what happened in histories, to show that they are not tame.
type Tally struct {
	Steps, Reads, Hits, Degraded, Errors, Gaps, Epochs, Stored, Loads, Rereads, Uncached, Coalesced, Expired uint64
}

// Add adds another tally.
func (t *Tally) Add(o Tally) {
	t.Steps += o.Steps
	t.Reads += o.Reads
	t.Hits += o.Hits
	t.Degraded += o.Degraded
	t.Errors += o.Errors
	t.Gaps += o.Gaps
	t.Epochs += o.Epochs
	t.Stored += o.Stored
	t.Loads += o.Loads
	t.Rereads += o.Rereads
	t.Uncached += o.Uncached
	t.Coalesced += o.Coalesced
	t.Expired += o.Expired
}

// answer is what a reader was given, for what only later times can refute.
type answer struct {
	from     *replica
	key      profile.Key
	read     cache.Read
	contains int
}

func (a *answer) String() string {
	return fmt.Sprintf("%s answers %s with %d commits, read at %s, true at %s, hit %v, degraded %v", a.from.name, a.key.User, a.contains,
		short(a.read.Snapshot.AsOf), short(a.read.TrueAt), a.read.Hit, a.read.Degraded)
}

// asked is a question under way.
type asked struct {
	r      *replica
	key    profile.Key
	demand cache.Demand
	rs     *rules.Ruleset
	need   int           // commits that the replica had been told of when the reader came
	blind  time.Duration // how far its notion of the database's clock lagged then
	since  time.Duration // when he came, by the world's time
	bulk   bool
}

func (h *history) question(r *replica, key profile.Key, d cache.Demand) asked {
	q := asked{r: r, key: key, demand: d, rs: r.live.Load(project)}
	q.demand.ReadsSchema = q.rs.ReadsSchema
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	q.need, q.since, q.blind = r.told[key], h.w.elapsed(), h.w.now().Sub(r.clock.Now())
	return q
}

// read asks for a user, sometimes in a session that carries a token from replica to replica.
func (h *history) read() bool {
	q := h.question(h.replicas[h.rng.IntN(len(h.replicas))], h.users[h.rng.IntN(len(h.users))], h.demand())
	var s *session
	if h.rng.IntN(3) == 0 {
		s = &h.sessions[h.rng.IntN(len(h.sessions))]
		if s.busy {
			return false
		}
		s.busy, q.demand.MinAsOf = true, s.token
	}
	h.readers.Go(func() {
		read, ok := q.r.cache.Hit(q.key, &q.demand)
		var err error
		if !ok {
			read, err = q.r.cache.Get(context.Background(), q.key, &q.demand)
		}
		h.check(&q, &read, err)
		if s == nil {
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		s.busy = false
		if err == nil && read.TrueAt.After(s.token) {
			s.token = read.TrueAt
		}
	})
	h.notef("%s is asked for %s (min %s, stale %v, store %v)", q.r.name, q.key.User, short(q.demand.MinAsOf), q.demand.MaxStale, !q.demand.NoStore)
	return true
}

// readMany asks for all users at once.
func (h *history) readMany() bool {
	r, d := h.replicas[h.rng.IntN(len(h.replicas))], h.demand()
	all := make([]asked, len(h.users))
	for i, key := range h.users {
		all[i] = h.question(r, key, d)
		all[i].bulk = true
	}
	h.readers.Go(func() {
		dst := make([]cache.Read, len(h.users))
		err := r.cache.GetMany(context.Background(), h.users, &all[0].demand, dst)
		for i := range all {
			h.check(&all[i], &dst[i], err)
			if err != nil {
				return
			}
		}
	})
	h.notef("%s is asked for all", r.name)
	return true
}

// check holds an answer against what the world knows.
func (h *history) check(q *asked, read *cache.Read, err error) {
	h.count(read, err)
	if err != nil {
		h.refused(q, err)
		return
	}
	h.w.mu.Lock()
	contains, given := h.w.contains[read.Snapshot]
	now, age, life := h.w.elapsed(), h.w.reached(read.TrueAt), h.w.reached(read.Snapshot.AsOf)
	blind := max(0, q.blind, h.w.now().Sub(q.r.clock.Now()))
	for _, j := range h.w.jumped {
		if j.at >= q.since {
			blind += j.by // it may have been blind for a moment since
		}
	}
	h.w.mu.Unlock()
	what := &answer{q.r, q.key, *read, contains}
	h.notef("%s", what)
	slack := skew + blind
	if q.bulk {
		slack += now - q.since // the first batch ages while the last is read
	}
	switch d := &q.demand; {
	case !given:
		h.fault("%s: nobody ever gave it that", what)
	case read.Snapshot.Key != q.key:
		h.fault("%s: that is %s", what, read.Snapshot.Key.User)
	case read.Snapshot.SchemaVersion < d.ReadsSchema:
		h.fault("%s: schema %d, the ruleset reads %d", what, read.Snapshot.SchemaVersion, d.ReadsSchema)
	case read.TrueAt.Before(d.MinAsOf):
		h.fault("%s: %s was demanded", what, short(d.MinAsOf))
	case life > maxAge+maxAge/5+slack:
		h.fault("%s: no entry may live %v", what, life)
	case read.Degraded && (d.MaxStale == 0 || !d.MinAsOf.IsZero() || q.bulk):
		h.fault("%s: nobody allowed that", what)
	case read.Degraded && age > d.MaxStale+slack:
		h.fault("%s: %v old, allowed %v", what, age, d.MaxStale)
	case !read.Degraded && age > bound+slack:
		h.fault("%s: %v old, the bound is %v", what, age, bound)
	case !read.Degraded && contains < q.need && (read.Hit || !h.plan.followerReads):
		h.fault("%s: it had been told of %d when the reader came", what, q.need)
	}
	h.mu.Lock()
	h.saw = append(h.saw, *what)
	h.mu.Unlock()
	h.decide(q, read, contains, what)
}

// refused judges an error. While the world is against it a cache may always fail for want of the store.
func (h *history) refused(q *asked, err error) {
	h.notef("%s does not answer %s: %v", q.r.name, q.key.User, err)
	switch demanded := !q.demand.MinAsOf.IsZero(); {
	case errors.Is(err, profile.ErrUnavailable), errors.Is(err, cache.ErrOverloaded) && !q.bulk:
	case errors.Is(err, cache.ErrAsOfNotReached) && demanded, errors.Is(err, cache.ErrAsOfInFuture) && demanded:
	default:
		h.fault("%s refuses %+v: %v", q.r.name, q.demand, err)
	}
}

// decide holds the answer from the read, for which an earlier one may be used again, against the answer from the same user unread.
func (h *history) decide(q *asked, read *cache.Read, contains int, what *answer) {
	now := max(q.r.clock.Now().Wall, read.Snapshot.AsOf.Wall)
	decide := h.options.Decide
	if decide == nil {
		decide = fresh
	}
	got := decide(q.rs, read, now)
	h.w.mu.Lock()
	unread := cache.Read{Snapshot: h.w.snapshot(q.key, contains, h.w.schema(), read.Snapshot.AsOf)}
	h.w.mu.Unlock()
	if want := decide(q.rs, &unread, now); got != want {
		h.fault("%s: version %d decides %s at %s, want %s", what, q.rs.Version, got, short(hlc.Timestamp{Wall: now}), want)
	}
}

// fresh decides without any memory: every placement with the messages shown, as text.
func fresh(rs *rules.Ruleset, read *cache.Read, now int64) string {
	var d engine.Decision
	engine.Decide(rs, read.Snapshot, &engine.Request{Now: now, Channel: "embedded"}, &d)
	text := make([]byte, 0, 512)
	for i := range d.Placements {
		for j := range d.Placements[i].Messages {
			text = append(append(text, d.Placements[i].Messages[j].Fragment...), ',')
		}
		text = append(text, ';')
	}
	return string(text)
}

// stored checks what a cache wants to keep: what it has been told is old must not get that far.
func (h *history) stored(r *replica, snap *profile.Snapshot) {
	h.w.mu.Lock()
	contains, told := h.w.contains[snap], r.told[snap.Key]
	h.w.mu.Unlock()
	if contains < told {
		h.fault("%s keeps %s with %d commits, it has been told of %d", r.name, snap.Key.User, contains, told)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tally.Stored++
}

func (h *history) count(read *cache.Read, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tally.Reads++
	switch {
	case err != nil:
		h.tally.Errors++
	case read.Degraded:
		h.tally.Degraded++
	case read.Hit:
		h.tally.Hits++
	}
}

// nowIs is the database's clock.
func (w *world) nowIs() hlc.Timestamp {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now()
}
