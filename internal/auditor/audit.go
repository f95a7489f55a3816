package auditor

import (
	"context"
	"time"

	"eligibility/internal/cache"
	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

// audit compares what the cache answers with the store.
//
// The cache claims that its snapshot is true up to some instant that moves on with the watermark. The store is read first; once the cache claims to be true
// at the stamp of that read, with the snapshot that it had before, the two must be the same: both speak of one instant. There is no race to excuse a
// difference.
func (a *Auditor) audit(ctx context.Context, due audit) {
	held, ok := a.cache.Hit(due.key, &cache.Demand{})
	if !ok {
		a.counts.absent.Add(1)
		return
	}
	fresh, ok := a.load(ctx, due.key)
	if !ok {
		a.counts.unread.Add(1)
		return
	}
	switch a.claims(ctx, due.key, held.Snapshot, fresh.AsOf) {
	case movedOn:
		a.counts.moved.Add(1)
	case stillBehind:
		a.counts.late.Add(1)
	case claimed:
		a.judge(due, held.Snapshot, fresh)
	}
}

func (a *Auditor) load(ctx context.Context, key profile.Key) (*profile.Snapshot, bool) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.LoadTimeout)
	defer cancel()
	var fresh [1]*profile.Snapshot
	err := a.store.Load(ctx, []profile.Key{key}, fresh[:])
	return fresh[0], err == nil
}

// claim says how waiting for the cache's claim ended.
type claim uint8

const (
	claimed     claim = iota // the cache vouches for the snapshot at the stamp
	movedOn                  // the cache holds another snapshot, or none
	stillBehind              // the watermark did not come
)

// poll is how often the watermark is looked at; it moves every 100 ms at best.
const poll = 50 * time.Millisecond

// claims waits until the cache claims that held is true at the stamp.
func (a *Auditor) claims(ctx context.Context, key profile.Key, held *profile.Snapshot, at hlc.Timestamp) claim {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Patience)
	defer cancel()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		now, ok := a.cache.Hit(key, &cache.Demand{})
		switch {
		case !ok || now.Snapshot != held:
			return movedOn
		case !now.TrueAt.Before(at):
			return claimed
		}
		select {
		case <-ctx.Done():
			return stillBehind
		case <-tick.C:
		}
	}
}

// slack is left at the old end of the histories: a store drops expired events when it comes to it.
const slack = time.Minute

func (a *Auditor) judge(due audit, held, fresh *profile.Snapshot) {
	rs := a.rulesets.Load(due.key.Project)
	if rs == nil || held.SchemaVersion != fresh.SchemaVersion || rs.Schema.Version < fresh.SchemaVersion {
		a.counts.moved.Add(1) // a newer schema decodes the same row into more
		return
	}
	a.counts.checked[due.scale].Add(1)
	oldest := fresh.AsOf.Wall - int64(a.cfg.Retention) + int64(slack)
	where := profile.Difference(rs.Schema, held, fresh, oldest)
	if where == "" {
		return
	}
	a.counts.inconsistent[due.scale].Add(1)
	a.cfg.Logger.Error("the cache differs from the store", "project", due.key.Project, "where", where, "scale", Scales[due.scale],
		"cached_as_of", held.AsOf, "store_as_of", fresh.AsOf)
	a.cache.RaiseOwn([]events.Change{{Table: events.TableProfile, Project: due.key.Project, Key: due.key.User, At: fresh.AsOf}})
}
