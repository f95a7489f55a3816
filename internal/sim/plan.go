package sim

import (
	"math/rand/v2"
	"time"
)

const (
	// bound is the staleness bound of the caches.
	bound = time.Second
	// maxAge is the life of their entries, short so that a history sees the end of some.
	maxAge = 20 * time.Second
	// apartSlots is a number of floors at which no two users of a history share one.
	apartSlots = 1 << 10
)

// plan is what a seed draws for the whole of a history: its size and which faults it has.
type plan struct {
	steps, replicas, users int

	slots  int // floors of a cache: one for all users, or one each
	queue  int // keys that may wait for a load
	manner manner
	spread time.Duration // bounds what the workers of a cache let go by after a gap; each replica's draw differs with the step

	failure       int  // one call in so many fails; 0 for none
	gatedTime     bool // the replicas' questions for the time park too
	skewed        bool // the nodes' clocks differ
	followerReads bool
	repeats       bool // the feed tells things again
	damage        bool // stamps are spoilt, on the feed or the bus
	losses        bool // batches vanish on the bus
	disorder      bool // batches overtake and repeat each other
	breaks        bool // subscriptions break off, streams are created anew
	kills         bool // relays are killed and stopped
	jumps         bool // the database's clock leaps ahead
	forgets       bool // the feed throws its past away
	evictions     bool
}

func drawPlan(rng *rand.Rand) plan {
	often := func() bool { return rng.IntN(2) == 0 }
	seldom := func() bool { return rng.IntN(4) == 0 }
	return plan{
		steps: 60 + rng.IntN(100), replicas: 2 + rng.IntN(2), users: 3 + rng.IntN(2),
		slots: []int{1, apartSlots, apartSlots}[rng.IntN(3)], queue: []int{1, 8, 8}[rng.IntN(3)],
		manner: manner(rng.IntN(int(manners))), failure: []int{0, 20, 5}[rng.IntN(3)],
		gatedTime: seldom(), skewed: often(), followerReads: seldom(), repeats: often(), damage: seldom(), losses: often(), disorder: often(),
		breaks: often(), kills: often(), jumps: seldom(), forgets: seldom(), evictions: often(),
		spread: []time.Duration{0, 20 * time.Millisecond, 400 * time.Millisecond}[rng.IntN(3)],
	}
}
