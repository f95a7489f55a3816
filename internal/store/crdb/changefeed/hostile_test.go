package changefeed_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/events/natsbus"
	"eligibility/internal/hlc"
	"eligibility/internal/store/crdb/fakefeed"
)

// script is a feed that says what a test tells it to.
type script chan fakefeed.Message

// Stream passes on what comes. A feed that is followed anew goes on where the last one ended.
func (s script) Stream(ctx context.Context, _ hlc.Timestamp, send func(fakefeed.Message) error) error {
	for {
		select {
		case m := <-s:
			if err := send(m); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ownLease is always free and remembers its cursor.
type ownLease struct {
	mu     sync.Mutex
	epoch  uint64
	cursor hlc.Timestamp
}

func (l *ownLease) Acquire(context.Context, string) (uint64, hlc.Timestamp, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.epoch++
	return l.epoch, l.cursor, nil
}

func (l *ownLease) Renew(context.Context, string, uint64) error { return nil }

func (l *ownLease) SaveCursor(_ context.Context, _ uint64, cursor hlc.Timestamp) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cursor = hlc.Max(l.cursor, cursor)
	return nil
}

func (l *ownLease) Release(context.Context, uint64) error { return nil }

func (l *ownLease) Now(context.Context) (hlc.Timestamp, error) {
	return hlc.Timestamp{Wall: time.Now().UnixNano()}, nil
}

// way is everything between a database's changefeed and a replica's sink: the feed over the wire protocol, a relay, NATS and a follower.
type way struct {
	t        *testing.T
	say      script
	last     hlc.Timestamp
	relay    *events.Relay
	follower *events.Follower
	bus      *natsbus.Bus
	judge    *judge
}

func newWay(t *testing.T) *way {
	t.Helper()
	w := &way{t: t, say: make(script, 4096)}
	server := fakefeed.Start(t, fakefeed.Options{Source: w.say})
	quiet := slog.New(slog.DiscardHandler)
	cfg := natsbus.DefaultEmbedded()
	cfg.Partitions, cfg.Logger = 4, quiet
	bus, err := natsbus.Embedded(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Stop)
	w.bus = bus
	w.judge = &judge{floors: map[string]hlc.Timestamp{}, passed: make(chan struct{}, 1), breach: func(hlc.Timestamp, func(string) hlc.Timestamp) {}}
	var clock hlc.Estimate
	clock.Observe(hlc.Timestamp{Wall: time.Now().UnixNano()}, time.Now())
	followerCfg := events.DefaultFollowerConfig(clock.Now)
	followerCfg.Logger = quiet
	if w.follower, err = events.NewFollower(bus, w.judge, followerCfg); err != nil {
		t.Fatal(err)
	}
	if err := w.follower.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.follower.Stop)
	relayCfg := events.DefaultRelayConfig("test")
	relayCfg.Logger, relayCfg.TryEvery = quiet, 10*time.Millisecond
	if w.relay, err = events.NewRelay(feedOf(t, server.URL), &ownLease{}, bus, relayCfg); err != nil {
		t.Fatal(err)
	}
	if err := w.relay.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.relay.Stop)
	w.settle()
	return w
}

// tick is a stamp of the present, later than all before.
func (w *way) tick() hlc.Timestamp {
	w.last.Wall = max(w.last.Wall+1, time.Now().UnixNano())
	return w.last
}

// settle lets a change of somebody else and a resolved stamp behind it come through: whatever was said before has been dealt with, and the feed goes on.
func (w *way) settle() {
	w.t.Helper()
	for deadline := time.After(patience); ; { // a term that began from now takes nothing from before it, so it is said again
		at, resolved := w.tick(), w.tick()
		w.say <- fakefeed.Row("profiles", `["acme", "witness"]`, `{}`, at)
		w.say <- fakefeed.Resolved(resolved)
		again := time.After(50 * time.Millisecond)
	waiting:
		for {
			w.judge.mu.Lock()
			through := !w.judge.watermark.Before(resolved)
			w.judge.mu.Unlock()
			if through {
				return
			}
			select {
			case <-w.judge.passed:
			case <-again:
				break waiting
			case <-deadline:
				w.t.Fatalf("the feed does not go on: %+v %+v", w.relay.Stats(), w.follower.Stats())
			}
		}
	}
}

// raw is a row as it stands on the wire.
func raw(table, key, value string) fakefeed.Message {
	return fakefeed.Message{Table: &table, Key: &key, Value: &value}
}

