package cache

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
)

func TestThePhaseFollowsTheFeed(t *testing.T) {
	type spell struct {
		healthy bool
		lasts   time.Duration
		end     Phase
	}
	for _, c := range []struct {
		name   string
		spells []spell
	}{
		{"never heard", []spell{{false, time.Minute, Detached}}},
		{"the first word counts at once", []spell{{false, time.Second, Detached}, {true, watchEvery, Live}}},
		{"lagging, then gone", []spell{{true, time.Second, Live}, {false, 9 * time.Second, Lagging}, {false, 2 * time.Second, Detached}}},
		{"back after it was gone, once it is steady", []spell{
			{true, time.Second, Live}, {false, 11 * time.Second, Detached}, {true, 2 * time.Second, Detached}, {true, time.Second, Live},
		}},
		{"a feed that comes and goes is not live in between", []spell{
			{true, time.Second, Live},
			{false, time.Second, Lagging},
			{true, stalledAfter, Lagging}, // one word
			{false, time.Second, Lagging},
			{true, stalledAfter, Lagging},
			{true, time.Second, Live},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var g gauge
			var uptime time.Duration
			for i, s := range c.spells {
				var got Phase
				for end := uptime + s.lasts; uptime < end; uptime += watchEvery {
					got = g.judge(s.healthy, uptime)
				}
				if got != s.end {
					t.Fatalf("after spell %d (%+v) the phase is %v", i, s, got)
				}
			}
		})
	}
}

func TestALostFeedIsNoticedAndFoundAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		c := started(t, small(), w)
		feed := func(d time.Duration) {
			for range d / (100 * time.Millisecond) {
				c.Apply(nil, w.now())
				pass(100 * time.Millisecond)
			}
		}
		phase := func(want Phase) {
			t.Helper()
			if got := c.State().Phase; got != want {
				t.Fatalf("after %v the phase is %v, want %v: %+v", c.uptime(), got, want, c.State())
			}
		}
		phase(Detached)
		feed(500 * time.Millisecond)
		phase(Live)
		w.set(func(w *world) { w.fail = errBroken }) // a store that is away must not hide it
		pass(3 * time.Second)
		phase(Lagging)
		pass(10 * time.Second)
		phase(Detached)
		w.set(func(w *world) { w.fail = nil })
		feed(500 * time.Millisecond)
		phase(Detached)
		feed(2500 * time.Millisecond)
		phase(Live)
		if got := c.Stats().Phases; got != [phases]uint64{1, 1, 2} {
			t.Errorf("changes of phase %v, want 1 to detached, 1 to lagging, 2 to live", got)
		}
	})
}

// A watermark that stands still is noticed by its standing still, not by how far it is behind: within three seconds, however generous the bound is and however
// many changes still come.
func TestAWatermarkThatStandsStillIsNoticedInTime(t *testing.T) {
	for _, bound := range []time.Duration{time.Second, 5 * time.Second, time.Minute, time.Hour} {
		for _, changing := range []bool{false, true} {
			t.Run(fmt.Sprintf("bound %v, changes go on: %v", bound, changing), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					const step = 50 * time.Millisecond
					w, cfg := newWorld(), small()
					cfg.Bound, cfg.MaxAge = bound, max(cfg.MaxAge, bound)
					c := started(t, cfg, w)
					for range 20 {
						c.Apply(nil, w.now())
						pass(step)
					}
					if got := c.State().Phase; got != Live {
						t.Fatalf("the phase is %v while the watermark moves", got)
					}
					stood := c.uptime()
					for c.State().Phase == Live {
						if changing {
							c.Apply([]events.Change{{Table: events.TableProfile, Project: "shop", Key: "ada", At: w.now()}}, hlc.Timestamp{})
						}
						if pass(step); c.uptime()-stood > 3*time.Second {
							t.Fatal("not noticed in three seconds")
						}
					}
					if took := c.uptime() - stood; took < 900*time.Millisecond {
						t.Errorf("lost after %v: a moment of silence is no fault", took)
					}
				})
			})
		}
	}
}
