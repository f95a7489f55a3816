package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"eligibility/internal/hlc"
)

// kills is how often the process is killed: 50, or ELIGIBILITY_TEST_KILLS.
func kills(t *testing.T) int {
	if text := os.Getenv("ELIGIBILITY_TEST_KILLS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("ELIGIBILITY_TEST_KILLS: %v", err)
		}
		return n
	}
	if testing.Short() {
		return 5
	}
	return 50
}

// TestKillLosesNothingAcknowledged is law L8: a replica is killed with SIGKILL at random moments while it is written to. After each restart every write that
// was acknowledged is there, and no stamp lies before one that was given out.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	c := &crashes{t: t, dir: t.TempDir(), random: rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano()))), users: make(map[string]*acknowledged)}
	c.spawn()
	c.setUp()
	n := kills(t)
	began := time.Now()
	for i := range n {
		c.writeUntilKilled(time.Duration(5+c.random.IntN(120)) * time.Millisecond)
		c.spawn()
		c.verify(i)
	}
	c.kill()
	t.Logf("%d kills in %v: %d acknowledged writes, %d of them publishes, all found", n, time.Since(began).Round(time.Millisecond), c.writes, c.publishes)
	if c.writes < n {
		t.Errorf("only %d writes were acknowledged over %d kills: the test tests nothing", c.writes, n)
	}
}

// crashes is a child process and what it has acknowledged.
type crashes struct {
	t      *testing.T
	dir    string
	random *rand.Rand
	child  *exec.Cmd
	ready  Ready
	client *http.Client
	root   string
	server string // server key

	mu        sync.Mutex
	users     map[string]*acknowledged // guarded by mu
	version   float64                  // guarded by mu: of the last acknowledged publish
	stamp     hlc.Timestamp            // guarded by mu: the greatest that was given out
	writes    int                      // guarded by mu
	publishes int                      // guarded by mu
	drafts    int                      // guarded by mu
}

type acknowledged struct {
	counter int      // the last acknowledged value of the attribute
	sent    int      // the last value that was sent
	events  []string // ids
}

func (c *crashes) spawn() {
	c.t.Helper()
	readyFile := filepath.Join(c.dir, "ready.json")
	if err := os.Remove(readyFile); err != nil && !errors.Is(err, os.ErrNotExist) {
		c.t.Fatal(err)
	}
	c.child = exec.Command(os.Args[0])
	c.child.Env = append(os.Environ(), childDir+"="+c.dir)
	var log bytes.Buffer
	c.child.Stderr = &log
	if err := c.child.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = c.child.Process.Kill() })
	deadline := time.Now().Add(15 * time.Second)
	for {
		text, err := os.ReadFile(readyFile)
		if err == nil {
			if err := json.Unmarshal(text, &c.ready); err != nil {
				c.t.Fatal(err)
			}
			break
		}
		if time.Now().After(deadline) {
			c.kill()
			c.t.Fatalf("the replica did not come up: %s", &log)
		}
		timer := time.NewTimer(5 * time.Millisecond)
		<-timer.C
	}
	c.client = &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
}

func (c *crashes) kill() {
	_ = c.child.Process.Kill()
	_ = c.child.Wait()
	c.client.CloseIdleConnections()
}

// send returns nil for an answer that never came.
func (c *crashes) send(address, method, path, key, body string) map[string]any {
	req, err := http.NewRequest(method, "http://"+address+path, strings.NewReader(body))
	if err != nil {
		c.t.Error(err)
		return nil
	}
	req.Header.Set("Api-Key", key)
	req.Header.Set("Content-Type", "application/json")
	res, err := c.client.Do(req)
	if err != nil {
		return nil
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil
	}
	var answer map[string]any
	if err := json.Unmarshal(text, &answer); err != nil || res.StatusCode >= 300 {
		c.t.Errorf("%s %s: %d %s", method, path, res.StatusCode, text)
		return nil
	}
	return answer
}

func (c *crashes) setUp() {
	root, err := os.ReadFile(filepath.Join(c.dir, "root.key"))
	if err != nil {
		c.t.Fatal(err)
	}
	c.root = strings.TrimSpace(string(root))
	c.send(c.ready.AdminListen, "POST", "/v1/projects", c.root, `{"project":"shop"}`)
	c.send(c.ready.AdminListen, "POST", "/v1/projects/shop/attributes", c.root, `{"name":"counter","type":"int"}`)
	c.send(c.ready.AdminListen, "POST", "/v1/projects/shop/placements", c.root, `{"placement":101,"name":"home","limit":1}`)
	c.server, _ = c.send(c.ready.AdminListen, "POST", "/v1/projects/shop/keys", c.root, `{"kind":"server"}`)["key"].(string)
	if c.server == "" {
		c.t.Fatal("no key")
	}
}

