package cache

import (
	"context"
	"testing"
	"testing/synctest"

	"eligibility/internal/profile"
)

// leaving is a source that leaves out what nobody asks for, and remembers what it was asked for.
type leaving struct {
	*world
	asked []*profile.Projection
	loose bool // gives out parts where everything was asked for
}

func (l *leaving) LoadPart(ctx context.Context, only *profile.Projection, keys []profile.Key, dst []*profile.Snapshot) error {
	l.asked = append(l.asked, only)
	if err := l.world.Load(ctx, keys, dst); err != nil {
		return err
	}
	for _, s := range dst {
		s.Partial = true
	}
	return nil
}

func (l *leaving) Load(ctx context.Context, keys []profile.Key, dst []*profile.Snapshot) error {
	if l.loose {
		return l.LoadPart(ctx, nil, keys, dst)
	}
	return l.world.Load(ctx, keys, dst)
}

func TestGetManyReadsNoMoreThanIsAskedForAndTheRestStaysWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &leaving{world: newWorld()}
		c := started(t, small(), w)
		keys := users(6)
		only := profile.NewProjection(profile.NewSchema())
		mustGet(t, c, keys[2], Demand{})
		dst := make([]Read, len(keys))
		for range 2 { // what was read in part is not found the second time
			if err := c.GetMany(t.Context(), keys, &Demand{Only: only, NoStore: true}, dst); err != nil {
				t.Fatal(err)
			}
			for i, r := range dst {
				if r.Snapshot.Partial != (i != 2) || r.Hit != (i == 2) {
					t.Errorf("user %d: partial %v, hit %v", i, r.Snapshot.Partial, r.Hit)
				}
			}
		}
		if len(w.asked) != 2 || w.asked[0] != only {
			t.Fatalf("asked for parts %v", w.asked)
		}
		for i, key := range keys {
			if r, err := c.Get(t.Context(), key, &Demand{}); err != nil || r.Snapshot.Partial {
				t.Errorf("user %d by himself: %+v, %v", i, r, err)
			}
		}
		all := profile.NewProjection(profile.NewSchema())
		all.Everything()
		for _, whole := range []*profile.Projection{nil, all} {
			if err := c.GetMany(t.Context(), users(20), &Demand{Only: whole, NoStore: true}, make([]Read, 20)); err != nil || len(w.asked) != 2 {
				t.Errorf("everything was asked for as a part: %v, %v", w.asked, err)
			}
		}
	})
}

func TestAPartIsNeverKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &leaving{world: newWorld(), loose: true}
		c := started(t, small(), w)
		mustGet(t, c, user("u"), Demand{})
		synctest.Wait()
		if s := c.Stats(); s.Entries != 0 || s.Fills != 0 || s.FillsRefused != 1 {
			t.Errorf("stats %+v: want a refused fill", s)
		}
	})
}
