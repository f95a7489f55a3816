package natsbus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"eligibility/internal/audience"
	"eligibility/internal/events"
)

// lines keeps what a bus logs.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// strict starts a server that allows its users what they need and nothing else.
func strict(t *testing.T) *server.Server {
	t.Helper()
	user := func(name string, all ...Permissions) *server.User {
		granted := &server.Permissions{Publish: &server.SubjectPermission{}, Subscribe: &server.SubjectPermission{}}
		for _, p := range all {
			granted.Publish.Allow = append(granted.Publish.Allow, p.Publish...)
			granted.Subscribe.Allow = append(granted.Subscribe.Allow, p.Subscribe...)
			if p.Responses {
				granted.Response = &server.ResponsePermission{MaxMsgs: 1, Expires: time.Minute}
			}
		}
		return &server.User{Username: name, Password: "secret", Permissions: granted}
	}
	return brokerWith(t, t.TempDir(), -1, func(o *server.Options) {
		o.Users = []*server.User{
			user("relay", RelayPermissions()), user("replica", ReplicaPermissions()), user("answering", ReplicaPermissions(), ServicePermissions(), AudiencePermissions()),
			user("shop", SenderPermissions("shop")), user("other", SenderPermissions("other")),
		}
	})
}

// as is a bus of a user of the server, and what it logs.
func as(t *testing.T, s *server.Server, user string) (*Bus, *lines) {
	t.Helper()
	u, err := url.Parse(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, "secret")
	log := &lines{}
	return connected(t, u.String(), func(c *Config) {
		c.Logger, c.RequestTimeout, c.PublishTimeout = slog.New(slog.NewTextHandler(log, nil)), time.Second, time.Second
	}), log
}

func TestLeastPermissionsSuffice(t *testing.T) {
	s := strict(t)
	relay, relayLog := as(t, s, "relay")
	replica, replicaLog := as(t, s, "replica")
	r := newRecorder()
	ctx, cancel := context.WithCancel(context.Background())
	ready, over := make(chan struct{}), make(chan error, 1)
	go func() { over <- replica.Subscribe(ctx, ready, r) }()
	<-ready
	keys := make([]string, 500)
	for i := range keys {
		keys[i] = fmt.Sprintf("%0200d", i) // large enough that flow control is asked for
	}
	const batches = 100
	for i := range batches {
		publish(t, relay, batch(0, uint64(i+1), keys...))
	}
	replica.PublishHint(&events.Hint{Changes: batch(0, 9, "h1").Changes})
	r.until(t, "all batches and the hint", func() bool { return len(r.batches) == batches && len(r.hints) == 1 })
	heard := make(chan *events.Announcement, 1)
	listening, listened := make(chan struct{}), make(chan error, 1)
	go func() { listened <- replica.Listen(ctx, listening, func(a *events.Announcement) { heard <- a }) }()
	<-listening
	replica.Announce(&events.Announcement{Replica: "a"})
	<-heard
	cancel()
	if err := <-over; err != nil {
		t.Errorf("Subscribe: %v", err)
	}
	if err := <-listened; err != nil {
		t.Errorf("Listen: %v", err)
	}
	for name, log := range map[string]*lines{"relay": relayLog, "replica": replicaLog} {
		if text := log.String(); strings.Contains(text, "fault") || strings.Contains(text, "ermission") {
			t.Errorf("the %s was refused something:\n%s", name, text)
		}
	}
	if got := r.lost(); len(got) != 0 {
		t.Errorf("losses: %v", got)
	}
}

func TestNobodyMayDoMore(t *testing.T) {
	s := strict(t)
	relay, _ := as(t, s, "relay")
	replica, log := as(t, s, "replica")
	publish(t, relay, batch(0, 1, "u1"))
	if err := replica.Publish(context.Background(), batch(0, 2, "forged")); err == nil {
		t.Error("a replica may publish changes")
	}
	if err := replica.js.DeleteStream(context.Background(), StreamName); err == nil {
		t.Error("a replica may delete the stream")
	}
	if err := relay.Subscribe(t.Context(), make(chan struct{}), newRecorder()); err == nil {
		t.Error("a relay may read")
	}
	if !strings.Contains(log.String(), "ermissions Violation") {
		t.Errorf("the operator is not told why:\n%s", log)
	}
}