// dated is a row of user u with a stamp as it is written.
func dated(updated string) fakefeed.Message {
	return raw("profiles", `["acme", "u"]`, `{"after": {}, "updated": `+updated+`}`)
}

// TestBrokenMessagesOnTheWholeWay says broken things on the feed. Whatever happens, the user who may have changed is read again, at the latest stamp that
// he may have changed at, and the feed goes on.
func TestBrokenMessagesOnTheWholeWay(t *testing.T) {
	quoted := func(at hlc.Timestamp) string { return `"` + at.String() + `"` }
	tests := []struct {
		name string
		say  func(w *way, at hlc.Timestamp) []fakefeed.Message
		gap  bool // everything is assumed to have changed; otherwise the floor of u is exactly at
		// unchanged: nobody of ours is meant
		unchanged bool
		stats     func(before, after events.RelayStats) bool
	}{
		{name: "a value that is cut", gap: true, say: func(*way, hlc.Timestamp) []fakefeed.Message {
			return []fakefeed.Message{raw("profiles", `["acme", "u"]`, `{"after": {"a`)}
		}, stats: func(a, b events.RelayStats) bool { return b.CursorsTooOld > a.CursorsTooOld }},
		{name: "a key that is no JSON", gap: true, say: func(_ *way, at hlc.Timestamp) []fakefeed.Message {
			return []fakefeed.Message{raw("profiles", `["acme", `, `{"after": {}, "updated": `+quoted(at)+`}`)}
		}},
		{name: "a delete", say: func(_ *way, at hlc.Timestamp) []fakefeed.Message {
			return []fakefeed.Message{fakefeed.Row("profiles", `["acme", "u"]`, `null`, at)}
		}},
		{name: "a resolved stamp that goes back", say: func(_ *way, at hlc.Timestamp) []fakefeed.Message {
			return []fakefeed.Message{fakefeed.Row("profiles", `["acme", "u"]`, `{}`, at), fakefeed.Resolved(hlc.Timestamp{Wall: at.Wall - int64(time.Hour)})}
		}, stats: func(a, b events.RelayStats) bool { return b.Backwards > a.Backwards }},
		{name: "no stamp", gap: true, say: func(*way, hlc.Timestamp) []fakefeed.Message {
			return []fakefeed.Message{raw("profiles", `["acme", "u"]`, `{"after": {}}`)}
		}, stats: func(a, b events.RelayStats) bool { return b.CursorsTooOld > a.CursorsTooOld }},
		{name: "a stamp at the end of time", gap: true, say: func(*way, hlc.Timestamp) []fakefeed.Message {
			return []fakefeed.Message{dated(`"9223372036854775807.0000000000"`)}
		}, stats: func(a, b events.RelayStats) bool { return b.Implausible > a.Implausible }},
		{name: "a stamp an hour ahead", gap: true, say: func(_ *way, at hlc.Timestamp) []fakefeed.Message {
			return []fakefeed.Message{dated(quoted(hlc.Timestamp{Wall: at.Wall + int64(time.Hour)}))}
		}, stats: func(a, b events.RelayStats) bool { return b.Implausible > a.Implausible }},
		{name: "a stamp without its logical part", say: func(_ *way, at hlc.Timestamp) []fakefeed.Message {
			return []fakefeed.Message{dated(fmt.Sprintf(`"%d"`, at.Wall))}
		}},
		{name: "a stamp with a logical part", say: func(_ *way, at hlc.Timestamp) []fakefeed.Message {
			return []fakefeed.Message{dated(fmt.Sprintf(`"%d.0000000000"`, at.Wall))}
		}},
		{name: "a stamp of thirty digits", gap: true, say: func(*way, hlc.Timestamp) []fakefeed.Message {
			return []fakefeed.Message{dated(`"` + strings.Repeat("1", 30) + `"`)}
		}},
		{name: "a key of a number", gap: true, say: func(_ *way, at hlc.Timestamp) []fakefeed.Message {
			return []fakefeed.Message{fakefeed.Row("profiles", `[1]`, `{}`, at)}
		}},
		{name: "a key that is too short", gap: true, say: func(_ *way, at hlc.Timestamp) []fakefeed.Message {
			return []fakefeed.Message{fakefeed.Row("profiles", `["acme"]`, `{}`, at)}
		}},
		{name: "a key that is too long", gap: true, say: func(_ *way, at hlc.Timestamp) []fakefeed.Message {
			return []fakefeed.Message{fakefeed.Row("profiles", `["a", "acme", "u", "x"]`, `{}`, at)}
		}},
		{name: "a thousand repeats, and those before behind", say: func(_ *way, at hlc.Timestamp) []fakefeed.Message {
			var all []fakefeed.Message
			for i := range 1000 {
				all = append(all, fakefeed.Row("profiles", `["acme", "u"]`, `{}`, at), fakefeed.Row("profiles", `["acme", "u"]`, `{}`, hlc.Timestamp{Wall: at.Wall - int64(i)}))
			}
			return all
		}},
		{name: "a row of five megabytes", say: func(_ *way, at hlc.Timestamp) []fakefeed.Message {
			return []fakefeed.Message{fakefeed.Row("profiles", `["acme", "u"]`, `{"attrs": "`+strings.Repeat("x", 5<<20)+`"}`, at)}
		}},
		{name: "a table that nobody expects", gap: true, say: func(_ *way, at hlc.Timestamp) []fakefeed.Message {
			return []fakefeed.Message{fakefeed.Row("orders", `["acme", "u"]`, `{}`, at)}
		}},
		{name: "a project that nobody knows", unchanged: true, say: func(_ *way, at hlc.Timestamp) []fakefeed.Message {
			return []fakefeed.Message{fakefeed.Row("profiles", `["nobody", "v"]`, `{}`, at)}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWay(t)
			w.judge.mu.Lock()
			gaps := w.judge.gaps
			w.judge.mu.Unlock()
			before, at := w.relay.Stats(), w.tick()
			for _, m := range tt.say(w, at) {
				w.say <- m
			}
			w.settle()
			w.judge.mu.Lock()
			defer w.judge.mu.Unlock()
			floor := w.judge.floors["u"]
			switch {
			case tt.gap && (w.judge.gaps == gaps || w.judge.global.Before(at)):
				t.Errorf("%d gaps up to %v, want another one at or after %v", w.judge.gaps-gaps, w.judge.global, at)
			case tt.gap && w.judge.global.Wall > time.Now().Add(events.MaxAhead).UnixNano():
				t.Errorf("the gap reaches into the future: %v", w.judge.global)
			case !tt.gap && w.judge.gaps > gaps:
				t.Errorf("%d gaps", w.judge.gaps-gaps)
			case !tt.gap && !tt.unchanged && floor != at:
				t.Errorf("the floor is %v, want %v", floor, at)
			case floor.After(w.last):
				t.Errorf("the floor %v lies ahead", floor)
			}
			if tt.stats != nil && !tt.stats(before, w.relay.Stats()) {
				t.Errorf("not counted: %+v", w.relay.Stats())
			}
		})
	}
}

