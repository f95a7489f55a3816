package natsbus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"eligibility/internal/cache"
)

// worker is the connection of a send worker to the server inside b.
func worker(t testing.TB, b *Bus, options ...nats.Option) *nats.Conn {
	t.Helper()
	conn, err := nats.Connect("", append(options, nats.InProcessServer(b.server))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func question(key, body string) *nats.Msg {
	return &nats.Msg{Subject: PrecheckSubject, Header: nats.Header{"Api-Key": {key}}, Data: []byte(body)}
}

// askAbout sends a request and waits for its reply.
func askAbout(t *testing.T, conn *nats.Conn, key, body string) *nats.Msg {
	t.Helper()
	m, err := conn.RequestMsg(question(key, body), patience)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const aboutThree = `{"promotion":"german","channel":"push","userIds":["fr1","de1","a\u0001","de1"]}`

func TestAServiceAnswersAsTheHTTPCallDoes(t *testing.T) {
	b, d := embedded(t, nil), newDesk(t, false)
	s := serve(t, b, d)
	conn := worker(t, b)
	m := askAbout(t, conn, d.server, aboutThree)
	text, oldest, _ := strings.Cut(string(m.Data), `,"oldestAsOf":"`)
	want := `{"userId":"fr1","eligible":false,"reason":"rule_false"}
{"userId":"de1","eligible":true,"reason":"eligible"}
{"userId":"a\u0001","error":{"code":"invalid_user_id"}}
{"summary":{"total":3,"eligible":1,"failed":1,"reasons":{"rule_false":1},"rulesVersion":7`
	if text != want || !strings.HasSuffix(oldest, "\"}}\n") || m.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("%v\n%s", m.Header, m.Data)
	}
	reserve := func(send string) string {
		return fmt.Sprintf(`{"promotion":"german","channel":"push","users":[{"userId":"de2","reserve":{"sendId":%q,"for":"60s"}},{"userId":"de3","reserve":{"sendId":"x","for":"1h"}}]}`, send)
	}
	first, again := string(askAbout(t, conn, d.server, reserve("s1")).Data), string(askAbout(t, conn, d.server, reserve("s1")).Data)
	granted, _, _ := strings.Cut(first, "\n")
	if !strings.HasPrefix(granted, `{"userId":"de2","eligible":true,"reason":"eligible","reservation":{"sendId":"s1","expiresAt":"`) || !strings.HasPrefix(again, granted) ||
		!strings.Contains(first, `{"userId":"de3","error":{"code":"invalid_reservation"}}`) {
		t.Errorf("first %s\nagain %s", first, again)
	}
	if stats := d.cache.Stats(); stats.Fills != 0 || stats.Misses == (cache.Misses{}) {
		t.Errorf("users were put into the cache: %+v", stats)
	}
	if stats := s.Stats(); stats.Answered != 3 || stats.Failed+stats.Refused+stats.Lost != 0 || stats.Took == 0 || d.Stats().Users != 7 {
		t.Errorf("%+v %+v", stats, d.Stats())
	}
}

func TestAServiceRefusesWithTheStableCode(t *testing.T) {
	b, d := embedded(t, nil), newDesk(t, false)
	s := serve(t, b, d)
	conn := worker(t, b)
	ids := strings.TrimSuffix(strings.Repeat(`"u",`, 1001), ",")
	long := strings.TrimSuffix(strings.Repeat(`"`+strings.Repeat("u", 900)+`",`, 1000), ",")
	for _, c := range []struct{ name, key, body, code string }{
		{"no key", "", aboutThree, "missing_credential"},
		{"unknown key", "elg_server_x", aboutThree, "invalid_credential"},
		{"client key", d.keys["client"], aboutThree, "forbidden"},
		{"suspended key", d.keys["suspended"], aboutThree, "key_suspended"},
		{"another project's promotion", d.keys["other"], aboutThree, "promotion_not_found"},
		{"nothing", d.server, "", "empty_body"},
		{"no JSON", d.server, "de1", "invalid_json"},
		{"a project in the body", d.server, `{"project":"other","promotion":"german","channel":"push","userIds":["de1"]}`, "unknown_field"},
		{"no such channel", d.server, `{"promotion":"german","channel":"pigeon","userIds":["de1"]}`, "invalid_value"},
		{"1,001 users", d.server, `{"promotion":"german","channel":"push","userIds":[` + ids + `]}`, "too_many_users"},
		{"an answer above what a message takes", d.server, `{"promotion":"german","channel":"push","userIds":[` + long + `]}`, "body_too_large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := askAbout(t, conn, c.key, c.body)
			var body struct{ Code, Title string }
			if err := json.Unmarshal(m.Data, &body); err != nil {
				t.Fatalf("%s: %v", m.Data, err)
			}
			if got := m.Header.Get(micro.ErrorCodeHeader); got != c.code || body.Code != c.code || body.Title == "" || m.Header.Get(micro.ErrorHeader) == "" ||
				m.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%v %s, want %s", m.Header, m.Data, c.code)
			}
		})
	}
	if err := conn.PublishMsg(question(d.server, aboutThree)); err != nil { // asks for no reply
		t.Fatal(err)
	}
	askAbout(t, conn, d.server, aboutThree)
	if stats := s.Stats(); stats.Failed != 11 || stats.Lost != 1 || stats.Answered != 1 || stats.Last == "" {
		t.Errorf("%+v", stats)
	}
}

