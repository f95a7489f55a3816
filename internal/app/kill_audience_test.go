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

// TestKillInTheMiddleOfAnAudience: a replica is killed with SIGKILL while a job works on several ranges of users. What could be read before each kill is how the results of the end begin,
// and these have every user once, in order.
func TestKillInTheMiddleOfAnAudience(t *testing.T) {
	const users = 20_000
	c := &crashes{t: t, dir: t.TempDir(), random: rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano()))), users: make(map[string]*acknowledged)}
	c.spawn()
	c.setUp()
	path := "/v1/projects/shop/promotions/all"
	c.send(c.ready.AdminListen, "PUT", path, c.root, `{"id":"all","name":"all","rule":"true","channels":["email"],"content":{"title":"all"}}`)
	c.send(c.ready.AdminListen, "POST", path+":publish?wait=5s", c.root, `{"confirm":true}`)
	for from := 0; from < users; from += 1000 {
		var batch []string
		for n := from; n < from+1000; n++ {
			batch = append(batch, fmt.Sprintf(`{"userId":"k%05d","attributes":{"counter":1}}`, n))
		}
		c.send(c.ready.Listen, "POST", "/v1/users:bulk", c.server, "["+strings.Join(batch, ",")+"]")
	}
	const jobs = "/v1/projects/shop/audiences"
	job := c.send(c.ready.BulkListen, "POST", jobs, c.server, `{"promotion":"all","channel":"email","lines":"all"}`)
	id, _ := job["id"].(string)
	var read [][]byte
	midway := 0
	for range 5 {
		timer := time.NewTimer(time.Duration(1+c.random.IntN(30)) * time.Millisecond)
		<-timer.C
		read = append(read, c.results(jobs, id))
		if now := c.send(c.ready.BulkListen, "GET", jobs+"/"+id, c.server, ""); now["state"] == "running" {
			midway++
		}
		c.kill()
		c.spawn()
	}
	var end map[string]any
	for state := any(nil); state != "done"; state = end["state"] {
		timer := time.NewTimer(10 * time.Millisecond)
		<-timer.C
		end = c.send(c.ready.BulkListen, "GET", jobs+"/"+id, c.server, "")
		if s := end["state"]; s != "queued" && s != "running" && s != "done" {
			t.Fatalf("the job is %v", end)
		}
	}
	whole := c.results(jobs, id)
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
