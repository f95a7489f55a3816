package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestKillInTheMiddleOfAnAudience: a replica is killed with SIGKILL while a job works on several ranges of users, each time when one more checkpoint was seen. What could be read before each kill is how the results of the end begin,
// and these have every user once, in order.
func TestKillInTheMiddleOfAnAudience(t *testing.T) {
	const users = 100_000
	c := &crashes{t: t, dir: t.TempDir(), random: rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano()))), users: make(map[string]*acknowledged)}
	c.spawn()
	c.setUp()
	path := "/v1/projects/shop/promotions/all"
	c.send(c.ready.AdminListen, "PUT", path, c.root, `{"id":"all","name":"all","rule":"true","channels":["email"],"content":{"title":"all"}}`)
	c.send(c.ready.AdminListen, "POST", path+":publish?wait=5s", c.root, `{"confirm":true}`)
	for from := 0; from < users; from += 1000 {
		var batch []string
		for n := from; n < from+1000; n++ {
			batch = append(batch, fmt.Sprintf(`{"userId":"k%06d","attributes":{"counter":1}}`, n))
		}
		c.send(c.ready.Listen, "POST", "/v1/users:bulk", c.server, "["+strings.Join(batch, ",")+"]")
	}
	const jobs = "/v1/projects/shop/audiences"
	asked := c.askOn() // so that the job has a tenth of a processor and lasts
	job := c.send(c.ready.BulkListen, "POST", jobs, c.server, `{"promotion":"all","channel":"email","lines":"all","publish":true}`)
	id, _ := job["id"].(string)
	show := func() map[string]any { return c.send(c.ready.BulkListen, "GET", jobs+"/"+id, c.server, "") }
	var read [][]byte
	known, midway := 0.0, 0
	for done := false; !done && len(read) < 4; {
		for seen := known; seen == known && !done; { // until there is a checkpoint more
			timer := time.NewTimer(5 * time.Millisecond)
			<-timer.C
			now := show()
			known, _ = now["users"].(float64)
			done = now["state"] == "done"
		}
		timer := time.NewTimer(time.Duration(c.random.IntN(300)) * time.Millisecond)
		<-timer.C
		read = append(read, c.results(jobs, id))
		c.kill()
		asked()
		c.spawn()
		asked = c.askOn()
		now := show()
		if now["state"] != "done" { // on disk: it was at work when it was killed
			midway++
		}
		users, _ := now["users"].(float64)
		if users < known {
			t.Errorf("%v users after kill %d, %v before: %v", users, len(read), known, now)
		}
		known = users
	}
	asked()
	if midway == 0 {
		t.Error("no kill came while the job was at work: the test tests nothing")
	}
	var end map[string]any
	for state := any(nil); state != "done"; state = end["state"] {
		timer := time.NewTimer(10 * time.Millisecond)
		<-timer.C
		end = show()
		if s := end["state"]; s != "queued" && s != "running" && s != "done" {
			t.Fatalf("the job is %v", end)
		}
	}
	whole := c.results(jobs, id)
	// The bus lived in the processes that were killed: the last one has everything again.
	if on, _ := end["published"].(map[string]any); on["whole"] != true || on["bytes"] != float64(len(whole)) {
		t.Errorf("%v is on the bus, the results have %d bytes", on, len(whole))
	}
	c.kill()
	last, n := "", 0
	for line := range bytes.Lines(whole) {
		var user struct{ UserID string }
		if err := json.Unmarshal(line, &user); err != nil || user.UserID <= last {
			t.Fatalf("%q stands behind %s: %v", line, last, err)
		}
		last = user.UserID
		n++
	}
	if float64(n) != end["users"] || n < users {
		t.Errorf("%d lines, want %d: %v", n, users, end)
	}
	for i, part := range read {
		if !bytes.HasPrefix(whole, part) {
			t.Errorf("the %d bytes that were read before kill %d are not how the results begin", len(part), i)
		}
	}
	t.Logf("%d of %d kills in the middle, %v", midway, len(read), end["ranges"])
}

// askOn asks as apps do until it is ended, whether the replica is there or not.
func (c *crashes) askOn() (end func()) {
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				c.send(c.ready.Listen, "POST", "/v1/eligibility", c.server, `{"userId":"k000000"}`)
			}
		}
	}()
	return func() {
		close(stop)
		<-ended
	}
}

// results downloads what there is.
func (c *crashes) results(jobs, id string) []byte {
	req, err := http.NewRequest(http.MethodGet, "http://"+c.ready.BulkListen+jobs+"/"+id+"/results", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Api-Key", c.server)
	res, err := c.client.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		c.t.Fatalf("results: %d %s %v", res.StatusCode, text, err)
	}
	return text
}
