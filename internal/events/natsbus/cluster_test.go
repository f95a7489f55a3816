package natsbus

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// nodes is a NATS cluster in this process.
type nodes struct {
	t       *testing.T
	servers []*server.Server
	dirs    []string
	ports   []int // of clients
	routes  []int // between the servers
}

func newNodes(t *testing.T, n int) *nodes {
	t.Helper()
	c := &nodes{t: t, servers: make([]*server.Server, n)}
	for range n {
		c.dirs, c.ports, c.routes = append(c.dirs, t.TempDir()), append(c.ports, freePort(t)), append(c.routes, freePort(t))
	}
	for i := range n {
		c.start(i)
	}
	return c
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

func (c *nodes) start(i int) {
	c.t.Helper()
	c.servers[i] = brokerWith(c.t, c.dirs[i], c.ports[i], func(o *server.Options) {
		o.ServerName = fmt.Sprintf("n%d", i)
		o.Cluster = server.ClusterOpts{Name: "bus", Host: "127.0.0.1", Port: c.routes[i]}
		for _, port := range c.routes {
			o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", port)})
		}
	})
}

func (c *nodes) url() string {
	urls := make([]string, len(c.ports))
	for i, port := range c.ports {
		urls[i] = fmt.Sprintf("nats://127.0.0.1:%d", port)
	}
	return strings.Join(urls, ",")
}

// leader is the server that leads the stream, -1 while none does.
func (c *nodes) leader() int {
	for i, s := range c.servers {
		if s.Running() && s.JetStreamIsStreamLeader(server.DEFAULT_GLOBAL_ACCOUNT, StreamName) {
			return i
		}
	}
	return -1
}

// await waits until the stream has a leader and all its copies are up to date.
func (c *nodes) await(b *Bus) {
	c.t.Helper()
	deadline := time.Now().Add(3 * patience)
	for {
		info, err := b.streamInfo(context.Background())
		if err == nil && info.Cluster != nil && info.Cluster.Leader != "" && len(info.Cluster.Replicas) == 2 &&
			info.Cluster.Replicas[0].Current && info.Cluster.Replicas[1].Current {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("the stream has not become whole: %v", err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// One of three servers goes at a time, the leader of the stream first, and comes back. Commits go on; none is passed by a watermark before its
// floor is raised, and every replica catches up.
func TestAClusterOutlivesEachOfItsServers(t *testing.T) {
	c := newNodes(t, 3)
	three := func(cfg *Config) { cfg.Stream.Replicas, cfg.RequestTimeout = 3, 2*time.Second }
	first := connected(t, c.url(), three)
	second := connected(t, c.url(), three)
	c.await(first)
	db := newDatabase()
	judges := []*judge{newJudge(db), newJudge(db)}
	follower(t, db, first, judges[0])
	follower(t, db, second, judges[1])
	relay(t, db, first, "a")
	relay(t, db, second, "b")

	ctx, cancel := context.WithCancel(context.Background())
	var writer sync.WaitGroup
	writer.Go(func() {
		for ctx.Err() == nil {
			db.commit(fmt.Sprintf("u%d", rand.N(200)))
			select {
			case <-time.After(2 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
	defer writer.Wait()
	defer cancel()
	catchUp := func(what string) {
		t.Helper()
		began, at := time.Now(), db.clock()
		for _, j := range judges {
			j.reach(t, at)
		}
		t.Logf("%s: both replicas caught up after %v", what, time.Since(began).Round(time.Millisecond))
	}
	catchUp("start")
	gone := c.leader()
	if gone < 0 {
		t.Fatal("no server leads the stream")
	}
	for range 2 {
		halt(c.servers[gone])
		catchUp(fmt.Sprintf("server %d gone", gone))
		c.start(gone)
		c.await(first)
		catchUp(fmt.Sprintf("server %d back", gone))
		gone = (gone + 1) % 3
	}
}
