package traffic

import (
	"math/bits"
	"sync"
	"time"
)

// latency counts how long requests took over the last seconds. Safe for concurrent use.
//
// A bucket is a quarter of a power of two wide, so that a quantile is right within 19 %. There is one histogram a second; reading merges
// the complete ones.
type latency struct {
	now func() time.Time

	mu      sync.Mutex
	total   uint64
	seconds [windowSeconds + 1]second // a ring; guarded by mu
}

const (
	windowSeconds = 5
	quarters      = 4
	latencyCells  = 26 * quarters // up to 2^26 µs, a minute
)

type second struct {
	unix  int64
	count uint32
	cells [latencyCells]uint32
}

func newLatency(now func() time.Time) *latency { return &latency{now: now} }

func (l *latency) add(d time.Duration) {
	unix := l.now().Unix()
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.seconds[unix%int64(len(l.seconds))]
	if s.unix != unix {
		*s = second{unix: unix}
	}
	s.count++
	s.cells[cell(d)]++
	l.total++
}

// speed is what latency knows about the last complete seconds.
type speed struct {
	total    uint64 // requests since the start
	perSec   float64
	p50, p99 time.Duration
}

func (l *latency) read() speed {
	unix := l.now().Unix()
	l.mu.Lock()
	defer l.mu.Unlock()
	var merged [latencyCells]uint32
	var count uint32
	spanned := int64(0)
	for i := range l.seconds {
		s := &l.seconds[i]
		if s.unix >= unix || s.unix < unix-windowSeconds {
			continue
		}
		spanned = max(spanned, unix-s.unix)
		count += s.count
		for j, n := range s.cells {
			merged[j] += n
		}
	}
	out := speed{total: l.total}
	if count > 0 {
		out.perSec = float64(count) / float64(spanned)
		out.p50, out.p99 = quantile(&merged, count, 0.5), quantile(&merged, count, 0.99)
	}
	return out
}

// cell is the bucket of d: the power of two of its microseconds and the two bits below the leading one.
func cell(d time.Duration) int {
	micros := uint64(max(d.Microseconds(), 1))
	power := bits.Len64(micros) - 1
	quarter := micros << 2 >> power & 3
	return min(power*quarters+int(quarter), latencyCells-1)
}

// upper is the upper edge of a bucket.
func upper(cell int) time.Duration {
	power, quarter := cell/quarters, cell%quarters
	return time.Duration(float64(uint64(1)<<power) * (1 + float64(quarter+1)/quarters) * float64(time.Microsecond))
}

func quantile(cells *[latencyCells]uint32, count uint32, q float64) time.Duration {
	left := uint32(float64(count)*q) + 1
	for i, n := range cells {
		if n >= left {
			return upper(i)
		}
		left -= n
	}
	return upper(latencyCells - 1)
}
