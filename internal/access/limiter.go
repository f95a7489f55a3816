package access

import (
	"hash/maphash"
	"math"
	"net/netip"
	"sync/atomic"
	"time"
)

// limiterSlots is how many counters a Limiter has, whatever the number of callers. Each caller uses two of them.
const limiterSlots = 1 << 16

// Limiter bounds how often one key is used from one address. It takes no lock, allocates nothing, and its memory does not
// grow: callers share counters by a seeded hash, and a caller is refused only when both of its two counters are used up,
// so that one busy caller hardly ever stands in another's way.
//
// Each counter is the theoretical arrival time of the generic cell rate algorithm (ITU-T I.371): a request is fine when
// that time is at most the tolerance ahead, and moves it by one interval.
type Limiter struct {
	began     time.Time
	interval  int64 // nanoseconds between two requests at the sustained rate
	tolerance int64 // nanoseconds
	seed      maphash.Seed
	slots     []atomic.Int64 // nanoseconds since began
}

// NewLimiter allows perSecond requests a second to each (credential, address), and a burst of as many at once as two
// seconds bring. A rate of zero or less is no limit: the result is nil, and a nil Limiter allows everything.
func NewLimiter(perSecond float64) *Limiter {
	if perSecond <= 0 || math.IsNaN(perSecond) {
		return nil
	}
	const burstSeconds = 2
	interval := max(int64(float64(time.Second)/perSecond), 1)
	burst := max(int64(math.Ceil(perSecond*burstSeconds)), 1)
	return &Limiter{
		began: time.Now(), interval: interval, tolerance: (burst - 1) * interval, seed: maphash.MakeSeed(),
		slots: make([]atomic.Int64, limiterSlots),
	}
}

// Allow counts one request that came at an instant, a time.Now of this process. When it is one too many, it returns false and after which
// time another will be allowed.
func (l *Limiter) Allow(credentialID string, address netip.Addr, at time.Time) (retryAfter time.Duration, ok bool) {
	if l == nil {
		return 0, true
	}
	hash := l.hash(credentialID, address)
	first, second := &l.slots[hash%limiterSlots], &l.slots[hash>>32%limiterSlots]
	now := int64(at.Sub(l.began))
	ahead := min(first.Load(), second.Load()) - now
	if ahead > l.tolerance {
		return time.Duration(ahead - l.tolerance), false
	}
	l.advance(first, now)
	if second != first {
		l.advance(second, now)
	}
	return 0, true
}

// advance moves an arrival time by one interval. A counter that another caller has used up stays as it is: charging it further would
// punish that caller for this one's requests.
func (l *Limiter) advance(slot *atomic.Int64, now int64) {
	for {
		old := slot.Load()
		if old-now > l.tolerance {
			return
		}
		if slot.CompareAndSwap(old, max(old, now)+l.interval) {
			return
		}
	}
}

func (l *Limiter) hash(credentialID string, address netip.Addr) uint64 {
	var h maphash.Hash
	h.SetSeed(l.seed)
	_, _ = h.WriteString(credentialID)
	// An IPv6 customer holds a whole /64: addresses below it are one caller.
	octets := address.As16()
	if address.Is4() || address.Is4In6() {
		_, _ = h.Write(octets[:])
	} else {
		_, _ = h.Write(octets[:8])
	}
	return h.Sum64()
}
