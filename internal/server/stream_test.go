package server

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/profile"
	"eligibility/internal/rules"

	"github.com/golang-jwt/jwt/v5"
)

// listener is a browser's EventSource, as far as the engine can see.
type listener struct {
	t      testing.TB
	res    *http.Response
	cancel context.CancelFunc
	lines  chan string // closed when the stream ends
}

// ticket asks for a token and returns the address that it opens.
func (p *plane) ticket(key, body string, headers ...string) string {
	p.t.Helper()
	a := p.call("POST", "/v1/stream-tokens", key, body, headers...)
	if a.status != 200 {
		p.t.Fatalf("token: %d %s", a.status, a.body)
	}
	return a.json["url"].(string)
}

func (p *plane) listen(url string, headers ...string) *listener {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+p.addr+url, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	l := &listener{t: p.t, cancel: cancel, lines: make(chan string, 100)}
	if l.res, err = p.client.Do(req); err != nil {
		cancel()
		p.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(l.lines)
		for s := bufio.NewScanner(l.res.Body); s.Scan(); {
			l.lines <- s.Text()
		}
	}()
	p.t.Cleanup(func() {
		cancel()
		_ = l.res.Body.Close()
		<-done
	})
	return l
}

// next waits for an event and returns its id; "" when the stream ended.
func (l *listener) next() string {
	l.t.Helper()
	id := ""
	for {
		select {
		case line, open := <-l.lines:
			if !open {
				return ""
			}
			if rest, ok := strings.CutPrefix(line, "id: "); ok {
				id = rest
			}
			if line == "event: changed" {
				return id
			}
		case <-time.After(10 * time.Second):
			l.t.Fatal("no event came")
		}
	}
}

// silent reports whether nothing comes for a while.
func (l *listener) silent() bool {
	for {
		select {
		case line := <-l.lines:
			if strings.HasPrefix(line, "event: ") {
				return false
			}
		case <-time.After(150 * time.Millisecond):
			return true
		}
	}
}

func TestAStreamSaysAskAgain(t *testing.T) {
	p := newPlane(t)
	p.put("ada", `{"attributes":{"country":"FR"}}`)
	l := p.listen(p.ticket(openKey, `{"userId":"ada","placements":[101]}`))
	if l.res.StatusCode != 200 || l.res.Header.Get("Content-Type") != "text/event-stream" || l.res.Header.Get("X-Request-Id") == "" {
		t.Fatalf("%d %v", l.res.StatusCode, l.res.Header)
	}
	before := l.next()
	p.put("ada", `{"attributes":{"country":"DE"}}`)
	after := l.next()
	if after == before || after == "" {
		t.Errorf("event %q after %q", after, before)
	}
	p.put("ada", `{"attributes":{"age":3}}`) // changes nothing that is shown in 101
	if !l.silent() {
		t.Error("told of a write that changes nothing")
	}

	t.Run("a publication", func(t *testing.T) {
		p.publish("shop", rules.Promotion{ID: "new", Rule: "user.country == 'DE'", Placements: target(101, 1)})
		p.streams.Published("shop")
		if id := l.next(); id == after {
			t.Error("the same id")
		}
	})
	t.Run("the passing of time", func(t *testing.T) {
		p.put("ada", `{"attributes":{"country":"FR"}}`) // makes room in the placement
		l.next()
		at := time.Now().Add(-24*time.Hour + 400*time.Millisecond)
		p.call("POST", "/v1/events", serverKey, fmt.Sprintf(`[{"userId":"ada","name":"purchase","occurredAt":%q}]`, at.UTC().Format(time.RFC3339Nano)))
		l.next() // the purchase counts
		began := time.Now()
		l.next() // and after 24 hours it does not
		if waited := time.Since(began); waited > 2*time.Second {
			t.Errorf("told after %v", waited)
		}
	})
	t.Run("coming back", func(t *testing.T) {
		known := p.listen(p.ticket(openKey, `{"userId":"ada","placements":[101]}`))
		id := known.next()
		known.cancel()
		again := p.listen(p.ticket(openKey, `{"userId":"ada","placements":[101]}`), "Last-Event-ID", id)
		if !again.silent() {
			t.Error("told what it knew")
		}
		p.put("ada", `{"attributes":{"country":"DE"}}`)
		if again.next() == id {
			t.Error("the same id")
		}
	})
}

