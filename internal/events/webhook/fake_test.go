package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	token    = "Bearer 0123456789abcdef"
	patience = 10 * time.Second
)

// lease is the right to relay, in memory. Its clock is that of the machine.
type lease struct {
	mu     sync.Mutex
	holder string
	epoch  uint64
	cursor hlc.Timestamp
}

func (l *lease) Acquire(_ context.Context, holder string) (epoch uint64, cursor hlc.Timestamp, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.holder != "" && l.holder != holder {
		return 0, hlc.Timestamp{}, events.ErrLeaseHeld
	}
	l.holder = holder
	l.epoch++
	return l.epoch, l.cursor, nil
}

func (l *lease) Renew(_ context.Context, holder string, epoch uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.holder != holder || l.epoch != epoch {
		return events.ErrLeaseLost
	}
	return nil
}

func (l *lease) SaveCursor(_ context.Context, epoch uint64, cursor hlc.Timestamp) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epoch != epoch {
		return events.ErrLeaseLost
	}
	l.cursor = hlc.Max(l.cursor, cursor)
	return nil
}

func (l *lease) Release(_ context.Context, epoch uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epoch == epoch {
		l.holder = ""
	}
	return nil
}

func (l *lease) Now(context.Context) (hlc.Timestamp, error) { return hlc.FromTime(time.Now()), nil }

// bus keeps what is published.
type bus struct {
	mu      sync.Mutex
	batches []events.Batch
	users   map[string]bool
	down    bool
	gate    chan struct{} // when not nil, publishes wait for it to be closed
}

var errDown = errors.New("the bus is down")

func (b *bus) Partitions() int { return 3 }

func (b *bus) Publish(ctx context.Context, batch *events.Batch) error {
	b.mu.Lock()
	gate := b.gate
	b.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return errDown
	}
	kept := *batch
	kept.Changes = slices.Clone(batch.Changes)
	b.batches = append(b.batches, kept)
	if b.users == nil {
		b.users = map[string]bool{}
	}
	for _, c := range kept.Changes {
		b.users[c.Key] = true
	}
	return nil
}

func (b *bus) with(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

func (b *bus) has(user string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.users[user]
}

func (b *bus) sent() []events.Batch {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.batches)
}

// said is what the tests' bodies hold.
type said struct {
	Users    []string `json:"users"`
	Untold   int      `json:"untold"`
	Resolved string   `json:"resolved"`
}

func decode(body []byte) (Delivery, error) {
	var s said
	if err := json.Unmarshal(body, &s); err != nil {
		return Delivery{}, err
	}
	var d Delivery
	for _, user := range s.Users {
		d.Changes = append(d.Changes, events.Change{Table: events.TableProfile, Project: "acme", Key: user, At: hlc.FromTime(time.Now())})
	}
	for range s.Untold {
		d.Changes = append(d.Changes, events.Change{})
	}
	if s.Resolved != "" {
		var err error
		if d.Resolved, err = hlc.Parse(s.Resolved); err != nil {
			return Delivery{}, err
		}
	}
	return d, nil
}

// process is a sink with its relay, behind a real listener.
type process struct {
	t     *testing.T
	sink  *Sink
	relay *events.Relay
	url   string
}

func run(t *testing.T, l *lease, b *bus, holder string, change ...func(*Config)) *process {
	t.Helper()
	cfg := Defaults()
	cfg.Token, cfg.Feeds, cfg.Decode, cfg.Now, cfg.Logger = token, []string{"main"}, decode, l.Now, slog.New(slog.DiscardHandler)
	for _, c := range change {
		c(&cfg)
	}
	sink, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	relayCfg := events.DefaultRelayConfig(holder)
	relayCfg.TryEvery, relayCfg.RenewEvery, relayCfg.SaveEvery = 5*time.Millisecond, 10*time.Millisecond, 10*time.Millisecond
	relayCfg.RetryMost, relayCfg.Logger = 20*time.Millisecond, cfg.Logger
	relay, err := events.NewRelay(sink, Fresh(l), b, relayCfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := relay.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sink.Handler())
	t.Cleanup(func() {
		relay.Stop()
		server.Close()
	})
	return &process{t: t, sink: sink, relay: relay, url: server.URL}
}

// send posts a body to a feed and returns the status.
func (p *process) send(feed, body string, change ...func(*http.Request)) int {
	p.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, p.url+"/v1/changes/"+feed, bytes.NewReader([]byte(body)))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", token)
	for _, c := range change {
		c(r)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Error(err)
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}

func (p *process) ready() int {
	p.t.Helper()
	res, err := http.Get(p.url + "/readyz")
	if err != nil {
		p.t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// leads waits until the process leads.
func (p *process) leads() *process {
	p.t.Helper()
	eventually(p.t, "the process leads", p.sink.Leads)
	return p
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("never came true: %s", what)
		}
		<-time.After(time.Millisecond)
	}
}
