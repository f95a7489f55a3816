package webhook

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
)

func TestTheAnswerIs2xxOnlyAfterTheBusHasAcknowledged(t *testing.T) {
	b := &bus{gate: make(chan struct{})}
	p := run(t, &lease{}, b, "a").leads()
	status := make(chan int, 1)
	go func() { status <- p.send("main", `{"users":["u1","u2"]}`) }()
	select {
	case got := <-status:
		t.Fatalf("answered %d while the bus had nothing", got)
	case <-time.After(50 * time.Millisecond):
	}
	close(b.gate)
	if got := <-status; got != http.StatusOK || !b.has("u1") || !b.has("u2") {
		t.Errorf("status %d, on the bus %v; want 200 and both", got, b.sent())
	}
}

func TestWhileTheBusIsDownTheDatabaseKeepsTheChanges(t *testing.T) {
	b := &bus{down: true}
	p := run(t, &lease{}, b, "a", func(c *Config) { c.AckTimeout = 50 * time.Millisecond }).leads()
	for range 3 {
		if got := p.send("main", `{"users":["u1"]}`); got != http.StatusServiceUnavailable {
			t.Fatalf("status %d with the bus down, want 503", got)
		}
	}
	b.with(func() { b.down = false })
	eventually(t, "it is taken", func() bool { return p.send("main", `{"users":["u1"]}`) == http.StatusOK })
	if !b.has("u1") {
		t.Error("u1 is not on the bus")
	}
}

func TestOnlyTheLeaderTakesChangesIn(t *testing.T) {
	l, b := &lease{}, &bus{}
	first := run(t, l, b, "a").leads()
	second := run(t, l, b, "b")
	if first.ready() != http.StatusOK || second.ready() != http.StatusServiceUnavailable {
		t.Errorf("ready: leader %d, standby %d; want 200 and 503", first.ready(), second.ready())
	}
	if got := second.send("main", `{"users":["u1"]}`); got != http.StatusServiceUnavailable {
		t.Errorf("the standby answers %d, want 503", got)
	}
	if got := first.send("main", `{"users":["u1"],"resolved":"1.0000000000"}`); got != http.StatusOK {
		t.Errorf("the leader answers %d, want 200", got)
	}
	before := hlc.FromTime(time.Now())
	first.relay.Stop()
	second.leads()
	if got := first.ready(); got != http.StatusServiceUnavailable {
		t.Errorf("the former leader is ready: %d", got)
	}
	if got := second.send("main", `{"users":["u2"]}`); got != http.StatusOK {
		t.Errorf("the new leader answers %d, want 200", got)
	}
	sent := b.sent()
	if last := sent[len(sent)-1]; last.Epoch != 2 || last.Base.Before(before) {
		t.Errorf("the new term is epoch %d from %v; want 2, from the database's present, not before %v", last.Epoch, last.Base, before)
	}
}

func TestWhatIsRefused(t *testing.T) {
	p := run(t, &lease{}, &bus{}, "a", func(c *Config) { c.MaxBodyBytes = 1 << 20 }).leads()
	without := func(r *http.Request) { r.Header.Del("Authorization") }
	as := func(value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", value) }
	}
	for _, c := range []struct {
		name, feed, body string
		change           func(*http.Request)
		want             int
	}{
		{name: "no token", feed: "main", body: "{}", change: without, want: 401},
		{name: "another token", feed: "main", body: "{}", change: as("Bearer 0123456789abcdeg"), want: 401},
		{name: "the beginning of the token", feed: "main", body: "{}", change: as(token[:len(token)-1]), want: 401},
		{name: "more than the token", feed: "main", body: "{}", change: as(token + "0"), want: 401},
		{name: "a token of 8 kB", feed: "main", body: "{}", change: as(strings.Repeat("x", 8<<10)), want: 401},
		{name: "another feed", feed: "other", body: "{}", want: 404},
		{name: "no feed", feed: "", body: "{}", want: 404},
		{name: "another method", feed: "main", change: func(r *http.Request) { r.Method = http.MethodPut }, want: 405},
		{name: "no JSON", feed: "main", body: `{"users":`, want: 400},
		{name: "nothing", feed: "main", want: 400},
		{name: "a body beyond the limit", feed: "main", body: `{"users":["` + strings.Repeat("x", 1<<20) + `"]}`, want: 413},
		{
			name: "the same without its length", feed: "main", body: `{"users":["` + strings.Repeat("x", 1<<20) + `"]}`,
			change: func(r *http.Request) { r.ContentLength = -1 }, want: 413,
		},
		{name: "what is right", feed: "main", body: `{"users":["u1"]}`, want: 200},
		{name: "an empty payload", feed: "main", body: `{}`, want: 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			change := c.change
			if change == nil {
				change = func(*http.Request) {}
			}
			if got := p.send(c.feed, c.body, change); got != c.want {
				t.Errorf("status %d, want %d", got, c.want)
			}
		})
	}
}

func TestMemoryIsBounded(t *testing.T) {
	b := &bus{gate: make(chan struct{})}
	p := run(t, &lease{}, b, "a", func(c *Config) { c.MaxBodyBytes, c.MaxBytes = 1<<20, 2<<20 }).leads()
	body := fmt.Sprintf(`{"users":[%q]}`, strings.Repeat("x", 700<<10))
	statuses := make(chan int, 3)
	for range 3 {
		go func() { statuses <- p.send("main", body) }()
	}
	if got := <-statuses; got != http.StatusServiceUnavailable {
		t.Errorf("the third of three large bodies at one time is answered %d, want 503", got)
	}
	close(b.gate)
	for range 2 {
		<-statuses
	}
}