func TestAFullQueueIsSaidAtOnceAndStopAnswersWhatWasLetIn(t *testing.T) {
	b, d := embedded(t, nil), newDesk(t, true)
	s := serve(t, b, d, func(c *ServiceConfig) { c.Workers, c.Queue = 1, 1 })
	conn := worker(t, b)
	replies := make(chan *nats.Msg, 3)
	inbox := conn.NewInbox()
	if _, err := conn.ChanSubscribe(inbox, replies); err != nil {
		t.Fatal(err)
	}
	send := func() {
		m := question(d.server, aboutThree)
		m.Reply = inbox
		if err := conn.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	send()
	<-d.enter // the worker has it
	send()    // waits
	send()    // is one too many
	m := <-replies
	if m.Header.Get(micro.ErrorCodeHeader) != "rate_limited" || m.Header.Get("Retry-After") != "1" {
		t.Errorf("%v %s", m.Header, m.Data)
	}
	if stats := s.Stats(); stats.Open != 1 || stats.Waiting != 1 || stats.Refused != 1 {
		t.Errorf("%+v", stats)
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.Stop()
	}()
	for gone := false; !gone; { // until it has left, newcomers are refused or told that nobody is there
		_, err := conn.Request(PrecheckSubject, nil, patience)
		gone = errors.Is(err, nats.ErrNoResponders)
		if err != nil && !gone {
			t.Fatal(err)
		}
	}
	select {
	case <-stopped:
		t.Fatal("stopped with requests in hand")
	default:
	}
	d.leave <- struct{}{}
	<-d.enter
	d.leave <- struct{}{}
	for range 2 {
		if m := <-replies; !strings.Contains(string(m.Data), `"summary"`) {
			t.Errorf("%v %s", m.Header, m.Data)
		}
	}
	<-stopped
	s.Stop()
}

func TestARequestThatWaitsTooLongIsToldSo(t *testing.T) {
	b, d := embedded(t, nil), newDesk(t, true)
	serve(t, b, d, func(c *ServiceConfig) { c.Timeout = time.Millisecond })
	conn := worker(t, b)
	if m := askAbout(t, conn, d.server, aboutThree); m.Header.Get(micro.ErrorCodeHeader) != "overloaded" || m.Header.Get("Retry-After") != "1" {
		t.Errorf("%v %s", m.Header, m.Data)
	}
}

func TestReplicasShareWhatIsAsked(t *testing.T) {
	s, d := broker(t, t.TempDir(), -1), newDesk(t, false)
	replicas := []*Service{serve(t, connected(t, s.ClientURL(), nil), d), serve(t, connected(t, s.ClientURL(), nil), d)}
	conn, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	const asked = 200
	for range asked {
		if m := askAbout(t, conn, d.server, aboutThree); !bytes.Contains(m.Data, []byte(`"summary"`)) {
			t.Fatalf("%v %s", m.Header, m.Data)
		}
	}
	first, second := replicas[0].Stats().Answered, replicas[1].Stats().Answered
	if first+second != asked || first == 0 || second == 0 {
		t.Errorf("%d and %d of %d", first, second, asked)
	}
	replicas[0].Stop()
	for range 20 {
		askAbout(t, conn, d.server, aboutThree)
	}
	if got := replicas[1].Stats().Answered; got != second+20 {
		t.Errorf("the one that is left answered %d of 20", got-second)
	}
}

func TestAServiceIsBackAfterAnOutage(t *testing.T) {
	s, d := broker(t, t.TempDir(), -1), newDesk(t, false)
	line := newWire(t, s.Addr().String())
	serve(t, connected(t, line.url(), nil), d)
	conn, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	askAbout(t, conn, d.server, aboutThree)
	line.set(true)
	absent := func() bool {
		_, err := conn.RequestMsg(question(d.server, aboutThree), time.Second)
		return errors.Is(err, nats.ErrNoResponders)
	}
	for end := time.Now().Add(patience); !absent(); {
		if time.Now().After(end) {
			t.Fatal("it still answers")
		}
	}
	line.set(false)
	for end := time.Now().Add(patience); absent(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come back")
		}
	}
	askAbout(t, conn, d.server, aboutThree)
}

func TestAServiceIsDiscoverableWithItsStats(t *testing.T) {
	b, d := embedded(t, nil), newDesk(t, false)
	serve(t, b, d)
	conn := worker(t, b)
	askAbout(t, conn, d.server, aboutThree)
	askAbout(t, conn, "x", aboutThree)
	askAbout(t, conn, d.server, `{"promotion":"secret","channel":"push","userIds":["de1"]}`)
	var ping micro.Ping
	var info micro.Info
	var stats micro.Stats
	look := func(subject string, into any) {
		t.Helper()
		m, err := conn.Request(subject, nil, patience)
		if err != nil {
			t.Fatalf("%s: %v", subject, err)
		}
		if err := json.Unmarshal(m.Data, into); err != nil {
			t.Fatalf("%s: %s", subject, m.Data)
		}
	}
	look("$SRV.PING", &ping)
	look("$SRV.INFO.eligibility", &info)
	look("$SRV.STATS.eligibility."+ping.ID, &stats)
	if ping.Name != "eligibility" || len(info.Endpoints) != 1 || info.Endpoints[0].Subject != "eligibility.precheck" || info.Endpoints[0].QueueGroup != "eligibility" {
		t.Errorf("%+v %+v", ping, info)
	}
	endpoint := stats.Endpoints[0]
	var own ServiceStats
	if err := json.Unmarshal(endpoint.Data, &own); err != nil {
		t.Fatal(err)
	}
	if endpoint.NumRequests != 3 || endpoint.NumErrors != 1 || own.Answered != 1 || own.Failed != 2 || own.Last != "promotion_not_found" {
		t.Errorf("%+v %+v", endpoint, own)
	}
}
