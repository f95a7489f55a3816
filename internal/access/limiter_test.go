package access

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

var home = netip.MustParseAddr("192.0.2.1")

func TestLimiterAllowsTheBurstAndThenTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(10)
		allowed := func(n int) (ok int) {
			for range n {
				if _, fine := l.Allow("k", home, time.Now()); fine {
					ok++
				}
			}
			return ok
		}
		if n := allowed(100); n != 20 {
			t.Errorf("at once %d pass, want a burst of 20", n)
		}
		wait, ok := l.Allow("k", home, time.Now())
		if ok || wait <= 0 || wait > 100*time.Millisecond {
			t.Errorf("Allow = %v, %v; want a wait of at most 100 ms", wait, ok)
		}
		time.Sleep(wait) // fake time
		if _, ok := l.Allow("k", home, time.Now()); !ok {
			t.Error("refused after the wait that it named")
		}
		time.Sleep(time.Second)
		if n := allowed(100); n != 10 {
			t.Errorf("after one second %d pass, want 10", n)
		}
		time.Sleep(time.Hour)
		if n := allowed(100); n != 20 {
			t.Errorf("after an idle hour %d pass, want the burst of 20 and no more", n)
		}
	})
}

func TestLimiterKeepsCallersApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(1)
		for range 100 {
			l.Allow("busy", home, time.Now())
		}
		if _, ok := l.Allow("busy", home, time.Now()); ok {
			t.Fatal("a busy caller is not limited")
		}
		if _, ok := l.Allow("busy", netip.MustParseAddr("192.0.2.2"), time.Now()); !ok {
			t.Error("another address pays for the busy one")
		}
		if _, ok := l.Allow("calm", home, time.Now()); !ok {
			t.Error("another key pays for the busy one")
		}
		// A hundred busy callers use up two hundred of the counters: hardly anybody else may feel it.
		for i := range 100 {
			for range 10 {
				l.Allow(fmt.Sprint("busy", i), home, time.Now())
			}
		}
		refused := 0
		for i := range 10_000 {
			if _, ok := l.Allow(fmt.Sprint("calm", i), home, time.Now()); !ok {
				refused++
			}
		}
		if refused > 20 { // one or two, by the draw of the hash
			t.Errorf("%d of 10,000 calm callers are refused", refused)
		}
	})
}

func TestLimiterTreatsAnIPv6NetworkAsOneCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(1)
		passed := 0
		for i := range 100 {
			if _, ok := l.Allow("k", netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i+1)), time.Now()); ok {
				passed++
			}
		}
		if passed != 2 {
			t.Errorf("%d requests of one /64 pass, want the burst of 2", passed)
		}
		if _, ok := l.Allow("k", netip.MustParseAddr("2001:db8:0:1::1"), time.Now()); !ok {
			t.Error("the next /64 pays for it")
		}
	})
}

func TestNoRateIsNoLimit(t *testing.T) {
	for _, rate := range []float64{0, -1} {
		l := NewLimiter(rate)
		if l != nil {
			t.Errorf("NewLimiter(%v) = %v, want nil", rate, l)
		}
		if _, ok := l.Allow("k", home, time.Now()); !ok {
			t.Error("a nil limiter refuses")
		}
	}
}

func TestLimiterNeverExceedsBurstPlusRate(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rate := rapid.Float64Range(0.1, 1000).Draw(rt, "rate")
		pauses := rapid.SliceOfN(rapid.Int64Range(0, int64(50*time.Millisecond)), 1, 200).Draw(rt, "pauses")
		passed, took := 0, time.Duration(0)
		synctest.Test(t, func(*testing.T) {
			l := NewLimiter(rate)
			for _, pause := range pauses {
				if _, ok := l.Allow("k", home, time.Now()); ok {
					passed++
				}
				time.Sleep(time.Duration(pause)) // fake time
				took += time.Duration(pause)
			}
		})
		if most := 2*rate + 1 + rate*took.Seconds() + 1; float64(passed) > most {
			rt.Fatalf("%d requests passed at %v/s in %v, want at most %.1f", passed, rate, took, most)
		}
	})
}

func TestLimiterAllocatesNothing(t *testing.T) {
	l := NewLimiter(50)
	if n := testing.AllocsPerRun(100, func() { l.Allow("k1", home, time.Now()) }); n != 0 {
		t.Errorf("Allow allocates %v times", n)
	}
}

func BenchmarkAllow(b *testing.B) {
	l := NewLimiter(1e9)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.Allow("k1", home, time.Now())
		}
	})
}
