package app

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"eligibility/internal/chaos"
)

// chaosLength is how long faults are brought about: 45 s, or ELIGIBILITY_TEST_CHAOS.
func chaosLength(t *testing.T) time.Duration {
	if text := os.Getenv("ELIGIBILITY_TEST_CHAOS"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("ELIGIBILITY_TEST_CHAOS: %v", err)
		}
		return d
	}
	if testing.Short() {
		return 5 * time.Second
	}
	return 45 * time.Second
}

// chaosSeed decides the faults: of the clock, or ELIGIBILITY_TEST_CHAOS_SEED.
func chaosSeed(t *testing.T) uint64 {
	text := os.Getenv("ELIGIBILITY_TEST_CHAOS_SEED")
	if text == "" {
		return uint64(time.Now().UnixNano())
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("ELIGIBILITY_TEST_CHAOS_SEED: %v", err)
	}
	return seed
}

// TestChaosIsNeverSilentlyStale breaks the links and the processes of a cluster at random while clients write users and read them back by decisions. What they
// saw must be a history of registers that are read no later than the bound, and no later than a demanded stamp.
func TestChaosIsNeverSilentlyStale(t *testing.T) {
	seed := chaosSeed(t)
	t.Logf("seed %d (ELIGIBILITY_TEST_CHAOS_SEED repeats the faults)", seed)
	newStorm(t, seed).rage(chaosLength(t))
}

// rage lets the storm go on for so long, and judges.
func (s *storm) rage(length time.Duration) {
	s.t.Helper()
	s.promote()
	defer s.watch()()
	s.start()
	defer s.stop() // a failure must not leave clients behind
	began := time.Now()
	for time.Since(began) < length {
		s.strike()
	}
	s.calm()
	s.stop()
	reads, writes, unknown := s.history.Counts()
	s.t.Logf("%v: %d fresh reads, %d writes, %d of unknown fate; faults: %s; other answers: %s",
		time.Since(began).Round(time.Second), reads, writes, unknown, tally(s.faults), tally(s.others))
	if reads < 100 || writes < 20 {
		s.t.Errorf("%d reads and %d writes: the test tests nothing", reads, writes)
	}
	v := s.history.Judge(time.Minute)
	s.draw(v)
	if !v.Decided || !v.Legal {
		s.logs()
		s.t.Fatalf("decided %v, legal %v, user %s:\n%s\nanswers:\n%s", v.Decided, v.Legal, v.Key, s.history.Tell(v.Key), strings.Join(s.answers[v.Key], "\n"))
	}
	// The judge would have noticed: one reader is told what was overwritten longer ago than the bound.
	s.history.Read(99, s.old.user, s.old.value-1, s.history.Now(), 0, time.Duration(s.history.Now()-s.old.at-1))
	if v := s.history.Judge(time.Minute); !v.Decided || v.Legal {
		s.t.Fatalf("a stale read among %d was not noticed: decided %v, legal %v", reads, v.Decided, v.Legal)
	}
}

const (
	// chaosValues is how far a user is counted up before the next one takes his place. A promotion stands for each value, so that one decision tells it.
	chaosValues = 40
	// chaosClients is how many users are written at a time.
	chaosClients = 3
	// chaosTick is between two calls of a client.
	chaosTick = 25 * time.Millisecond
	// chaosClock is what the database's stamps and the replicas' idea of its time may be apart.
	chaosClock = 100 * time.Millisecond
)

// storm is a cluster, what lies on its links, and what its clients saw.
type storm struct {
	*cluster
	random  *rand.Rand // of the faults; by the test's goroutine only
	client  []*chaos.Proxy
	bus     []*chaos.Proxy
	store   []*chaos.Proxy
	faults  map[string]int // brought about; by the test's goroutine only
	history *chaos.History
	line    *chaos.Timeline
	work    sync.WaitGroup
	halt    atomic.Bool
	written atomic.Int64

	mu      sync.Mutex
	others  map[string]int      // guarded by mu: answers that are no fresh reads
	answers map[string][]string // guarded by mu: by user, who answered and what stamps he gave
	old     overwrite           // guarded by mu: one that is known to have happened
}

// overwrite is an acknowledged write that followed an acknowledged one.
type overwrite struct {
	user  string
	value int
	at    int64 // when it was acknowledged
}

func newStorm(t *testing.T, seed uint64) *storm {
	t.Helper()
	s := &storm{random: rand.New(rand.NewPCG(seed, 0)), faults: map[string]int{}, others: map[string]int{}, answers: map[string][]string{}, history: chaos.NewHistory()}
	n := seed
	link := func(target func() string) *chaos.Proxy {
		n++
		p, err := chaos.NewProxy(n, target)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		return p
	}
	s.cluster = newWiredCluster(t, func(_, target string) string {
		p := link(func() string { return target })
		// Each member has its link to the bus first, then that to the database.
		if len(s.bus) == len(s.store) {
			s.bus = append(s.bus, p)
		} else {
			s.store = append(s.store, p)
		}
		return p.Addr()
	})
	for _, m := range s.servers {
		s.client = append(s.client, link(func() string { return m.at().Listen }))
	}
	s.cluster.client.Timeout = 2 * time.Second
	s.line = chaos.NewTimeline(fmt.Sprintf("Three replicas under faults, seed %d: what their clients were answered", seed), "server0", "server1", "server2")
	return s
}