func TestAStreamIsOpenedOnceByWhoMay(t *testing.T) {
	p := newPlane(t)
	p.put("ada", `{"email":"ada@example.org"}`)
	mine := "Bearer " + token(t, jwt.MapClaims{"userId": "ada"})
	byMail := "Bearer " + token(t, jwt.MapClaims{"email": "ada@example.org"})
	bob := "Bearer " + token(t, jwt.MapClaims{"userId": "bob"})
	for _, c := range []struct {
		name, key, body, auth string
		status                int
		code                  string
	}{
		{"server key", serverKey, `{"userId":"ada"}`, "", 200, ""},
		{"open key", openKey, `{"userId":"ada"}`, "", 200, ""},
		{"key and token", clientKey, `{}`, mine, 200, ""},
		{"key and token by e-mail", clientKey, `{"userId":"ada"}`, byMail, 200, ""},
		{"without the token", clientKey, `{"userId":"ada"}`, "", 401, "missing_token"},
		{"with another's token", clientKey, `{"userId":"ada"}`, bob, 403, "user_mismatch"},
		{"admin key", adminKey, `{"userId":"ada"}`, "", 403, "forbidden"},
		{"nobody", openKey, `{}`, "", 400, "missing_field"},
		{"a placement of no kind", openKey, `{"userId":"ada","placements":["x"]}`, "", 400, "wrong_type"},
		{"a question that fits no address", openKey, `{"userId":"ada","context":{"platform":"` + strings.Repeat("x", 3000) + `"}}`, "", 413, "body_too_large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := p.call("POST", "/v1/stream-tokens", c.key, c.body, "Authorization", c.auth)
			if a.status != c.status || a.code() != c.code {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}

	url := p.ticket(openKey, `{"userId":"ada"}`)
	p.listen(url)
	for name, path := range map[string]string{
		"used": url, "none": "/v1/stream", "empty": "/v1/stream?token=", "a key": "/v1/stream?token=" + openKey,
		"two": url + "&token=x", "another parameter": "/v1/stream?key=x",
	} {
		a := p.call("GET", path, "", "")
		if want := 401; a.status != want && (a.status != 400 || a.code() != "invalid_parameter") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if strings.Contains(string(a.body), "token=k3") {
			t.Errorf("%s: the answer repeats the token", name)
		}
	}
	if a := p.call("POST", "/v1/stream", openKey, "{}"); a.status != 405 {
		t.Errorf("POST: %d", a.status)
	}
}

func TestStreamsEndWithTheDrain(t *testing.T) {
	p := newPlane(t)
	p.put("ada", `{}`)
	l := p.listen(p.ticket(openKey, `{"userId":"ada"}`))
	l.next()
	p.streams.Drain()
	if id := l.next(); id != "" {
		t.Errorf("an event %q instead of the end", id)
	}
	if a := p.call("GET", p.ticket(openKey, `{"userId":"ada"}`), "", ""); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("after the drain: %d %s", a.status, a.body)
	}
}

func TestAClientThatIsGoneIsForgotten(t *testing.T) {
	p := newPlane(t)
	p.put("ada", `{}`)
	l := p.listen(p.ticket(openKey, `{"userId":"ada"}`))
	l.next()
	l.cancel()
	for end := time.Now().Add(10 * time.Second); p.streams.Stats().Open > 0; {
		if time.Now().After(end) {
			t.Fatal("the stream is still open")
		}
		runtime.Gosched()
	}
}

// TestFromFlipToNotice writes and measures how long the client waits to be told. The bound is far above what is seen, so that a slow machine passes.
func TestFromFlipToNotice(t *testing.T) {
	p := newPlane(t)
	p.put("ada", `{"attributes":{"country":"FR"}}`)
	l := p.listen(p.ticket(openKey, `{"userId":"ada","placements":[101]}`))
	l.next()
	const flips = 200
	took := make([]time.Duration, 0, flips)
	for i := range flips {
		country := [...]string{"DE", "FR"}[i%2]
		at, _, err := p.store.PutUsers(t.Context(), "shop", []profile.Update{
			{UserID: "ada", Attributes: map[string]json.RawMessage{"country": json.RawMessage(`"` + country + `"`)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		p.announce([]events.Change{{Table: events.TableProfile, Project: "shop", Key: "ada", At: at}})
		l.next()
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("from durable write to notice at the client: p50 %v, p99 %v", took[flips/2], took[flips*99/100])
	if took[flips/2] > time.Second {
		t.Errorf("p50 is %v", took[flips/2])
	}
}

// TestAnOpenStreamIsSmall opens many and holds the memory of the server's side, stacks included, against the goal.
func TestAnOpenStreamIsSmall(t *testing.T) {
	const streams, goal = 2000, 20 << 10
	p := newPlane(t)
	p.put("ada", `{"attributes":{"country":"DE"}}`)
	targets := make([]string, streams)
	for i := range targets {
		targets[i] = p.ticket(openKey, fmt.Sprintf(`{"userId":"user-%d"}`, i))
	}
	before := used()
	for _, target := range targets {
		c, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(20 * time.Second); p.streams.Stats().Told < streams; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%+v", p.streams.Stats())
		}
	}
	each := (used() - before) / streams // below 0 when what earlier tests left is given back meanwhile
	t.Logf("%d bytes for each of %d open streams, the snapshot of its user and the client's socket included", each, streams)
	if each > goal && !raceDetector {
		t.Errorf("an open stream takes %d bytes, want at most %d", each, goal)
	}
}

// used is the memory of heap and stacks after a collection.
func used() int64 {
	runtime.GC()
	runtime.GC() // what the pools hold goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
