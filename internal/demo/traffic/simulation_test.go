package traffic

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// plane is a decision plane that knows one rule: "late" is shown from some instant on, and "viewed" to those who looked at a product.
type plane struct {
	lateFrom time.Time
	fail     bool // answers 503 to everything

	mu     sync.Mutex
	viewed map[string]bool
	calls  map[string]int // by path and key
	faults []string
}

func (p *plane) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls[r.URL.Path+" "+r.Header.Get("Api-Key")]++
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
		p.faults = append(p.faults, r.Method+" "+r.Header.Get("Content-Type"))
	}
	if p.fail {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"code":"store_unavailable"}`)
		return
	}
	switch r.URL.Path {
	case "/v1/eligibility":
		var q question
		p.decode(r, &q)
		_, _ = io.WriteString(w, p.decide(&q))
	case "/v1/events":
		var items []happening
		p.decode(r, &items)
		for _, item := range items {
			p.viewed[item.UserID] = p.viewed[item.UserID] || item.Name == "product_viewed"
		}
		_, _ = io.WriteString(w, `{"accepted":1,"failed":[],"asOf":"17.0000000000"}`)
	case "/v1/engagement":
		_, _ = io.WriteString(w, `{"asOf":"17.0000000000"}`)
	default:
		p.faults = append(p.faults, r.URL.Path)
	}
}

func (p *plane) decode(r *http.Request, into any) {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		p.faults = append(p.faults, err.Error())
	}
}

func (p *plane) decide(q *question) string {
	messages, until := []string{}, "null"
	if now := time.Now(); now.Before(p.lateFrom) {
		until = fmt.Sprintf("%q", p.lateFrom.Format(time.RFC3339Nano))
		messages = append(messages, `{"messageId":"m0","promotion":"early"}`)
	} else {
		messages = append(messages, `{"messageId":"m1","promotion":"late"}`)
	}
	if p.viewed[q.UserID] {
		messages = append(messages, `{"messageId":"m2","promotion":"viewed"}`)
	}
	rejected := ""
	if q.Explain {
		rejected = `"rejected":[{"promotion":"early","placement":101,"reason":"rule_false","detail":"now < late"}],`
	}
	return fmt.Sprintf(`{"placements":[{"placement":101,"messages":[%s]}],%s"rulesVersion":7,"validUntil":%s}`,
		strings.Join(messages, ","), rejected, until)
}

func start(t *testing.T, p *plane, change func(*Config)) (*Simulation, <-chan Notice, *bytes.Buffer) {
	t.Helper()
	p.viewed, p.calls = map[string]bool{}, map[string]int{}
	server := httptest.NewServer(p)
	notices := make(chan Notice, 1000)
	var log bytes.Buffer
	cfg := Defaults()
	cfg.URL, cfg.ClientKey, cfg.ServerKey, cfg.Rate, cfg.Workers, cfg.Crowd = server.URL, "client", "server", 2000, 1, 50
	cfg.Known = map[string]Known{"late": {Name: "Late", Reads: []string{"cart_added"}}}
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	cfg.Notice = func(n Notice) {
		select {
		case notices <- n:
		default:
		}
	}
	change(&cfg)
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Start(context.Background())
	t.Cleanup(func() {
		s.Stop()
		server.Close()
		for _, fault := range p.faults {
			t.Errorf("a request was not as the plane takes it: %s", fault)
		}
	})
	return s, notices, &log
}

// await returns the first notice that fits.
func await(t *testing.T, notices <-chan Notice, what string, fits func(Notice) bool) Notice {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case n := <-notices:
			if fits(n) {
				return n
			}
		case <-deadline:
			t.Fatalf("no notice of %s came", what)
		}
	}
}

func TestTimeAloneIsNoticedAtValidUntil(t *testing.T) {
	p := &plane{lateFrom: time.Now().Add(500 * time.Millisecond)}
	_, notices, _ := start(t, p, func(cfg *Config) {
		cfg.Cast = []Role{{UserID: "ben", Name: "ben", Still: true, Last: map[string]time.Time{"cart_added": time.Now().Add(-30 * time.Minute)}}}
	})
	gained := await(t, notices, "ben gaining Late", func(n Notice) bool { return n.Gained })
	if gained.User != "ben" || gained.Promotion != "Late" || gained.Placement != 101 || !strings.HasPrefix(gained.Why, "30m") ||
		!strings.HasSuffix(gained.Why, "after cart_added, time passed") {
		t.Errorf("the notice is %+v", gained)
	}
	if early := p.lateFrom.Sub(gained.At); early > 0 {
		t.Errorf("it came %v before validUntil", early)
	}
	lost := await(t, notices, "ben losing early", func(n Notice) bool { return !n.Gained })
	if lost.Promotion != "early" || lost.Why != "rule_false: now < late" {
		t.Errorf("the notice is %+v, want the explained reason", lost)
	}
}

func TestTheCastActsAndTheCrowdAsks(t *testing.T) {
	p := &plane{}
	s, notices, _ := start(t, p, func(cfg *Config) {
		cfg.Cast = []Role{{UserID: "u1", Name: "Una"}, {UserID: "u2", Name: "Udo"}, {UserID: "ada", Name: "ada", Still: true}}
	})
	n := await(t, notices, "a gain after a view", func(n Notice) bool { return n.Gained && n.Promotion == "viewed" })
	if n.Why != "after product_viewed" || n.User == "ada" {
		t.Errorf("the notice is %+v", n)
	}
	s.Stop()
	stats := s.Stats()
	if stats.Requests == 0 || stats.Errors != 0 || stats.RulesVersion != 7 || stats.Changes == 0 {
		t.Errorf("stats are %+v", stats)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.viewed["ada"] || p.calls["/v1/events client"] > 0 || p.calls["/v1/events server"] == 0 || p.calls["/v1/engagement client"] == 0 {
		t.Errorf("calls were %v; ada, whose story must not be disturbed, acted: %v", p.calls, p.viewed["ada"])
	}
}

func TestRefusalsAreCountedAndToldOnce(t *testing.T) {
	p := &plane{fail: true}
	s, _, log := start(t, p, func(cfg *Config) { cfg.Cast = []Role{{UserID: "u1", Name: "Una"}} })
	deadline := time.Now().Add(20 * time.Second)
	for s.Stats().Errors < 2 {
		if time.Now().After(deadline) {
			t.Fatal("no errors were counted")
		}
		<-time.After(10 * time.Millisecond)
	}
	s.Stop()
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "code=store_unavailable") {
		t.Errorf("the log says:\n%s\nwant one line with the code", text)
	}
}

func TestConfigReportsAllFaults(t *testing.T) {
	err := (&Config{Rate: -1}).Validate()
	if err == nil {
		t.Fatal("an empty configuration was accepted")
	}
	for _, want := range []string{"URL", "rate", "workers", "Notice"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named in: %v", want, err)
		}
	}
}

func TestStopBeforeStart(t *testing.T) {
	cfg := Defaults()
	cfg.URL, cfg.ClientKey, cfg.ServerKey, cfg.Notice = "http://127.0.0.1:0", "c", "s", func(Notice) {}
	cfg.Cast = make([]Role, cfg.Workers)
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
}
