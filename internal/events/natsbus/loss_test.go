package natsbus

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"eligibility/internal/events"
)

func upTo(from, to uint64) []uint64 {
	var all []uint64
	for n := from; n <= to; n++ {
		all = append(all, n)
	}
	return all
}

func TestAnIdleSubscriptionIsLeftAlone(t *testing.T) {
	b := embedded(t, nil)
	r := newRecorder()
	subscribe(t, b, r)
	publish(t, b, batch(0, 1), batch(1, 1))
	r.until(t, "two batches", func() bool { return len(r.batches) == 2 })
	quiet := b.conn.Stats().InMsgs
	deadline := time.Now().Add(patience)
	for b.conn.Stats().InMsgs < quiet+2*silence { // nothing but heartbeats arrives now
		if time.Now().After(deadline) {
			t.Fatal("no heartbeats")
		}
		runtime.Gosched()
	}
	if got := b.Stats(); got.Resumes != 0 || len(r.lost()) != 0 {
		t.Errorf("stats %+v, losses %v; want nothing but silence", got, r.lost())
	}
}

func TestStreamCreatedAnewUnderASubscriber(t *testing.T) {
	b := embedded(t, nil)
	r := newRecorder()
	subscribe(t, b, r)
	for n := range uint64(100) {
		publish(t, b, batch(0, n+1))
	}
	r.until(t, "100 batches", func() bool { return len(r.batches) == 100 })
	if err := b.js.DeleteStream(context.Background(), StreamName); err != nil {
		t.Fatalf("DeleteStream: %v", err)
	}
	for n := range uint64(150) {
		publish(t, b, batch(0, n+101))
	}
	r.until(t, "the other 150 batches", func() bool { return len(r.batches) == 250 })
	if want := upTo(1, 250); !slices.Equal(r.seqs(), want) {
		t.Errorf("sequence numbers: got %v, want 1 to 250 in order", r.seqs())
	}
	if !slices.Contains(r.lost(), events.LossRecreated) {
		t.Errorf("losses: got %v, want one of a stream created anew", r.lost())
	}
	if got := b.Stats(); got.StreamsCreated != 2 || got.Recreated != 1 {
		t.Errorf("stats: %+v; want 2 streams created, 1 seen as new", got)
	}
}

func TestStreamPurgedUnderASubscriberThatHasReadItAll(t *testing.T) {
	b := embedded(t, nil)
	r := newRecorder()
	subscribe(t, b, r)
	publish(t, b, batch(0, 1), batch(0, 2))
	r.until(t, "two batches", func() bool { return len(r.batches) == 2 })
	stream, err := b.js.Stream(context.Background(), StreamName)
	if err == nil {
		err = stream.Purge(context.Background())
	}
	if err != nil {
		t.Fatalf("Purge: %v", err)
	}
	publish(t, b, batch(0, 3))
	r.until(t, "the batch after the purge", func() bool { return len(r.batches) == 3 })
	if len(r.lost()) != 0 {
		t.Errorf("losses: got %v; nothing was lost", r.lost())
	}
}

func TestOverflowOfTheLocalBufferLosesNothing(t *testing.T) {
	b := embedded(t, func(c *Config) { c.Buffer = 64 })
	r := newRecorder()
	r.hold = make(chan struct{})
	subscribe(t, b, r)
	for n := range uint64(1000) {
		publish(t, b, batch(0, n+1))
	}
	close(r.hold)
	r.until(t, "1000 batches", func() bool { return len(r.batches) >= 1000 })
	if !slices.Equal(r.seqs(), upTo(1, 1000)) || len(r.lost()) != 0 {
		t.Errorf("got %d batches in order %t, losses %v; want 1000 in order and none", len(r.seqs()),
			slices.IsSorted(r.seqs()), r.lost())
	}
	if b.Stats().Overflows == 0 || b.Stats().Resumes == 0 {
		t.Errorf("stats: %+v; the test did not overflow the buffer", b.Stats())
	}
}

func TestMessagesDiscardedBeforeASlowSubscriberReadThem(t *testing.T) {
	b := embedded(t, func(c *Config) {
		c.Buffer = 64
		c.Stream.MaxBytes = mebibyte
	})
	r := newRecorder()
	r.hold = make(chan struct{})
	subscribe(t, b, r)
	wide := make([]string, 40)
	for i := range wide {
		wide[i] = strings.Repeat("k", events.MaxKeyBytes-3) + fmt.Sprintf("%03d", i)
	}
	const sent = 400 // about 24 kB each, so that the stream holds some 40
	for n := range uint64(sent) {
		publish(t, b, batch(0, n+1, wide...))
	}
	close(r.hold)
	r.until(t, "the newest batch", func() bool { return len(r.batches) > 0 && r.batches[len(r.batches)-1].Seq == sent })
	if len(r.seqs()) == sent {
		t.Fatal("nothing was discarded; the test proves nothing")
	}
	if !slices.Contains(r.lost(), events.LossDiscarded) {
		t.Errorf("%d of %d batches arrived, losses %v; want them to be told", len(r.seqs()), sent, r.lost())
	}
}

