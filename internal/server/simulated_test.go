package server

import (
	"bytes"
	"os"
	"strconv"
	"testing"

	"eligibility/internal/cache"
	"eligibility/internal/rules"
	"eligibility/internal/sim"
)

// In simulated histories, what the plane decides from a read, kept answers included, is what it decides from the same user unread. The
// mutants of kept answers are held to this.
func TestSchedules(t *testing.T) {
	options, err := sim.NewOptions()
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{}
	options.Decide = func(rs *rules.Ruleset, read *cache.Read, now int64) string {
		st := &state{}
		st.request.Now, st.request.Channel = now, channelEmbedded
		placements, _, _ := bytes.Cut(s.decide(st, rs, read, nil, false), []byte(`"rulesVersion"`))
		return string(placements)
	}
	n := uint64(1000)
	if text := os.Getenv("ELIGIBILITY_TEST_SCHEDULES"); text != "" {
		if n, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	for seed := range n {
		if out := sim.Run(t, seed, options); len(out.Wrong) > 0 {
			t.Fatalf("seed %d: %s", seed, out.Wrong[0])
		}
	}
	if s.Stats().Reused() == 0 {
		t.Error("no answer was kept")
	}
	t.Logf("%d histories, %d answers were kept ones", n, s.Stats().Reused())
}
