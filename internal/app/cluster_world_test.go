package app

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"eligibility/internal/store/crdb/fakefeed"
	"eligibility/internal/store/crdb/standin"
	"eligibility/internal/store/pgtest"
)

// cluster is three replicas, a relay and a standby on one database and one bus, each a process of its own.
type cluster struct {
	t        *testing.T
	dir      string
	database *pgtest.Server
	url      string
	nats     *node
	relays   []*node
	servers  []*node
	root     string
	keys     map[string]string // by kind
	client   *http.Client
	next     atomic.Uint64 // whose turn it is
}

const (
	clusterBound = time.Second // staleness bound of the replicas
	clusterLease = time.Second
)

// newCluster starts one; edit changes the configuration of its relays.
func newCluster(t *testing.T, edit ...func(*Config)) *cluster {
	t.Helper()
	return newWiredCluster(t, func(_, target string) string { return target }, edit...)
}

// newWiredCluster starts one whose members reach the bus and the database by the addresses that wire returns.
func newWiredCluster(t *testing.T, wire func(member, target string) (address string), edit ...func(*Config)) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir(), database: pgtest.Start(t), keys: map[string]string{}, client: &http.Client{Timeout: 5 * time.Second}}
	c.url = c.database.Database(t)
	cfg := Defaults()
	cfg.Store, cfg.CRDBURL = storeCRDB, c.url
	if _, err := cfg.MigrateUp(t.Context(), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if err := standin.Apply(t.Context(), c.url); err != nil {
		t.Fatal(err)
	}
	c.secrets(&cfg)
	port := freePort(t)
	cfg.Nats = fmt.Sprintf("nats://127.0.0.1:%d", port)
	cfg.Listen, cfg.AdminListen, cfg.OpsListen = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.CacheBytes, cfg.Bound, cfg.RelayLease, cfg.ClientRate = 16<<20, clusterBound, clusterLease, 0
	c.nats = c.node("nats", spec{Role: "nats", NatsPort: port, NatsDir: filepath.Join(c.dir, "bus")})
	c.nats.launch()
	// The relays follow a changefeed in front of the same database, which repeats, re-orders and breaks off.
	feed := fakefeed.Start(t, fakefeed.Options{
		Source: fakefeed.Outbox{URL: c.url}, Behind: c.url, Faults: fakefeed.Faults{Repeats: 0.05, CutAfter: 2000},
	})
	for _, name := range []string{"relay", "standby"} {
		own := wired(t, cfg, name, feed.URL, wire)
		for _, e := range edit {
			e(&own)
		}
		c.relays = append(c.relays, c.node(name, spec{Role: "relay", Config: own}))
	}
	cfg.Relay = false
	for i := range 3 {
		name := fmt.Sprintf("server%d", i)
		c.servers = append(c.servers, c.node(name, spec{Role: "serve", Config: wired(t, cfg, name, c.url, wire)}))
	}
	all := append(append([]*node{}, c.relays...), c.servers...)
	for _, m := range all {
		m.launch()
	}
	for _, m := range c.relays {
		m.await()
	}
	if c.relays[0].spec.Config.Feed == feedWebhook {
		c.startJob()
	}
	for _, m := range c.servers {
		m.await()
	}
	return c
}

// secrets writes the keys that the replicas share.
func (c *cluster) secrets(cfg *Config) {
	c.t.Helper()
	c.root = rand.Text()
	cfg.RootKeyFile, cfg.SecretKeyFile = filepath.Join(c.dir, "root.key"), filepath.Join(c.dir, "secret.key")
	for path, text := range map[string]string{cfg.RootKeyFile: c.root, cfg.SecretKeyFile: base64.StdEncoding.EncodeToString([]byte(rand.Text() + rand.Text())[:32])} {
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c *cluster) node(name string, s spec) *node {
	m := &node{t: c.t, name: name, spec: s, dir: c.dir}
	c.t.Cleanup(func() { m.end(syscall.SIGKILL) })
	return m
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// ask sends a request and returns status 0 when no answer came.
func (c *cluster) ask(address, method, path, key string, body any) (int, map[string]any) {
	text, ok := body.(string)
	if !ok && body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			c.t.Error(err)
		}
		text = string(raw)
	}
	req, err := http.NewRequest(method, "http://"+address+path, strings.NewReader(text))
	if err != nil {
		c.t.Error(err)
		return 0, nil
	}
	req.Header.Set("Api-Key", key)
	if text != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.client.Do(req)
	if err != nil {
		return 0, nil
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, nil
	}
	var answer map[string]any
	_ = json.Unmarshal(raw, &answer) // what is no object has no fields
	return res.StatusCode, answer
}