func TestPayloadsThatAreNoBatch(t *testing.T) {
	b := embedded(t, nil)
	r := newRecorder()
	subscribe(t, b, r)
	valid, err := events.AppendBatch(nil, batch(2, 1, "u1"))
	if err != nil {
		t.Fatal(err)
	}
	// The last one is a batch, but on another partition's subject.
	payloads := [][]byte{nil, []byte("{"), valid[:len(valid)-1], append(slices.Clone(valid), 0), valid}
	for _, data := range payloads {
		if _, err := b.js.Publish(context.Background(), changesPrefix+"1", data); err != nil {
			t.Fatalf("Publish: %v", err)
		}
	}
	if err := b.conn.Publish(hintsSubject, []byte("nonsense")); err != nil {
		t.Fatal(err)
	}
	publish(t, b, batch(2, 1, "u1"))
	r.until(t, "the batch and six losses", func() bool { return len(r.batches) == 1 && len(r.losses) == len(payloads)+1 })
	for _, why := range r.lost() {
		if why != events.LossUndecodable {
			t.Errorf("losses: got %v, want only undecodable ones", r.lost())
		}
	}
	if got := b.Stats().Undecodable; got != uint64(len(payloads)+1) {
		t.Errorf("undecodable: got %d, want %d", got, len(payloads)+1)
	}
}

func TestDisconnectWithinRetentionLosesNothing(t *testing.T) {
	s := broker(t, t.TempDir(), -1)
	w := newWire(t, s.Addr().String())
	relaySide, replicaSide := connected(t, s.ClientURL(), nil), connected(t, w.url(), nil)
	r := newRecorder()
	subscribe(t, replicaSide, r)
	publish(t, relaySide, batch(0, 1), batch(0, 2))
	r.until(t, "two batches", func() bool { return len(r.batches) == 2 })
	w.set(true)
	for n := range uint64(100) {
		publish(t, relaySide, batch(0, n+3))
	}
	replicaSide.PublishHint(&events.Hint{Changes: batch(0, 1, "u").Changes}) // must neither block nor fail
	w.set(false)
	r.until(t, "the batches sent meanwhile", func() bool { return len(r.batches) >= 102 })
	if !slices.Equal(r.seqs(), upTo(1, 102)) || len(r.lost()) != 0 {
		t.Errorf("got %v, losses %v; want 1 to 102 and none", r.seqs(), r.lost())
	}
	if got := replicaSide.Stats(); got.Reconnects == 0 || got.Resumes == 0 {
		t.Errorf("stats: %+v; the wire was not cut", got)
	}
}

func TestServerRestart(t *testing.T) {
	cases := []struct {
		name   string
		memory bool
		want   []events.Loss
	}{
		{name: "with its files", memory: false, want: nil},
		{name: "with everything in memory", memory: true, want: []events.Loss{events.LossRecreated}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			s := broker(t, dir, -1)
			port := portOf(s)
			b := connected(t, s.ClientURL(), func(cfg *Config) { cfg.Stream.Memory = c.memory })
			r := newRecorder()
			subscribe(t, b, r)
			publish(t, b, batch(0, 1), batch(0, 2))
			r.until(t, "two batches", func() bool { return len(r.batches) == 2 })
			halt(s)
			if err := b.Publish(context.Background(), batch(0, 3)); err == nil {
				t.Fatal("Publish without a server succeeded")
			}
			broker(t, dir, port)
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			for err := b.Publish(ctx, batch(0, 3)); err != nil; err = b.Publish(ctx, batch(0, 3)) {
				if ctx.Err() != nil {
					t.Fatalf("Publish after the restart: %v", err)
				}
			}
			r.until(t, "the third batch", func() bool { return len(r.batches) >= 3 })
			if got := r.seqs(); got[len(got)-1] != 3 || !slices.Equal(r.lost(), c.want) {
				t.Errorf("sequence numbers %v, losses %v; want 3 at the end and %v", got, r.lost(), c.want)
			}
			b.Stop()
		})
	}
}
