package cache

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

// counting is a database whose every nanosecond is one commit: commit n goes to the user that userOf says. What a snapshot contains can be
// computed from its AsOf, so that readers can check answers as fast as they get them.
type counting struct{ latest atomic.Int64 }

const countedUsers = 64

func userOf(n int64) profile.Key { return counted[n%countedUsers] }

var counted = users(countedUsers)

// last is the greatest commit of user i at or before n.
func last(i int, n int64) int64 { return n - (n-int64(i)+countedUsers)%countedUsers }

func (s *counting) stamp(n int64) hlc.Timestamp { return hlc.Timestamp{Wall: epoch + n} }

func (s *counting) Load(_ context.Context, keys []profile.Key, dst []*profile.Snapshot) error {
	asOf := s.stamp(s.latest.Load())
	for i, key := range keys {
		dst[i] = &profile.Snapshot{Key: key, AsOf: asOf}
	}
	return nil
}

func (s *counting) Now(context.Context) (hlc.Timestamp, error) { return s.stamp(s.latest.Load()), nil }

// Readers race a feed that never rests, and gaps. Whatever is read must contain every commit at or before the stamp that it claims, and
// every commit at or before the watermark of the moment when the reader came.
func TestReadersRaceTheFeed(t *testing.T) {
	cfg := small()
	cfg.Bound, cfg.MaxAge = time.Hour, time.Hour
	cfg.FloorSlots = 1 << 16
	src := &counting{}
	c, err := New(cfg, src, &hlc.Estimate{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	var group sync.WaitGroup
	group.Go(func() {
		var batch []events.Change
		for ctx.Err() == nil {
			n := src.latest.Add(1)
			key := userOf(n)
			batch = append(batch, events.Change{Table: events.TableProfile, Project: key.Project, Key: key.User, At: src.stamp(n)})
			if n%3 != 0 {
				continue
			}
			if n%3000 == 0 {
				c.Gap(src.stamp(n)) // in place of the changes
				batch = batch[:0]
			}
			c.Apply(batch, src.stamp(n))
			batch = batch[:0]
		}
	})
	var hits, reads atomic.Int64
	for side := range 3 {
		group.Go(func() {
			d := &Demand{}
			for i := side; ctx.Err() == nil; i = (i + 7) % countedUsers {
				came := c.watermark.Load() - epoch
				r, ok := c.Hit(counted[i], d)
				if !ok {
					var err error
					if r, err = c.Get(ctx, counted[i], d); err != nil {
						if !errors.Is(err, context.DeadlineExceeded) {
							t.Error(err)
						}
						return
					}
				} else {
					hits.Add(1)
				}
				reads.Add(1)
				got, claims := r.Snapshot.AsOf.Wall-epoch, r.TrueAt.Wall-epoch
				if got < last(i, claims) {
					t.Errorf("user %d read at %d claims %d and lacks commit %d", i, got, claims, last(i, claims))
					return
				}
				if came > countedUsers && got < last(i, came) {
					t.Errorf("user %d read at %d lacks commit %d, the watermark was %d", i, got, last(i, came), came)
					return
				}
			}
		})
	}
	group.Wait()
	if hits.Load() == 0 || hits.Load() == reads.Load() {
		t.Errorf("%d hits of %d reads, want some and not all", hits.Load(), reads.Load())
	}
	t.Logf("%d changes, %d reads, %d hits, stats %+v", src.latest.Load(), reads.Load(), hits.Load(), c.Stats())
}

// Every change raises the same floor and is resolved at once, so a view in which the watermark is above the floor has seen them in the
// wrong order.
func TestAViewNeverShowsAWatermarkWithoutItsFloors(t *testing.T) {
	for _, gap := range []bool{false, true} {
		c := newCache(small(), &counting{}, &hlc.Estimate{}, newFaithful())
		defer c.Stop()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		var group sync.WaitGroup
		group.Go(func() {
			change := make([]events.Change, 1)
			for n := int64(1); ctx.Err() == nil; n++ {
				at := hlc.Timestamp{Wall: n}
				if gap {
					c.Gap(at)
					c.Apply(nil, at)
					continue
				}
				change[0] = events.Change{Table: events.TableProfile, Project: "shop", Key: "ann", At: at}
				c.Apply(change, at)
			}
		})
		hash := c.floors.hash(events.TableProfile, "shop", "ann")
		for n := 0; n%1000 > 0 || ctx.Err() == nil; n++ {
			if v := c.view(hash, time.Now()); v.floor() < v.watermark.Wall {
				t.Errorf("watermark %d with a floor of %d (gaps: %v)", v.watermark.Wall, v.floor(), gap)
				break
			}
		}
		cancel()
		group.Wait()
	}
}
