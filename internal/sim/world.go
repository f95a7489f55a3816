package sim

import (
	"fmt"
	"sync"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

// project is the one project of the world.
const project = "shop"

// dawn is the database's time when a history begins.
const dawn = int64(1_800_000_000_000_000_000)

// skew is how far the clocks of the database's nodes differ at most.
const skew = 300 * time.Millisecond

// world is the database. A commit of a user raises his level by one and every other one is also a purchase, so that a snapshot tells how
// many commits it contains.
//
// Its rules are those of a serialisable database: no commit gets a stamp at or below one that was read at or resolved before, and a load
// contains every commit made before its reading instant, those stamped above the AsOf that it reports included. Only a follower read, in
// worlds that have them, contains what is stamped at or below its AsOf and nothing else.
type world struct {
	rulesets *Rulesets
	born     time.Time

	mu       sync.Mutex
	jumped   []jump
	log      []events.Change // as the feed tells them: by when they became visible
	rows     map[profile.Key][]hlc.Timestamp
	read     hlc.Timestamp // greatest stamp read at
	resolved hlc.Timestamp // greatest stamp resolved
	horizon  hlc.Timestamp // changes at or before it are gone from the feed
	stuck    hlc.Timestamp // a part of the database resolves nothing beyond it; zero: none is stuck
	version  int           // of the ruleset, an index in rulesets
	drawn    map[drawn]*profile.Snapshot
	contains map[*profile.Snapshot]int
}

// drawn names a snapshot apart from its AsOf.
type drawn struct {
	key     profile.Key
	commits int
	schema  *profile.Schema
}

// jump is a leap of the database's clock.
type jump struct {
	at time.Duration // since the world was born
	by time.Duration
}

func newWorld(rulesets *Rulesets) *world {
	return &world{
		rulesets: rulesets, born: time.Now(), rows: make(map[profile.Key][]hlc.Timestamp),
		drawn: make(map[drawn]*profile.Snapshot), contains: make(map[*profile.Snapshot]int),
	}
}

func (w *world) elapsed() time.Duration { return time.Since(w.born) }

// now is the database's clock. The caller holds mu.
func (w *world) now() hlc.Timestamp {
	wall := dawn + int64(w.elapsed())
	for _, j := range w.jumped {
		wall += int64(j.by)
	}
	return hlc.Timestamp{Wall: wall}
}

// reached is how long ago the database's clock reached the stamp, in time that has really passed. The caller holds mu.
func (w *world) reached(stamp hlc.Timestamp) time.Duration {
	left := time.Duration(stamp.Wall - dawn)
	for _, j := range w.jumped {
		if left <= j.at {
			break
		}
		left = max(left-j.by, j.at) // a stamp that was leapt over was reached by the leap
	}
	return w.elapsed() - left
}

// commit writes a row, or the ruleset when user is "", at a node whose clock runs ahead.
func (w *world) commit(user string, ahead time.Duration) events.Change {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := hlc.Max(w.now().Add(ahead), hlc.Max(w.read, w.resolved).Next())
	key := profile.Key{Project: project, User: user}
	if n := len(w.rows[key]); n > 0 {
		at = hlc.Max(at, w.rows[key][n-1].Next())
	}
	w.rows[key] = append(w.rows[key], at)
	c := events.Change{Table: events.TableProfile, Project: project, Key: user, At: at}
	if user == "" {
		c.Table = events.TableRuleset
		w.version++
	}
	w.log = append(w.log, c)
	return c
}

// upTo counts the commits of the key at or before the stamp. The caller holds mu.
func (w *world) upTo(key profile.Key, at hlc.Timestamp) int {
	n := 0
	for _, c := range w.rows[key] {
		if c.After(at) {
			break // a row's stamps ascend
		}
		n++
	}
	return n
}

// snapshot gives out the user as he is after so many commits. The caller holds mu.
func (w *world) snapshot(key profile.Key, commits int, schema *profile.Schema, asOf hlc.Timestamp) *profile.Snapshot {
	name := drawn{key, commits, schema}
	proto, ok := w.drawn[name]
	if !ok {
		var b profile.Builder
		b.Reset(schema, key, asOf)
		if commits > 0 {
			b.Found()
			b.Attributes(fmt.Appendf(nil, `{"level":%d,"vip":%t,"badge":"b%d"}`, commits, commits%3 == 0, commits%4))
		}
		for i := range commits {
			if i%2 == 0 {
				b.Event("buy", w.rows[key][i].Wall, nil)
			}
		}
		proto = b.Build()
		w.drawn[name] = proto
	}
	given := *proto
	given.AsOf = asOf
	w.contains[&given] = commits
	return &given
}

// schema is the one in force. The caller holds mu.
func (w *world) schema() *profile.Schema { return w.rulesets.All[w.version].Schema }

// newest is the index of the ruleset in force.
func (w *world) newest() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.version
}

// with changes the world under its lock.
func (w *world) with(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}
