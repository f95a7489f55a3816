package app

import (
	"bytes"
	"fmt"
	"io"
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
	"text/tabwriter"
	"time"

	"eligibility/internal/hlc"
)

// clusterKills is how often each member is killed: 10, or ELIGIBILITY_TEST_KILLS.
func clusterKills(t *testing.T) int {
	if text := os.Getenv("ELIGIBILITY_TEST_KILLS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("ELIGIBILITY_TEST_KILLS: %v", err)
		}
		return n
	}
	if testing.Short() {
		return 2
	}
	return 10
}

// TestKillOfAnyMemberLosesNothingAndNothingIsStale kills every kind of member of a cluster in turn while it is written to and asked. What was acknowledged
// stays; no answer that is not degraded is older than the bound; none that was asked for with a stamp lacks what the stamp stands for.
func TestKillOfAnyMemberLosesNothingAndNothingIsStale(t *testing.T) {
	c := newCluster(t)
	c.shop()
	j := &jury{c: c, random: rand.New(rand.NewPCG(1, 2))}
	j.start()
	defer j.stop()
	began, n := time.Now(), clusterKills(t)
	j.healthy()
	j.suffer("none", 1, func() { <-time.After(2 * time.Second) })
	j.suffer("relay SIGKILL", n, func() {
		leader := c.awaitLeader()
		leader.end(syscall.SIGKILL)
		took := c.eventually("the standby leads", func() bool { return c.leader() != nil })
		if took > 10*time.Second {
			t.Errorf("the standby took %v to lead", took)
		}
		leader.launch()
		leader.await()
	})
	j.suffer("server SIGKILL", n, func() {
		m := c.servers[j.random.IntN(3)]
		m.end(syscall.SIGKILL)
		m.launch()
		m.await()
	})
	j.suffer("NATS SIGKILL", n, func() {
		c.nats.end(syscall.SIGKILL)
		c.nats.launch()
	})
	j.suffer("PostgreSQL SIGKILL", n, func() {
		c.database.Kill(t)
		c.database.Restart(t)
	})
	j.stop()
	t.Logf("%d kills of each in %v, %d writes acknowledged\n%s", n, time.Since(began).Round(time.Millisecond), j.writes.Load(), j.table())
	if t.Failed() {
		c.logs()
	}
}

// writers is how many users are written to, each by one client.
const writers = 4

// slack is what a client's own clock and the way to the server may add to the bound.
const slack = 500 * time.Millisecond

// jury writes, asks and judges.
type jury struct {
	c      *cluster
	random *rand.Rand // of the faults
	work   sync.WaitGroup
	halt   atomic.Bool
	writes atomic.Int64
	users  [writers]record

	mu    sync.Mutex
	fault string                    // guarded by mu: the present one
	order []string                  // guarded by mu
	seen  map[string]map[string]int // guarded by mu: outcomes by fault
	worst map[string]time.Duration  // until all was well again; by the test's goroutine only
}

// record is what is known of one user.
type record struct {
	mu    sync.Mutex
	sent  int     // guarded by mu: the last value sent
	acked []acked // guarded by mu: the newest last
}

// acked is a write that was acknowledged.
type acked struct {
	value int
	at    time.Time
	stamp hlc.Timestamp
}

func (j *jury) start() {
	j.seen, j.worst = map[string]map[string]int{}, map[string]time.Duration{}
	for i := range writers {
		j.work.Go(func() { j.write(i) })
		j.work.Go(func() { j.read(i) })
	}
}

func (j *jury) stop() {
	j.halt.Store(true)
	j.work.Wait()
}

