package cache

import (
	"math"
	"testing"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

func TestValid(t *testing.T) {
	const s = int64(time.Second)
	at := func(wall int64) hlc.Timestamp { return hlc.Timestamp{Wall: wall} }
	cases := []struct {
		name   string
		asked  profile.Key
		demand Demand
		view   view
		want   cause
		trueAt hlc.Timestamp
	}{
		{name: "nothing known but the clock", view: view{now: at(100 * s)}, trueAt: at(100 * s)},
		{name: "the feed vouches for longer", view: view{now: at(101 * s), watermark: at(101 * s)}, trueAt: at(101 * s)},
		{name: "the feed is behind the read", view: view{now: at(101 * s), watermark: at(99 * s)}, trueAt: at(100 * s)},
		{name: "floor at the read", view: view{now: at(100 * s), slot: 100 * s, global: 100 * s}, trueAt: at(100 * s)},
		{name: "floor one above the read", view: view{now: at(100 * s), slot: 100*s + 1}, want: slotFloor},
		{name: "global floor one above the read", view: view{now: at(100 * s), global: 100*s + 1}, want: globalFloor},
		{
			name: "a floor refuses whatever the watermark says",
			view: view{now: at(102 * s), slot: 101 * s, watermark: at(102 * s)}, want: slotFloor,
		},
		{name: "bound just kept by the read", view: view{now: at(105 * s)}, trueAt: at(100 * s)},
		{name: "bound just missed by the read", view: view{now: at(105*s + 1)}, want: beyondBound},
		{name: "bound just kept by the feed", view: view{now: at(205 * s), watermark: at(200 * s)}, trueAt: at(200 * s)},
		{name: "bound just missed by the feed", view: view{now: at(205*s + 1), watermark: at(200 * s)}, want: beyondBound},
		{name: "clock unknown", view: view{}, want: beyondBound},
		{name: "at the end of its life", view: view{now: at(700 * s), watermark: at(700 * s)}, trueAt: at(700 * s)},
		{name: "past its life, though the feed vouches", view: view{now: at(700*s + 1), watermark: at(700 * s)}, want: expired},
		{name: "demanded stamp just reached", demand: Demand{MinAsOf: at(100 * s)}, view: view{now: at(100 * s)}, trueAt: at(100 * s)},
		{
			name: "demanded stamp missed by a logical tick", demand: Demand{MinAsOf: hlc.Timestamp{Wall: 100 * s, Logical: 1}},
			view: view{now: at(100 * s)}, want: belowMinAsOf,
		},
		{
			name: "demanded stamp reached by the feed", demand: Demand{MinAsOf: at(103 * s)},
			view: view{now: at(104 * s), watermark: at(103 * s)}, trueAt: at(103 * s),
		},
		{name: "schema just new enough", demand: Demand{ReadsSchema: 7}, view: view{now: at(100 * s)}, trueAt: at(100 * s)},
		{name: "schema too old", demand: Demand{ReadsSchema: 8}, view: view{now: at(100 * s)}, want: oldSchema},
		{name: "another user of the same hash", asked: user("bob"), view: view{now: at(100 * s)}, want: absent},
		{name: "the same user of another project", asked: profile.Key{Project: "shop2", User: "ann"}, view: view{now: at(100 * s)}, want: absent},
		{name: "a floor at the end of time refuses everything", view: view{now: at(100 * s), slot: math.MaxInt64}, want: slotFloor},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := &entry{snap: &profile.Snapshot{Key: user("ann"), AsOf: at(100 * s), SchemaVersion: 7}, maxAge: 600 * time.Second}
			if c.asked == (profile.Key{}) {
				c.asked = user("ann")
			}
			c.view.bound = 5 * time.Second
			trueAt, got := valid(e, c.asked, &c.demand, &c.view)
			if got != c.want || got == fits && trueAt != c.trueAt {
				t.Fatalf("valid(%+v, %+v) = %v, cause %d; want %v, cause %d", c.demand, c.view, trueAt, got, c.trueAt, c.want)
			}
		})
	}
}