// must is ask until the status is below 300; members may be on their way up.
func (c *cluster) must(address, method, path, key string, body any) map[string]any {
	c.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		status, answer := c.ask(address, method, path, key, body)
		if status != 0 && status < 300 {
			return answer
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%s %s: %d %v", method, path, status, answer)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// shop makes the project that the tests work in: a message for users whose counter has reached what the request asks for.
func (c *cluster) shop() {
	c.t.Helper()
	control := c.servers[0].at().AdminListen
	c.must(control, "POST", "/v1/projects", c.root, `{"project":"shop"}`)
	for _, declare := range []string{
		`attributes {"name":"counter","type":"int"}`, `context {"name":"atLeast","type":"int"}`, `placements {"placement":101,"name":"home","limit":1}`,
	} {
		path, body, _ := strings.Cut(declare, " ")
		c.must(control, "POST", "/v1/projects/shop/"+path, c.root, body)
	}
	c.keys["server"] = c.must(control, "POST", "/v1/projects/shop/keys", c.root, `{"kind":"server"}`)["key"].(string)
	for _, m := range c.servers {
		c.eventually(m.name+" knows the key", func() bool {
			status, _ := c.ask(m.at().Listen, "POST", "/v1/eligibility", c.keys["server"], `{"userId":"nobody","context":{"atLeast":1}}`)
			return status == 200
		})
	}
	c.publish(control, "user.counter >= request.atLeast")
}

// publish puts the promotion's rule into force on every replica that lives.
func (c *cluster) publish(control, rule string) map[string]any {
	c.t.Helper()
	body := map[string]any{
		"id": "p", "name": "p", "rule": rule, "placements": []any{map[string]any{"placement": 101, "priority": 1}}, "content": map[string]any{"title": "p"},
	}
	c.must(control, "PUT", "/v1/projects/shop/promotions/p", c.root, body)
	return c.must(control, "POST", "/v1/projects/shop/promotions/p:publish?wait=10s", c.root, `{"confirm":true}`)
}

// run is a part of a test: what fails in it fails it.
func (c *cluster) run(t *testing.T, name string, part func(t *testing.T)) {
	t.Run(name, func(t *testing.T) {
		whole := c.t
		c.t = t
		defer func() { c.t = whole }()
		part(t)
	})
}

// server is the next replica in turn.
func (c *cluster) server() *node { return c.servers[c.next.Add(1)%uint64(len(c.servers))] }

// verdict is what a client saw of one decision.
type verdict struct {
	status   int
	code     string // of a problem
	shown    bool
	degraded bool
	asOf     string
}

// reached asks whether the user's counter is at least n.
func (c *cluster) reached(m *node, user string, n int, minAsOf string) verdict {
	body := map[string]any{"userId": user, "context": map[string]any{"atLeast": n}}
	if minAsOf != "" {
		body["minAsOf"] = minAsOf
	}
	status, answer := c.ask(m.at().Listen, "POST", "/v1/eligibility", c.keys["server"], body)
	v := verdict{status: status}
	v.code, _ = answer["code"].(string)
	v.degraded, _ = answer["degraded"].(bool)
	v.asOf, _ = answer["asOf"].(string)
	placements, _ := answer["placements"].([]any)
	for _, p := range placements {
		messages, _ := p.(map[string]any)["messages"].([]any)
		v.shown = v.shown || len(messages) > 0
	}
	return v
}

// count writes the user's counter and returns the stamp, empty when it was not acknowledged.
func (c *cluster) count(m *node, user string, n int) string {
	_, answer := c.ask(m.at().Listen, "PUT", "/v1/users/"+user, c.keys["server"], fmt.Sprintf(`{"attributes":{"counter":%d}}`, n))
	stamp, _ := answer["asOf"].(string)
	return stamp
}

// leader is the relay that leads, nil while none does.
func (c *cluster) leader() *node {
	for _, m := range c.relays {
		if m.cmd == nil {
			continue
		}
		res, err := c.client.Get("http://" + m.at().OpsListen + "/metrics")
		if err != nil {
			continue
		}
		text, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if bytes.Contains(text, []byte("\neligibility_relay_leading 1\n")) {
			return m
		}
	}
	return nil
}

// awaitLeader waits until a relay leads.
func (c *cluster) awaitLeader() (leader *node) {
	c.t.Helper()
	c.eventually("a relay leads", func() bool {
		leader = c.leader()
		return leader != nil
	})
	return leader
}

func (c *cluster) eventually(what string, holds func() bool) time.Duration {
	c.t.Helper()
	began := time.Now()
	for !holds() {
		if time.Since(began) > patience {
			c.logs()
			c.t.Fatalf("never came true: %s", what)
		}
		<-time.After(10 * time.Millisecond)
	}
	return time.Since(began)
}

// logs shows the end of what the members have logged.
func (c *cluster) logs() {
	for _, m := range append(append([]*node{}, c.relays...), c.servers...) {
		text, _ := os.ReadFile(m.logFile())
		lines := strings.Split(string(text), "\n")
		c.t.Logf("%s:\n%s", m.name, strings.Join(lines[max(0, len(lines)-12):], "\n"))
	}
}
