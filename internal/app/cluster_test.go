package app

import (
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// What three replicas owe each other when nothing breaks.
func TestReplicasAreOne(t *testing.T) {
	c := newCluster(t)
	c.shop()
	c.run(t, "a publish waits for every replica", func(t *testing.T) {
		answer := c.publish(c.servers[1].at().AdminListen, "user.counter >= request.atLeast && true")
		replicas, _ := answer["replicas"].(map[string]any)
		if replicas["applied"] != 3.0 || replicas["live"] != 3.0 {
			t.Errorf("publish answered %v, want 3 of 3 replicas", answer)
		}
		t.Logf("live on 3 of 3 replicas after %v ms", answer["millis"])
	})
	c.run(t, "a write's stamp is seen by every replica", func(t *testing.T) {
		for n := 1; n <= 30; n++ {
			stamp := c.count(c.servers[n%3], "ada", n)
			if stamp == "" {
				t.Fatal("the write was not acknowledged")
			}
			for _, m := range c.servers {
				if got := c.reached(m, "ada", n, stamp); got.status != 200 || !got.shown {
					t.Fatalf("%s after write %d: %+v", m.name, n, got)
				}
			}
		}
	})
	c.run(t, "a revoked key is refused by every replica", func(t *testing.T) {
		made := c.must(c.servers[0].at().AdminListen, "POST", "/v1/projects/shop/keys", c.root, `{"kind":"server"}`)
		key, id := made["key"].(string), made["id"].(string)
		known := func(m *node) bool {
			status, _ := c.ask(m.at().Listen, "POST", "/v1/eligibility", key, `{"userId":"ada","context":{"atLeast":1}}`)
			return status == 200
		}
		for _, m := range c.servers {
			c.eventually(m.name+" knows the new key", func() bool { return known(m) })
		}
		c.must(c.servers[1].at().AdminListen, "POST", "/v1/projects/shop/keys/"+id+":revoke", c.root, nil)
		for _, m := range c.servers {
			took := c.eventually(m.name+" refuses the revoked key", func() bool { return !known(m) })
			t.Logf("%s refuses it after %v", m.name, took.Round(time.Millisecond))
		}
	})
	c.run(t, "pre-checks that come over the bus are shared by every replica", func(t *testing.T) {
		conn, err := nats.Connect(c.servers[0].spec.Config.Nats)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		ask := &nats.Msg{Subject: "eligibility.precheck", Header: nats.Header{"Api-Key": {c.keys["server"]}}, Data: []byte(`{"promotion":"p","channel":"push","userIds":["ada"]}`)}
		for range 60 {
			m, err := conn.RequestMsg(ask, patience)
			if err != nil || !strings.HasPrefix(string(m.Data), `{"userId":"ada","eligible":false,"reason":"not_targeted"}`) {
				t.Fatalf("%v %+v", err, m)
			}
		}
		for _, m := range c.servers {
			res, err := c.client.Get("http://" + m.at().OpsListen + "/metrics")
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(res.Body)
			if err = errors.Join(err, res.Body.Close()); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), `eligibility_bus_prechecks_total{result="answered"} `) || strings.Contains(string(text), "bus_prechecks_total{result=\"answered\"} 0\n") {
				t.Errorf("%s answered none of them", m.name)
			}
		}
	})
	c.run(t, "a standby takes over at once when the leader is told to stop", func(t *testing.T) {
		first := c.leader()
		if first == nil {
			t.Fatal("no relay leads")
		}
		if code := first.end(syscall.SIGTERM); code != 0 {
			t.Errorf("the relay's exit code is %d", code)
		}
		took := c.eventually("the standby leads", func() bool { return c.leader() != nil })
		t.Logf("the standby leads %v after SIGTERM", took.Round(time.Millisecond))
		if took > 2*time.Second {
			t.Errorf("the standby took %v", took)
		}
		first.launch()
		first.await()
	})
	c.run(t, "without a relay rulesets still reach every replica", func(t *testing.T) {
		for _, m := range c.relays {
			m.end(syscall.SIGKILL)
		}
		answer := c.publish(c.servers[2].at().AdminListen, "user.counter >= request.atLeast || false")
		if replicas, _ := answer["replicas"].(map[string]any); replicas["applied"] != 3.0 {
			t.Errorf("publish answered %v, want anti-entropy to bring it to all", answer)
		}
		stamp := c.count(c.servers[0], "ada", 1000)
		for _, m := range c.servers {
			if got := c.reached(m, "ada", 1000, stamp); !got.shown {
				t.Errorf("%s: %+v", m.name, got)
			}
		}
	})
}