// note counts an outcome.
func (j *jury) note(v verdict) {
	what := fmt.Sprintf("%d %s", v.status, v.code)
	switch {
	case v.status == 0:
		what = "no answer"
	case v.status == 200 && v.degraded:
		what = "degraded"
	case v.status == 200:
		what = "fresh"
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fault == "" {
		return
	}
	if j.seen[j.fault] == nil {
		j.seen[j.fault] = map[string]int{}
		j.order = append(j.order, j.fault)
	}
	j.seen[j.fault][what]++
}

func userName(i int) string { return fmt.Sprintf("u%d", i) }

// write counts a user up and asks for what it has written, elsewhere and at once.
func (j *jury) write(i int) {
	u := &j.users[i]
	for !j.halt.Load() {
		u.mu.Lock()
		u.sent++
		value := u.sent
		u.mu.Unlock()
		text := j.c.count(j.c.server(), userName(i), value)
		if text == "" {
			<-time.After(10 * time.Millisecond)
			continue
		}
		stamp, err := hlc.Parse(text)
		if err != nil {
			j.c.t.Errorf("stamp %q: %v", text, err)
		}
		u.mu.Lock()
		u.acked = append(u.acked, acked{value: value, at: time.Now(), stamp: stamp})
		u.acked = u.acked[max(0, len(u.acked)-4096):]
		u.mu.Unlock()
		j.writes.Add(1)
		v := j.c.reached(j.c.server(), userName(i), value, text)
		j.note(v)
		if v.status == 200 && !v.shown {
			j.c.t.Errorf("asked with the stamp %s of the write of %d: not there, %+v", text, value, v)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// read asks without a stamp for what was acknowledged longer ago than the bound.
func (j *jury) read(i int) {
	u := &j.users[i]
	for !j.halt.Load() {
		<-time.After(5 * time.Millisecond)
		limit := time.Now().Add(-clusterBound - slack)
		u.mu.Lock()
		k, _ := slices.BinarySearchFunc(u.acked, limit, func(a acked, at time.Time) int { return a.at.Compare(at) })
		var old acked
		if k > 0 {
			old = u.acked[k-1]
		}
		u.mu.Unlock()
		if old.value == 0 {
			continue
		}
		v := j.c.reached(j.c.server(), userName(i), old.value, "")
		j.note(v)
		if v.status != 200 || v.shown {
			continue
		}
		asOf, err := hlc.Parse(v.asOf)
		if err != nil || !v.degraded || !asOf.Before(old.stamp) {
			j.c.t.Errorf("%s was %d at %s, %v ago; the answer knows nothing of it: %+v", userName(i), old.value, old.stamp, time.Since(old.at), v)
		}
	}
}

// suffer brings the fault about n times. Every second time the next one comes as soon as writes are acknowledged again, in the middle of the recovery;
// otherwise it waits until all is well.
func (j *jury) suffer(fault string, n int, bring func()) {
	j.c.t.Helper()
	for k := range n {
		j.mu.Lock()
		j.fault = fault
		j.mu.Unlock()
		began := time.Now()
		bring()
		if k%2 == 0 && k < n-1 {
			j.written()
		} else {
			j.healthy()
			j.worst[fault] = max(j.worst[fault], time.Since(began))
		}
		j.verify(fault)
	}
}

// healthy waits until every replica is fresh, a relay leads and every user can be written.
func (j *jury) healthy() {
	j.c.t.Helper()
	j.c.eventually("a relay leads", func() bool { return j.c.leader() != nil })
	for _, m := range j.c.servers {
		j.c.eventually(m.name+" is fresh", func() bool {
			res, err := j.c.client.Get("http://" + m.at().OpsListen + "/metrics")
			if err != nil {
				return false
			}
			defer res.Body.Close()
			text, _ := io.ReadAll(res.Body)
			return bytes.Contains(text, []byte("\neligibility_feed_healthy 1\n"))
		})
	}
	j.written()
}

// written waits until the users can be written.
func (j *jury) written() {
	j.c.t.Helper()
	before := j.writes.Load()
	j.c.eventually("writes are acknowledged", func() bool { return j.writes.Load() > before+writers })
}

// verify looks every acknowledged write up where it is stored.
func (j *jury) verify(fault string) {
	j.c.t.Helper()
	for i := range j.users {
		u := &j.users[i]
		u.mu.Lock()
		last := 0
		if len(u.acked) > 0 {
			last = u.acked[len(u.acked)-1].value
		}
		u.mu.Unlock()
		stored := j.c.must(j.c.server().at().Listen, "GET", "/v1/users/"+userName(i), j.c.keys["server"], nil)
		u.mu.Lock()
		sent := u.sent
		u.mu.Unlock()
		attributes, _ := stored["attributes"].(map[string]any)
		if counter, _ := attributes["counter"].(float64); int(counter) < last || int(counter) > sent {
			j.c.t.Errorf("after %s: %s has %v, %d was acknowledged, %d sent", fault, userName(i), counter, last, sent)
		}
	}
}

// table says what clients saw.
func (j *jury) table() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "fault\tall well again within\twhat clients saw")
	for _, fault := range j.order {
		outcomes := make([]string, 0, 8)
		for _, what := range slices.Sorted(maps.Keys(j.seen[fault])) {
			outcomes = append(outcomes, fmt.Sprintf("%s %d", what, j.seen[fault][what]))
		}
		fmt.Fprintf(w, "%s\t%v\t%s\n", fault, j.worst[fault].Round(time.Millisecond), strings.Join(outcomes, ", "))
	}
	_ = w.Flush()
	return text.String()
}
