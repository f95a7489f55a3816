package app

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestAPublishThatWasKilledIsRepeatedOnce kills a replica while it publishes under an idempotency key. Whether or not the commit was there when the
// process died, the repetition answers the one version that this publish made.
func TestAPublishThatWasKilledIsRepeatedOnce(t *testing.T) {
	c := &crashes{t: t, dir: t.TempDir(), random: rand.New(rand.NewPCG(2, uint64(time.Now().UnixNano()))), users: make(map[string]*acknowledged)}
	c.spawn()
	c.setUp()
	rounds := max(kills(t)/2, 5)
	committed, answered := 0, 0
	for round := range rounds {
		key := fmt.Sprintf("publish-%d", round)
		body := fmt.Sprintf(`{"id":"p","name":"p","rule":"user.counter > %d","placements":[{"placement":101,"priority":1}],"content":{"title":"p"}}`, round)
		if c.send(c.ready.AdminListen, "PUT", "/v1/projects/shop/promotions/p", c.root, body) == nil {
			t.Fatal("no draft")
		}
		before := c.rulesVersion()
		var first map[string]any
		var group sync.WaitGroup
		group.Go(func() { first, _ = c.publishUnder(key) })
		timer := time.NewTimer(time.Duration(c.random.IntN(6_000)) * time.Microsecond)
		<-timer.C
		c.kill()
		group.Wait()
		c.spawn()
		found := c.rulesVersion()
		again, replayed := c.publishUnder(key)
		if again == nil {
			t.Fatalf("round %d: the repetition was not answered", round)
		}
		version, _ := again["rulesVersion"].(float64)
		switch {
		case version != before+1 || c.rulesVersion() != before+1:
			t.Fatalf("round %d: version %v before, %v after the kill, the repetition says %v and leaves %v", round, before, found, version, c.rulesVersion())
		case replayed != (found == before+1):
			t.Fatalf("round %d: version %v before, %v after the kill: the repetition is one: %t", round, before, found, replayed)
		case first != nil && (first["rulesVersion"] != version || !replayed):
			t.Fatalf("round %d: version %v was acknowledged, the repetition says %v", round, first["rulesVersion"], version)
		}
		if replayed {
			committed++
		}
		if first != nil {
			answered++
		}
	}
	c.kill()
	t.Logf("%d kills: %d publishes were committed by then, %d of them answered", rounds, committed, answered)
}

func (c *crashes) rulesVersion() float64 {
	c.t.Helper()
	answer := c.send(c.ready.AdminListen, "GET", "/v1/projects/shop", c.root, "")
	if answer == nil {
		c.t.Fatal("the project cannot be read")
	}
	version, _ := answer["rulesVersion"].(float64)
	return version
}

// publishUnder publishes under an idempotency key; nil for an answer that never came. replayed is what the answer says about itself.
func (c *crashes) publishUnder(key string) (answer map[string]any, replayed bool) {
	req, err := http.NewRequest("POST", "http://"+c.ready.AdminListen+"/v1/projects/shop/promotions/p:publish", strings.NewReader(`{"confirm":true}`))
	if err != nil {
		c.t.Error(err)
		return nil, false
	}
	req.Header.Set("Api-Key", c.root)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	res, err := c.client.Do(req)
	if err != nil {
		return nil, false
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, false
	}
	return reply{status: res.StatusCode, body: text}.json(c.t), res.Header.Get("Idempotent-Replayed") == "true"
}
