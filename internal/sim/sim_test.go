package sim

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var (
	firstSeed = flag.Uint64("first", 0, "the first seed of TestSchedules")
	oneSeed   = flag.Uint64("seed", 0, "play and tell only this history")
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // a history leaves much behind and holds little
	goleak.VerifyTestMain(m)
}

// schedules is how many histories a run of the tests plays, and for how long at most; `make soak` plays more, for as long as that takes. The limit of
// time is for machines that do other work too: with the mutants, the whole takes less than three minutes.
func schedules(t *testing.T) (n uint64, limit time.Duration) {
	n, limit = 60_000, 90*time.Second
	if testing.Short() || race {
		n = 1000
	}
	if text := os.Getenv("ELIGIBILITY_TEST_SCHEDULES"); text != "" {
		var err error
		if n, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("ELIGIBILITY_TEST_SCHEDULES: %v", err)
		}
		limit = math.MaxInt64
	}
	return n, limit
}

func options(t testing.TB) *Options {
	t.Helper()
	o, err := NewOptions()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// tell plays a history again and returns it as text.
func tell(t *testing.T, seed uint64, o *Options) string {
	traced := *o
	traced.Trace = true
	out := Run(t, seed, &traced)
	return fmt.Sprintf("%s\n%s", strings.Join(out.Trace, "\n"), strings.Join(out.Wrong, "\n"))
}

// The laws hold in every history. A failing seed is printed with its history; `-seed` plays it again, and testdata/seeds keeps it.
func TestSchedules(t *testing.T) {
	o := options(t)
	if *oneSeed != 0 {
		t.Log(tell(t, *oneSeed, o))
		return
	}
	n, limit := schedules(t)
	began := time.Now()
	var (
		played atomic.Uint64
		next   atomic.Uint64
		failed atomic.Bool
		mu     sync.Mutex
		tally  Tally
	)
	t.Run("workers", func(t *testing.T) {
		for worker := range runtime.GOMAXPROCS(0) {
			t.Run(strconv.Itoa(worker), func(t *testing.T) {
				t.Parallel()
				for !failed.Load() && time.Since(began) < limit {
					i := next.Add(1) - 1
					if i >= n {
						return
					}
					out := Run(t, *firstSeed+i, o)
					played.Add(1)
					mu.Lock()
					tally.Add(out.Tally)
					mu.Unlock()
					if len(out.Wrong) > 0 && failed.CompareAndSwap(false, true) {
						t.Errorf("seed %d: %s\n%s", *firstSeed+i, out.Wrong[0], tell(t, *firstSeed+i, o))
					}
				}
			})
		}
	})
	took := time.Since(began)
	t.Logf("%d histories in %v, %.0f each second: %+v", played.Load(), took.Round(time.Second), float64(played.Load())/took.Seconds(), tally)
	if !failed.Load() && played.Load() >= 1000 {
		if tame := tally.tame(); tame != "" {
			t.Errorf("the histories are too tame: no %s", tame)
		}
	}
}

// tame names what never happened.
func (t *Tally) tame() string {
	for what, n := range map[string]uint64{
		"hit": t.Hits, "degraded read": t.Degraded, "error": t.Errors, "gap": t.Gaps, "change of epoch": t.Epochs, "fill": t.Stored,
		"repeated load": t.Rereads, "read past the cache": t.Uncached, "shared load": t.Coalesced, "end of a life": t.Expired,
	} {
		if n == 0 {
			return what
		}
	}
	return ""
}

// Seeds that once showed a bug, in ours or in the simulator.
func TestSeedsThatFailedBefore(t *testing.T) {
	o := options(t)
	files, err := filepath.Glob("testdata/seeds/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			line, _, _ = strings.Cut(line, "#")
			if line = strings.TrimSpace(line); line == "" {
				continue
			}
			t.Run(line, func(t *testing.T) {
				seed, err := strconv.ParseUint(line, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				if out := Run(t, seed, o); len(out.Wrong) > 0 {
					t.Errorf("%s\n%s", out.Wrong[0], tell(t, seed, o))
				}
			})
		}
	}
}

// Equal seeds give equal histories, up to the end of the faults.
func TestEqualSeedsGiveEqualHistories(t *testing.T) {
	o := options(t)
	o.Trace = true
	for seed := range uint64(150) {
		first, second := scheduled(Run(t, seed, o)), scheduled(Run(t, seed, o))
		for i := range max(len(first), len(second)) {
			if i >= len(first) || i >= len(second) || first[i] != second[i] {
				t.Fatalf("seed %d differs from line %d of the history:\n%s\n%s", seed, i, first[min(i, len(first)-1)], second[min(i, len(second)-1)])
			}
		}
	}
}

// scheduled is the part of a trace that the schedule decided.
func scheduled(out *Outcome) []string {
	for i, line := range out.Trace {
		if strings.Contains(line, "the faults end") {
			return out.Trace[:i]
		}
	}
	return out.Trace
}