// promote makes a message for each value of the counter.
func (s *storm) promote() {
	s.t.Helper()
	s.shop()
	control := s.servers[0].at().AdminListen
	for i := 1; i <= chaosValues; i++ {
		id := "p" + strconv.Itoa(i)
		s.must(control, "PUT", "/v1/projects/shop/promotions/"+id, s.root, map[string]any{
			"id": id, "name": id, "rule": fmt.Sprintf("user.counter == %d", i), "content": map[string]any{"title": id},
			"placements": []any{map[string]any{"placement": 101, "priority": 10}},
		})
		wait := ""
		if i == chaosValues {
			wait = "?wait=10s"
		}
		s.must(control, "POST", "/v1/projects/shop/promotions/"+id+":publish"+wait, s.root, `{"confirm":true}`)
	}
}

func (s *storm) start() {
	for i := range chaosClients {
		var current atomic.Pointer[string]
		var newest atomic.Pointer[stamped]
		s.work.Go(func() { s.write(i, &current, &newest) })
		for k := range 2 {
			s.work.Go(func() { s.read(chaosClients+2*i+k, k == 0, &current, &newest) })
		}
	}
}

func (s *storm) stop() {
	s.halt.Store(true)
	s.work.Wait()
}

// stamped is a write of which its client holds the stamp.
type stamped struct {
	overwrite
	stamp string
}

// seen notes an answer that is no fresh read.
func (s *storm) seen(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.others[what]++
}

// tally says how often what was counted came about.
func tally(counts map[string]int) string {
	all := make([]string, 0, len(counts))
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, fmt.Sprintf("%s %d", what, counts[what]))
	}
	return strings.Join(all, ", ")
}

// draw writes the history to the file that ELIGIBILITY_TEST_CHAOS_DRAW names.
func (s *storm) draw(v chaos.Verdict) {
	s.t.Helper()
	name := os.Getenv("ELIGIBILITY_TEST_CHAOS_DRAW")
	if name == "" {
		return
	}
	file, err := os.Create(name)
	if err != nil {
		s.t.Error(err)
		return
	}
	defer file.Close()
	if err := v.Draw(file); err != nil {
		s.t.Error(err)
	}
}

// fault counts one and notes it; the result ends it.
func (s *storm) fault(name string) (end func()) {
	s.faults[name]++
	return s.line.Fault(name)
}

// strike brings one fault about for a while and ends it.
func (s *storm) strike() {
	s.t.Helper()
	hold := time.Duration(200+s.random.IntN(1300)) * time.Millisecond
	wait := func() { <-time.After(hold) }
	if s.database == nil {
		s.strikeAlone(wait)
		return
	}
	links := [][]*chaos.Proxy{s.client, s.bus, s.store}
	names := []string{"client", "bus", "store"}
	kind := s.random.IntN(len(links))
	p := links[kind][s.random.IntN(len(links[kind]))]
	on := func(name string, f chaos.Faults) {
		defer s.fault(names[kind] + " " + name)()
		p.Set(f)
		wait()
		p.Set(chaos.Faults{})
	}
	switch s.random.IntN(10) {
	case 0:
		on("latency", chaos.Faults{Latency: time.Duration(s.random.IntN(150)) * time.Millisecond, Jitter: 50 * time.Millisecond})
	case 1, 2:
		on("black hole", chaos.Faults{BlackHole: true})
		if s.random.IntN(2) == 0 {
			p.Reset() // what was held back is lost
		}
	case 3:
		s.fault(names[kind] + " reset")()
		p.Reset()
		on("refusal", chaos.Faults{Refuse: true})
	case 4:
		s.fault(names[kind] + " half close")()
		p.HalfClose()
	case 5:
		p, kind = s.bus[s.random.IntN(len(s.bus))], 1 // the other links trust TCP to keep their bytes whole
		on("corruption", chaos.Faults{Corrupt: 0.05})
	case 6, 7:
		s.freeze(s.member(), wait)
	case 8:
		s.kill(s.member())
	default:
		end := s.fault("database SIGKILL")
		s.database.Kill(s.t)
		s.database.Restart(s.t)
		end()
	}
	if s.random.IntN(2) == 0 { // else the next comes in the middle of the recovery
		<-time.After(hold / 2)
	}
}

// member is any process but the database.
func (s *storm) member() *node {
	all := slices.Concat(s.relays, s.servers, []*node{s.nats})
	return all[s.random.IntN(len(all))]
}

// freeze stops the process in its tracks for a while.
func (s *storm) freeze(m *node, wait func()) {
	defer s.fault(m.name + " SIGSTOP")()
	_ = m.cmd.Process.Signal(syscall.SIGSTOP)
	wait()
	_ = m.cmd.Process.Signal(syscall.SIGCONT)
}

// kill ends the process without a word and starts it again.
func (s *storm) kill(m *node) {
	s.t.Helper()
	defer s.fault(m.name + " SIGKILL")()
	m.end(syscall.SIGKILL)
	if i := slices.Index(s.servers, m); i >= 0 {
		s.line.Restart(i)
	}
	m.launch()
	m.await()
}

// calm waits until all is well again: writes are acknowledged, and each replica tells what was written.
func (s *storm) calm() {
	s.t.Helper()
	before := s.written.Load()
	s.eventually("writes are acknowledged", func() bool { return s.written.Load() > before+2*chaosClients })
	if len(s.relays) > 0 {
		s.awaitLeader()
	}
	for i, m := range s.servers {
		s.eventually(m.name+" answers", func() bool {
			_, _, fresh := s.value(i, "nobody", "")
			return fresh
		})
	}
}