// TestABurstComesThroughWhole sends a million changes as fast as the bus takes them.
func TestABurstComesThroughWhole(t *testing.T) {
	w := newWay(t)
	const batches = 1_000_000/events.MaxBatchChanges + 1
	w.judge.mu.Lock()
	gaps := w.judge.gaps
	w.judge.mu.Unlock()
	before, began := w.follower.Stats().Changes, time.Now()
	changes := make([]events.Change, events.MaxBatchChanges)
	epoch := w.relay.Stats().Epoch + 1
	w.relay.Stop() // its successor is this test
	base := w.tick()
	for seq := range uint64(batches) {
		at := w.tick()
		for i := range changes {
			changes[i] = events.Change{Table: events.TableProfile, Project: "acme", Key: fmt.Sprint("u", (int(seq)*len(changes)+i)%100_000), At: at}
		}
		if err := w.bus.Publish(t.Context(), &events.Batch{Epoch: epoch, Seq: seq + 1, Base: base, High: at, Changes: changes}); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.After(patience); w.follower.Stats().Changes-before < batches*events.MaxBatchChanges; {
		select {
		case <-deadline:
			t.Fatalf("only %d changes came", w.follower.Stats().Changes-before)
		case <-time.After(time.Millisecond):
		}
	}
	took := time.Since(began)
	w.judge.mu.Lock()
	defer w.judge.mu.Unlock()
	if n := w.judge.gaps - gaps; n > 1 { // one where the new epoch began
		t.Errorf("%d gaps", n)
	}
	t.Logf("%d changes in %v", batches*events.MaxBatchChanges, took)
}