func TestEverythingIsDeliveredWhenEveryFeedSaysSo(t *testing.T) {
	b := &bus{}
	p := run(t, &lease{}, b, "a", func(c *Config) { c.Feeds = []string{"users", "rules"} }).leads()
	now := hlc.FromTime(time.Now()).Add(time.Second)
	tell := func(feed string, at hlc.Timestamp) {
		t.Helper()
		if got := p.send(feed, fmt.Sprintf(`{"resolved":%q}`, at)); got != http.StatusOK {
			t.Fatalf("status %d", got)
		}
	}
	resolved := func() hlc.Timestamp { return p.relay.Stats().Resolved }
	tell("users", now.Add(2))
	if got := resolved(); !got.IsZero() {
		t.Errorf("resolved %v after one of two feeds has said it", got)
	}
	for _, step := range []struct {
		feed     string
		at, want time.Duration
	}{{"rules", 1, 1}, {"rules", 5, 2}, {"users", 1, 2}, {"users", 4, 4}, {"users", 9, 5}} {
		tell(step.feed, now.Add(step.at))
		if got, want := resolved(), now.Add(step.want); got != want {
			t.Errorf("%s says %d: resolved %v, want %v", step.feed, step.at, got, want)
		}
	}
}

func TestARowThatCannotBeToldIsAGap(t *testing.T) {
	b := &bus{}
	p := run(t, &lease{}, b, "a").leads()
	before := hlc.FromTime(time.Now())
	if got := p.send("main", `{"users":["u1"],"untold":1}`); got != http.StatusOK {
		t.Fatalf("status %d", got)
	}
	if got := p.send("main", `{"users":["u2","u3","u4","u5"]}`); got != http.StatusOK {
		t.Fatalf("status %d", got)
	}
	gap := false
	last := map[uint16]uint64{}
	for _, batch := range b.sent() {
		if batch.Seq != last[batch.Partition]+1 && !batch.High.Before(before) {
			gap = true
		}
		last[batch.Partition] = batch.Seq
	}
	if !gap || p.sink.Stats().Untold != 1 {
		t.Errorf("batches %v, stats %+v; want a sequence number left out, below a high that covers the row", b.sent(), p.sink.Stats())
	}
}

// A job that was made, or made anew, sends nothing of what was before it, and does not say so.
func TestAFeedsFirstStampIsAGap(t *testing.T) {
	b := &bus{}
	p := run(t, &lease{}, b, "a", func(c *Config) { c.Silence = 500 * time.Millisecond }).leads()
	left := func() uint64 { return p.relay.Stats().Uncarryable }
	tell := func() hlc.Timestamp {
		t.Helper()
		at := hlc.FromTime(time.Now())
		if got := p.send("main", fmt.Sprintf(`{"resolved":%q}`, at)); got != http.StatusOK {
			t.Fatalf("status %d", got)
		}
		return at
	}
	first := tell()
	if left() != 1 {
		t.Fatalf("%d sequence numbers left out after the first stamp, want 1", left())
	}
	covered := false
	for _, batch := range b.sent() {
		covered = covered || batch.Seq == 2 && !batch.High.Before(first)
	}
	if !covered {
		t.Errorf("batches %+v; want one that lacks its predecessor, with a high of at least %v", b.sent(), first)
	}
	for range 3 {
		tell()
	}
	if left() != 1 {
		t.Errorf("%d left out by a feed that goes on, want 1", left())
	}
	<-time.After(600 * time.Millisecond)
	tell()
	if left() != 2 {
		t.Errorf("%d left out after a silence, want 2", left())
	}
}

// Two processes take turns at leading while the database sends to whichever it finds. What was answered with 2xx is on the bus by then.
func TestNothingAcknowledgedIsLostWhoeverLeads(t *testing.T) {
	l, b := &lease{}, &bus{}
	both := []*process{run(t, l, b, "a"), run(t, l, b, "b")}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var work sync.WaitGroup
	var mu sync.Mutex
	acknowledged := 0
	for w := range 4 {
		work.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				user := fmt.Sprintf("u%d-%d", w, i)
				for ctx.Err() == nil {
					if both[rand.N(2)].send("main", fmt.Sprintf(`{"users":[%q]}`, user)) != http.StatusOK {
						continue
					}
					if !b.has(user) {
						t.Errorf("%s was acknowledged before the bus had it", user)
					}
					mu.Lock()
					acknowledged++
					mu.Unlock()
					break
				}
			}
		})
	}
	work.Go(func() {
		for ctx.Err() == nil {
			l.mu.Lock()
			l.holder = "" // as when the holder was suspended and its lease expired
			l.epoch++
			l.mu.Unlock()
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
	work.Wait()
	terms := both[0].relay.Stats().Terms + both[1].relay.Stats().Terms
	t.Logf("%d changes acknowledged over %d terms", acknowledged, terms)
	if acknowledged < 20 || terms < 5 {
		t.Error("the test tests nothing")
	}
}

func TestConfigReportsAllFaults(t *testing.T) {
	cfg := Config{Token: "short", Feeds: []string{"Main!"}}
	err := cfg.Validate()
	for _, want := range []string{"token", "feed 0", "decoder", "body", "times to wait", "logger"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	if err != nil && strings.Contains(err.Error(), "short") {
		t.Errorf("%v shows the token", err)
	}
}

func TestASinkIsFollowedOnce(t *testing.T) {
	p := run(t, &lease{}, &bus{}, "a").leads()
	err := p.sink.Follow(t.Context(), hlc.Timestamp{}, func(events.FeedBatch) error { return nil })
	if err == nil {
		t.Error("a second relay may follow")
	}
}