func (c *crashes) writeUntilKilled(after time.Duration) {
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 4 {
		seed := c.random.Uint64()
		writers.Go(func() {
			random := rand.New(rand.NewPCG(seed, 0))
			for {
				select {
				case <-stop:
					return
				default:
				}
				switch w {
				case 0:
					c.publish()
				case 1:
					c.putEvents(random)
				default:
					c.putUser(fmt.Sprintf("u%d-%d", w, random.IntN(20)))
				}
			}
		})
	}
	timer := time.NewTimer(after)
	<-timer.C
	c.kill()
	close(stop)
	writers.Wait()
}

func (c *crashes) user(id string) *acknowledged {
	u := c.users[id]
	if u == nil {
		u = &acknowledged{}
		c.users[id] = u
	}
	return u
}

func (c *crashes) putUser(id string) {
	c.mu.Lock()
	u := c.user(id)
	u.sent++
	value := u.sent
	c.mu.Unlock()
	answer := c.send(c.ready.Listen, "PUT", "/v1/users/"+id, c.server, fmt.Sprintf(`{"attributes":{"counter":%d}}`, value))
	c.acknowledge(answer, func() { u.counter = value })
}

func (c *crashes) putEvents(random *rand.Rand) {
	id, event := fmt.Sprintf("e%d", random.IntN(1000)), fmt.Sprintf("id-%d", random.Uint64())
	answer := c.send(c.ready.Listen, "POST", "/v1/events", c.server, fmt.Sprintf(`[{"id":%q,"userId":%q,"name":"tapped"}]`, event, id))
	c.acknowledge(answer, func() { u := c.user(id); u.events = append(u.events, event) })
}

func (c *crashes) publish() {
	path := "/v1/projects/shop/promotions/p"
	c.mu.Lock()
	c.drafts++ // each draft differs, or there would be nothing to publish
	draft := c.drafts
	c.mu.Unlock()
	body := fmt.Sprintf(`{"id":"p","name":"p","rule":"user.counter > %d","placements":[{"placement":101,"priority":1}],"content":{"title":"p"}}`, draft)
	if c.send(c.ready.AdminListen, "PUT", path, c.root, body) == nil {
		return
	}
	answer := c.send(c.ready.AdminListen, "POST", path+":publish", c.root, `{"confirm":true}`)
	c.acknowledge(answer, func() { c.version = max(c.version, answer["rulesVersion"].(float64)); c.publishes++ })
}

func (c *crashes) acknowledge(answer map[string]any, note func()) {
	if answer == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	note()
	c.writes++
	if text, ok := answer["asOf"].(string); ok {
		at, err := hlc.Parse(text)
		if err != nil {
			c.t.Errorf("asOf %q: %v", text, err)
		}
		c.stamp = hlc.Max(c.stamp, at)
	}
}

func (c *crashes) verify(round int) {
	c.t.Helper()
	for id, u := range c.users {
		if u.counter == 0 && len(u.events) == 0 {
			continue // nothing that must be there, or found already
		}
		stored := c.send(c.ready.Listen, "GET", "/v1/users/"+id, c.server, "")
		if stored == nil {
			c.t.Fatalf("round %d: user %s cannot be read", round, id)
		}
		counter, _ := stored["attributes"].(map[string]any)["counter"].(float64)
		if int(counter) < u.counter || int(counter) > u.sent {
			c.t.Fatalf("round %d: user %s has counter %v; %d was acknowledged, %d sent", round, id, counter, u.counter, u.sent)
		}
		found := make(map[string]bool)
		for _, e := range stored["events"].([]any) {
			found[e.(map[string]any)["id"].(string)] = true
		}
		for _, event := range u.events {
			if !found[event] {
				c.t.Fatalf("round %d: event %s of user %s was acknowledged and is gone", round, event, id)
			}
		}
		u.events = nil // found once durable; the next rounds look for newer ones
	}
	answer := c.send(c.ready.Listen, "POST", "/v1/eligibility", c.server, fmt.Sprintf(`{"userId":"u2-1","minAsOf":%q}`, c.stamp))
	if answer == nil {
		c.t.Fatalf("round %d: no decision at the last stamp %s", round, c.stamp)
	}
	if version, _ := answer["rulesVersion"].(float64); version < c.version {
		c.t.Fatalf("round %d: ruleset version %v, but %v was acknowledged", round, version, c.version)
	}
	if asOf, err := hlc.Parse(answer["asOf"].(string)); err != nil || asOf.Before(c.stamp) {
		c.t.Fatalf("round %d: asOf %v lies before %v, which was given out (%v)", round, answer["asOf"], c.stamp, err)
	}
}
