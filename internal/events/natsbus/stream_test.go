package natsbus

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"eligibility/internal/events"
)

func TestAnotherNumberOfPartitionsIsRefused(t *testing.T) {
	s := broker(t, t.TempDir(), -1)
	connected(t, s.ClientURL(), nil)
	cfg := DefaultCluster(s.ClientURL())
	cfg.Partitions, cfg.Logger = 5, quiet()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if b, err := Connect(ctx, cfg); !errors.Is(err, ErrPartitions) {
		t.Fatalf("Connect with 5 partitions to a stream of 4: %v, %v; want ErrPartitions", b, err)
	}
}

func TestAForeignStreamIsRefused(t *testing.T) {
	ours := map[string]string{partitionsField: "4"}
	cases := []struct {
		name string
		cfg  jetstream.StreamConfig
		says string
	}{
		{name: "no metadata", cfg: jetstream.StreamConfig{Subjects: []string{changesPrefix + "*"}}, says: "metadata " + partitionsField},
		{name: "other subjects", cfg: jetstream.StreamConfig{Subjects: []string{"other.*"}, Metadata: ours}, says: "subjects: [other.*], want [eligibility.changes.*]"},
		{name: "refuses new messages when full", cfg: jetstream.StreamConfig{
			Subjects: []string{changesPrefix + "*"}, Discard: jetstream.DiscardNew, Metadata: ours,
		}, says: "discard: DiscardNew, want DiscardOld"},
		{name: "work queue", cfg: jetstream.StreamConfig{
			Subjects: []string{changesPrefix + "*"}, Retention: jetstream.WorkQueuePolicy, Metadata: ours,
		}, says: "retention: WorkQueue, want Limits"},
		{name: "never acknowledges", cfg: jetstream.StreamConfig{Subjects: []string{changesPrefix + "*"}, NoAck: true, Metadata: ours}, says: "no_ack"},
		{name: "keeps one message of a partition", cfg: jetstream.StreamConfig{
			Subjects: []string{changesPrefix + "*"}, MaxMsgsPerSubject: 1, Metadata: ours,
		}, says: "max_msgs_per_subject: 1"},
	}
	b := embedded(t, nil)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if err := b.js.DeleteStream(ctx, StreamName); err != nil {
				t.Fatal(err)
			}
			c.cfg.Name, c.cfg.Storage = StreamName, jetstream.MemoryStorage
			c.cfg.MaxBytes = mebibyte
			if _, err := b.js.CreateStream(ctx, c.cfg); err != nil {
				t.Fatal(err)
			}
			if err := b.ensureStream(ctx); !errors.Is(err, ErrForeignStream) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("ensureStream = %v; want ErrForeignStream that says %q", err, c.says)
			}
			if err := b.Subscribe(ctx, make(chan struct{}), newRecorder()); !errors.Is(err, ErrForeignStream) {
				t.Fatalf("Subscribe = %v; want ErrForeignStream", err)
			}
		})
	}
}

func TestOperatorsLimitsAreKept(t *testing.T) {
	s := broker(t, t.TempDir(), -1)
	first := connected(t, s.ClientURL(), nil)
	info, err := first.streamInfo(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	changed := info.Config
	changed.MaxAge = 42 * time.Minute
	if _, err := first.js.UpdateStream(context.Background(), changed); err != nil {
		t.Fatal(err)
	}
	second := connected(t, s.ClientURL(), nil)
	if info, err = second.streamInfo(context.Background()); err != nil || info.Config.MaxAge != 42*time.Minute {
		t.Fatalf("after another client connected: %v, max age %v; want 42m", err, info.Config.MaxAge)
	}
	if second.Stats().StreamsCreated != 0 {
		t.Error("the second client created a stream")
	}
}

func TestAServerThatTakesOnlySmallMessagesIsRefused(t *testing.T) {
	s := brokerWith(t, t.TempDir(), -1, func(o *server.Options) { o.MaxPayload = 64 << 10 })
	cfg := DefaultCluster(s.ClientURL())
	cfg.Logger = quiet()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if b, err := Connect(ctx, cfg); !errors.Is(err, ErrPayload) {
		t.Fatalf("Connect = %v, %v; want ErrPayload", b, err)
	}
}

func TestConnectGivesUpWithItsContext(t *testing.T) {
	cfg := DefaultCluster("nats://127.0.0.1:1")
	cfg.Logger = quiet()
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if b, err := Connect(ctx, cfg); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Connect to a closed port: %v, %v; want the context's error", b, err)
	}
}

