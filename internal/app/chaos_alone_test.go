package app

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"eligibility/internal/chaos"
)

// TestChaosOfOneProcess is the same trial for a replica that is alone with the store and the bus inside of it: what is stopped, killed or cut off from its clients
// takes its database, its relay and its bus along. A third of the cluster's time.
func TestChaosOfOneProcess(t *testing.T) {
	seed := chaosSeed(t)
	t.Logf("seed %d (ELIGIBILITY_TEST_CHAOS_SEED repeats the faults)", seed)
	newLoneStorm(t, seed).rage(chaosLength(t) / 3)
}

func newLoneStorm(t *testing.T, seed uint64) *storm {
	t.Helper()
	s := &storm{random: rand.New(rand.NewPCG(seed, 0)), faults: map[string]int{}, others: map[string]int{}, answers: map[string][]string{}, history: chaos.NewHistory()}
	s.line = chaos.NewTimeline(fmt.Sprintf("One process under faults, seed %d: what its clients were answered", seed), "server")
	s.cluster = &cluster{t: t, dir: t.TempDir(), keys: map[string]string{}, client: &http.Client{Timeout: 2 * time.Second}}
	cfg := testConfig(filepath.Join(s.dir, "data"))
	cfg.Bound, cfg.ClientRate = clusterBound, 0
	m := s.node("server", spec{Role: "serve", Config: cfg})
	m.launch()
	m.await()
	s.servers = []*node{m}
	root, err := os.ReadFile(filepath.Join(cfg.DataDir, "root.key"))
	if err != nil {
		t.Fatal(err)
	}
	s.root = strings.TrimSpace(string(root))
	p, err := chaos.NewProxy(seed, func() string { return m.at().Listen })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	s.client = []*chaos.Proxy{p}
	return s
}

// strikeAlone brings about a fault that a single process can have.
func (s *storm) strikeAlone(wait func()) {
	s.t.Helper()
	m, p := s.servers[0], s.client[0]
	on := func(name string, f chaos.Faults) {
		defer s.fault("client " + name)()
		p.Set(f)
		wait()
		p.Set(chaos.Faults{})
	}
	switch s.random.IntN(8) {
	case 0:
		on("latency", chaos.Faults{Latency: time.Duration(s.random.IntN(150)) * time.Millisecond, Jitter: 50 * time.Millisecond})
	case 1:
		on("black hole", chaos.Faults{BlackHole: true})
		p.Reset()
	case 2:
		s.fault("client half close")()
		p.HalfClose()
		wait()
	case 3, 4:
		s.freeze(m, wait)
	case 5:
		s.freeze(m, wait)
		s.kill(m) // in the middle of the recovery
	default:
		s.kill(m)
		wait()
	}
}