func TestASenderMayAskAndNothingElse(t *testing.T) {
	s, d := strict(t), newDesk(t, false)
	relay, _ := as(t, s, "relay") // makes the stream
	replica, log := as(t, s, "answering")
	serve(t, replica, d)
	faults := make(chan error, 8)
	sender := func(user string) *nats.Conn {
		conn, err := nats.Connect(s.ClientURL(), nats.UserInfo(user, "secret"), nats.CustomInboxPrefix(SenderInboxes(user)),
			nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { faults <- err }))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		return conn
	}
	shop, other := sender("shop"), sender("other")
	if m := askAbout(t, shop, d.server, aboutThree); !bytes.Contains(m.Data, []byte(`"summary"`)) {
		t.Errorf("%v %s", m.Header, m.Data)
	}
	for _, subject := range []string{"$SRV.PING", "$SRV.INFO.eligibility", "$SRV.STATS.eligibility"} {
		if _, err := shop.Request(subject, nil, patience); err != nil {
			t.Errorf("%s: %v", subject, err)
		}
	}
	if len(faults) > 0 || strings.Contains(log.String(), "ermission") {
		t.Errorf("something was refused: %v %s", <-faults, log)
	}
	read := func(conn *nats.Conn) (got []byte, err error) {
		js, err := jetstream.New(conn, jetstream.WithDefaultTimeout(time.Second))
		if err != nil {
			return nil, err
		}
		results, err := js.OrderedConsumer(t.Context(), AudienceStream, jetstream.OrderedConsumerConfig{FilterSubjects: []string{"eligibility.audience.shop.j"}})
		if err != nil {
			return nil, err
		}
		batch, err := results.Fetch(1, jetstream.FetchMaxWait(patience))
		if err != nil {
			return nil, err
		}
		for m := range batch.Messages() {
			got = append(got, m.Data()...)
		}
		return got, batch.Error()
	}
	if _, err := replica.Results().Last(t.Context(), "shop", "j"); err != nil {
		t.Fatal(err)
	}
	if _, err := replica.Results().Publish(t.Context(), "shop", "j", &audience.Message{Number: 1, Data: []byte("a\n")}, 0); err != nil {
		t.Fatal(err)
	}
	if last, err := replica.Results().Last(t.Context(), "shop", "j"); err != nil || last.Number != 1 {
		t.Fatal(last, err)
	}
	if got, err := read(shop); err != nil || string(got) != "a\n" {
		t.Errorf("a sender reads its project's results: %q %v", got, err)
	}
	if len(faults) > 0 || strings.Contains(log.String(), "ermission") {
		t.Errorf("something was refused: %v %s", <-faults, log)
	}
	if got, err := read(other); err == nil {
		t.Errorf("a sender reads another project's results: %q", got)
	}
	for len(faults) > 0 {
		<-faults
	}
	refused := func(what string, do func() error) {
		t.Helper()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-faults:
			if !errors.Is(err, nats.ErrPermissionViolation) {
				t.Errorf("%s: %v", what, err)
			}
		case <-time.After(patience):
			t.Errorf("a sender may %s", what)
		}
	}
	refused("hear another project's answers", func() error { _, err := other.SubscribeSync(SenderInboxes("shop") + ".>"); return err })
	refused("hear what others ask", func() error { _, err := other.QueueSubscribeSync(PrecheckSubject, serviceQueue); return err })
	refused("publish changes", func() error { return other.Publish(relay.subjects[0], []byte("x")) })
	refused("hint", func() error { return other.Publish(hintsSubject, []byte("x")) })
}

// The documentation names every subject of the permissions.
func TestPermissionsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []Permissions{RelayPermissions(), ReplicaPermissions(), ServicePermissions(), AudiencePermissions(), SenderPermissions("PROJECT")} {
		for _, subject := range append(p.Publish, p.Subscribe...) {
			if !bytes.Contains(text, []byte(`"`+subject+`"`)) {
				t.Errorf("docs/operations.md lacks %q", subject)
			}
		}
	}
}