func TestStopEndsASubscription(t *testing.T) {
	b := embedded(t, nil)
	ready, over := make(chan struct{}), make(chan error, 1)
	go func() { over <- b.Subscribe(context.Background(), ready, newRecorder()) }()
	<-ready
	b.Stop()
	b.Stop()
	select {
	case err := <-over:
		if !errors.Is(err, errClosed) {
			t.Fatalf("Subscribe on a stopped bus = %v; want %v", err, errClosed)
		}
	case <-time.After(patience):
		t.Fatal("Subscribe outlives the bus")
	}
	if err := b.Publish(context.Background(), batch(0, 1)); err == nil {
		t.Fatal("Publish on a stopped bus succeeded")
	}
}

func TestASubscriptionLeavesNoConsumerBehind(t *testing.T) {
	b := embedded(t, nil)
	for range 3 {
		ctx, cancel := context.WithCancel(context.Background())
		ready, over := make(chan struct{}), make(chan error, 1)
		go func() { over <- b.Subscribe(ctx, ready, newRecorder()) }()
		<-ready
		cancel()
		if err := <-over; err != nil {
			t.Fatalf("Subscribe ended by its context = %v; want nil", err)
		}
	}
	deadline := time.Now().Add(patience)
	for {
		info, err := b.streamInfo(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if info.State.Consumers == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d consumers are left", info.State.Consumers)
		}
	}
}

func TestConfigReportsAllFaults(t *testing.T) {
	good := DefaultCluster("nats://a:4222, tls://b:4222")
	if err := good.Validate(); err != nil {
		t.Fatalf("the defaults do not validate: %v", err)
	}
	bad := Config{URL: "http://a", CertFile: "cert.pem", Partitions: events.MaxPartitions + 1}
	err := bad.Validate()
	if err == nil {
		t.Fatal("a bad configuration validates")
	}
	for _, want := range []string{
		"partitions", "keeps messages", "bounded to 0 bytes", "copies", "timeouts", "heartbeat", "buffer",
		"client certificate", "no logger", "nats://",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the faults do not name %q:\n%v", want, err)
		}
	}
	if _, err := Embedded(bad); err == nil {
		t.Error("Embedded takes a bad configuration")
	}
	if _, err := Connect(context.Background(), DefaultEmbedded()); err == nil {
		t.Error("Connect takes a configuration without a URL")
	}
}

func TestAnnouncementsReachEveryone(t *testing.T) {
	s := broker(t, t.TempDir(), -1)
	one, two := connected(t, s.ClientURL(), nil), connected(t, s.ClientURL(), nil)
	ctx, cancel := context.WithCancel(context.Background())
	heard, ready, over := make(chan *events.Announcement, 10), make(chan struct{}), make(chan error, 1)
	go func() { over <- two.Listen(ctx, ready, func(a *events.Announcement) { heard <- a }) }()
	defer func() {
		cancel()
		if err := <-over; err != nil {
			t.Errorf("Listen = %v; want nil", err)
		}
	}()
	<-ready
	if err := one.conn.Publish(fleetSubject, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	one.Announce(&events.Announcement{}) // has no replica: dropped
	want := events.Announcement{Replica: "a", Lag: 5, Rules: []events.AppliedRules{{Project: "acme", Version: 7, Quarantined: 1}}}
	one.Announce(&want)
	select {
	case got := <-heard:
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("heard %+v, want %+v", *got, want)
		}
	case <-time.After(patience):
		t.Fatal("nothing was heard")
	}
	if two.Stats().Undecodable != 1 || one.Stats().AnnounceDropped != 1 {
		t.Errorf("undecodable %d, dropped %d; want 1 and 1", two.Stats().Undecodable, one.Stats().AnnounceDropped)
	}
}
