package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestKillInTheMiddleOfSends: a replica is killed with SIGKILL while two workers reserve the last slots of a promotion and confirm them. They begin again under the same ids. In the
// end exactly as many users have a send as there were slots, none has two, and whoever was told that his is confirmed is among them.
func TestKillInTheMiddleOfSends(t *testing.T) {
	const slots, perWorker, chunk = 600, 500, 25
	c := &crashes{t: t, dir: t.TempDir(), random: rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano()))), users: make(map[string]*acknowledged)}
	c.spawn()
	c.setUp()
	path := "/v1/projects/shop/promotions/last"
	c.send(c.ready.AdminListen, "PUT", path, c.root, fmt.Sprintf(
		`{"id":"last","name":"last","rule":"true","channels":["email"],"send":{"sendLimit":%d,"caps":[{"sends":1,"per":"24h"}]},"content":{"title":"last"}}`, slots))
	c.send(c.ready.AdminListen, "POST", path+":publish?wait=5s", c.root, `{"confirm":true}`)
	workers := []*worker{{name: "a", perWorker: perWorker}, {name: "b", perWorker: perWorker}}
	for _, w := range workers {
		var users []string
		for n := range perWorker {
			users = append(users, fmt.Sprintf(`{"userId":"%s%d","attributes":{"counter":1}}`, w.name, n))
		}
		c.send(c.ready.Listen, "POST", "/v1/users:bulk", c.server, "["+strings.Join(users, ",")+"]")
	}
	kills := 0
	for done := false; !done; {
		var group sync.WaitGroup
		stop := make(chan struct{})
		for _, w := range workers {
			group.Go(func() { w.work(c, chunk, stop) })
		}
		if kills < 4 {
			timer := time.NewTimer(time.Duration(10+c.random.IntN(80)) * time.Millisecond)
			<-timer.C
			c.kill()
			close(stop)
			group.Wait()
			c.spawn()
			kills++
			continue
		}
		group.Wait()
		done = true
	}
	sent, told := 0, 0
	for _, w := range workers {
		for n := range perWorker {
			user := fmt.Sprintf("%s%d", w.name, n)
			stored := c.send(c.ready.Listen, "GET", "/v1/users/"+user, c.server, "")
			events, _ := stored["events"].([]any)
			if len(events) > 1 {
				t.Errorf("%s has %d sends", user, len(events))
			}
			if w.confirmed[n] {
				told++
			}
			if w.confirmed[n] && len(events) != 1 {
				t.Errorf("%s was told to be sent and is not", user)
			}
			sent += len(events)
		}
	}
	c.kill()
	if sent != slots || told != slots {
		t.Errorf("%d sends are recorded and %d were told of, want %d", sent, told, slots)
	}
	t.Logf("%d kills while %d users asked for %d slots", kills, 2*perWorker, slots)
}

// worker sends to users of its own, in order.
type worker struct {
	name      string
	perWorker int
	next      int // whom it was not told of yet
	confirmed map[int]bool
}

// work goes on until all are answered or stop, whichever is first; a call without an answer is made again.
func (w *worker) work(c *crashes, chunk int, stop <-chan struct{}) {
	if w.confirmed == nil {
		w.confirmed = make(map[int]bool)
	}
	for w.next < w.perWorker {
		select {
		case <-stop:
			return
		default:
		}
		var asks, sends []string
		for n := w.next; n < min(w.next+chunk, w.perWorker); n++ {
			asks = append(asks, fmt.Sprintf(`{"userId":"%s%d","reserve":{"sendId":"x","for":"10m"}}`, w.name, n))
		}
		lines := c.lines("/v1/precheck", `{"promotion":"last","channel":"email","users":[`+strings.Join(asks, ",")+`]}`)
		if len(lines) != len(asks)+1 { // with its summary, or it was cut
			continue
		}
		var places []int
		for i, line := range lines[:len(asks)] {
			switch line["reason"] {
			case "eligible":
				sends = append(sends, fmt.Sprintf(`{"userId":%q,"sendId":"x"}`, line["userId"]))
				places = append(places, w.next+i)
			case "already_sent", "send_cap": // confirmed by a call whose answer was lost
				w.confirmed[w.next+i] = true
			case "send_limit":
			default:
				c.t.Errorf("%v", line)
			}
		}
		if len(sends) > 0 {
			results := c.lines("/v1/precheck/reservations:confirm", `{"sends":[`+strings.Join(sends, ",")+`]}`)
			if len(results) != 1 {
				continue // and all of it again
			}
			for i, result := range results[0]["results"].([]any) {
				if state := result.(map[string]any)["state"]; state != "confirmed" {
					c.t.Errorf("%s%d is %v", w.name, places[i], state)
				}
				w.confirmed[places[i]] = true
			}
		}
		w.next += len(asks)
	}
}

// lines makes a call of the decision plane and returns its answer line by line, nil when it did not come whole.
func (c *crashes) lines(path, body string) []map[string]any {
	req, err := http.NewRequest(http.MethodPost, "http://"+c.ready.Listen+path, strings.NewReader(body))
	if err != nil {
		c.t.Error(err)
		return nil
	}
	req.Header.Set("Api-Key", c.server)
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
	if res.StatusCode != http.StatusOK {
		c.t.Errorf("POST %s: %d %s", path, res.StatusCode, text)
		return nil
	}
	var lines []map[string]any
	for line := range bytes.Lines(text) {
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil {
			return nil
		}
		lines = append(lines, v)
	}
	return lines
}
