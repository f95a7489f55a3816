package traffic

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// clock is a time that the test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func TestLatencyCountsCompleteSeconds(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	l := newLatency(c.now)
	for range 100 {
		l.add(time.Millisecond)
	}
	if got := l.read(); got.total != 100 || got.perSec != 0 {
		t.Errorf("within the first second: %+v, want only the total", got)
	}
	c.at = c.at.Add(time.Second)
	for range 50 {
		l.add(100 * time.Millisecond)
	}
	if got := l.read(); got.perSec != 100 || got.p99 > 2*time.Millisecond {
		t.Errorf("after one second: %+v, want 100 a second, none above 2 ms", got)
	}
	c.at = c.at.Add(time.Second)
	if got := l.read(); got.perSec != 75 || got.p50 > 2*time.Millisecond || got.p99 < 80*time.Millisecond {
		t.Errorf("after two seconds: %+v, want 75 a second, p99 about 100 ms", got)
	}
	c.at = c.at.Add(time.Minute)
	if got := l.read(); got.total != 150 || got.perSec != 0 || got.p99 != 0 {
		t.Errorf("after a quiet minute: %+v, want only the total", got)
	}
}

func TestQuantilesAreRightWithinTheWidthOfABucket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(1, int64(time.Minute)).Draw(t, "duration"))
		got := upper(cell(d))
		micros := max(d.Truncate(time.Microsecond), time.Microsecond)
		if got < micros || float64(got) > float64(micros)*1.26+float64(time.Microsecond) {
			t.Errorf("%v is told as %v", d, got)
		}
	})
}

func TestEvenADaySlowIsCounted(t *testing.T) {
	if got := cell(24 * time.Hour); got != latencyCells-1 {
		t.Errorf("a day is in cell %d, want the last one", got)
	}
}
