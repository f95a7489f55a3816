package natsbus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"eligibility/internal/audience"
)

func TestResultsOnTheEmbeddedBusAreTheDownload(t *testing.T) {
	w, b := newTown(t), embedded(t, nil)
	for _, w.ranges = range []int{0, 5} {
		m := w.manager(b)
		first, second := w.add(m), w.add(m)
		for _, j := range []audience.Job{first, second} {
			w.until(m, j.ID, false, rests(audience.Done))
			w.equal(m, b, j.ID)
		}
		m.Stop()
	}
}

// TestAStopOrAKillRepeatsAndLosesNothing ends the process after so many pages, and leaves, as a kill does, a checkpoint that lacks what the bus acknowledged last.
func TestAStopOrAKillRepeatsAndLosesNothing(t *testing.T) {
	s := broker(t, t.TempDir(), -1)
	for _, of := range []struct {
		killed bool
		ranges int
	}{{false, 0}, {true, 0}, {false, 5}, {true, 5}} {
		t.Run(fmt.Sprintf("killed %v, ranges %d", of.killed, of.ranges), func(t *testing.T) {
			w, b := newTown(t), connected(t, s.ClientURL(), nil)
			w.ranges, w.gate = of.ranges, make(chan struct{})
			m := w.manager(b)
			j := w.add(m)
			for after := int64(1); after < messages-1; after++ {
				w.until(m, j.ID, true, func(j audience.Job) bool { return j.Published.Number >= after })
				m.Stop()
				if of.killed {
					w.forgetPublished(j.ID)
				}
				m = w.manager(b)
			}
			close(w.gate)
			w.gate = nil
			w.until(m, j.ID, false, rests(audience.Done))
			w.equal(m, b, j.ID)
			m.Stop()
			w.revive(j.ID) // it died behind the summary
			m = w.manager(b)
			w.until(m, j.ID, false, rests(audience.Done))
			w.equal(m, b, j.ID)
			if n := b.Stats().ResultRepeats; n > 0 {
				t.Errorf("%d messages were published again: their ids are known for minutes only", n)
			}
		})
	}
}

// careful looks at each message that is published for whether its lines are durable already.
type careful struct {
	audience.Publisher
	w *town
}

func (c careful) Publish(ctx context.Context, project, job string, m *audience.Message, after uint64) (uint64, error) {
	text, err := os.ReadFile(filepath.Join(c.w.dir, project, job+".json"))
	var checkpoint audience.Job
	if err == nil {
		err = json.Unmarshal(text, &checkpoint)
	}
	if end := m.Start + int64(len(m.Data)); err != nil || !m.Whole && end > checkpoint.Bytes {
		c.w.t.Errorf("the lines up to %d are published, the checkpoint knows of %d: %v", end, checkpoint.Bytes, err)
	}
	return c.Publisher.Publish(ctx, project, job, m, after)
}

func TestOnlyWhatIsDurableIsPublished(t *testing.T) {
	w, b := newTown(t), embedded(t, nil)
	w.publisher = careful{b.Results(), w}
	for _, of := range []struct {
		every  time.Duration
		ranges int
	}{{time.Nanosecond, 0}, {time.Hour, 0}, {time.Nanosecond, 5}, {time.Hour, 5}} {
		w.ranges = of.ranges
		m := w.manager(b, func(c *audience.Config) { c.Checkpoint = of.every })
		j := w.until(m, w.add(m).ID, false, rests(audience.Done))
		w.equal(m, b, j.ID)
		m.Stop()
	}
}

// edit changes a checkpoint.
func (w *town) edit(id string, change func(map[string]any)) {
	w.t.Helper()
	name := filepath.Join(w.dir, "shop", id+".json")
	text, err := os.ReadFile(name)
	if err != nil {
		w.t.Fatal(err)
	}
	checkpoint := map[string]any{}
	if err := json.Unmarshal(text, &checkpoint); err != nil {
		w.t.Fatal(err)
	}
	change(checkpoint)
	if text, err = json.Marshal(checkpoint); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(name, text, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *town) forgetPublished(id string) {
	w.edit(id, func(c map[string]any) { delete(c, "published") })
}

func (w *town) revive(id string) {
	w.edit(id, func(c map[string]any) {
		delete(c, "published")
		c["state"] = "running"
	})
}

func TestABusThatIsDownHoldsTheJobUpAndLosesNothing(t *testing.T) {
	for _, ranges := range []int{0, 5} {
		t.Run(fmt.Sprint("ranges ", ranges), func(t *testing.T) { outage(t, ranges) })
	}
}

func outage(t *testing.T, ranges int) {
	t.Helper()
	s, w := broker(t, t.TempDir(), -1), newTown(t)
	w.ranges = ranges
	line := newWire(t, s.Addr().String())
	b := connected(t, line.url(), func(c *Config) { c.PublishTimeout, c.RequestTimeout = 500*time.Millisecond, time.Second })
	w.gate = make(chan struct{})
	m := w.manager(b, func(c *audience.Config) { c.Patience = 300 * time.Millisecond })
	j := w.add(m)
	w.until(m, j.ID, true, func(j audience.Job) bool { return j.Published.Number >= 2 })
	line.set(true)
	j = w.until(m, j.ID, true, func(j audience.Job) bool { return j.State == audience.Running && j.Why == audience.WhyBus })
	j = w.until(m, j.ID, true, rests(audience.Paused))
	if j.Why != audience.WhyBus || w.ranges == 0 && j.Bytes-j.Published.Bytes > 2*(64<<10) || j.Users == inhabitants {
		t.Errorf("the job ran ahead of the bus: %+v", j)
	}
	line.set(false)
	up := b.conn.StatusChanged(nats.CONNECTED)
	if !b.conn.IsConnected() {
		select {
		case <-up:
		case <-time.After(patience):
			t.Fatal("the bus does not come back")
		}
	}
	b.conn.RemoveStatusListener(up)
	if _, err := m.Become("shop", j.ID, audience.Queued); err != nil {
		t.Fatal(err)
	}
	if j = w.until(m, j.ID, true, rests(audience.Done)); j.Why != "" {
		t.Errorf("%+v", j)
	}
	w.equal(m, b, j.ID)
}

func TestOnAStreamThatWasMadeAnewEverythingIsPublishedAgain(t *testing.T) {
	w, b := newTown(t), embedded(t, nil)
	w.gate = make(chan struct{})
	m := w.manager(b)
	j := w.add(m)
	w.until(m, j.ID, true, func(j audience.Job) bool { return j.Published.Number >= 2 })
	if err := b.js.DeleteStream(t.Context(), AudienceStream); err != nil {
		t.Fatal(err)
	}
	if _, err := b.audiences(t.Context()); err != nil { // somebody else is quicker
		t.Fatal(err)
	}
	w.until(m, j.ID, true, rests(audience.Done))
	w.equal(m, b, j.ID)
}

func TestAFullStreamRefusesAndKeepsWhatItHas(t *testing.T) {
	w, b := newTown(t), embedded(t, func(c *Config) { c.Audiences.MaxBytes = mebibyte })
	m := w.manager(b, func(c *audience.Config) { c.Patience = time.Millisecond })
	var whole []string
	var stuck audience.Job
	for stuck.ID == "" {
		j := w.until(m, w.add(m).ID, false, func(j audience.Job) bool { return j.State == audience.Done || j.State == audience.Paused })
		if j.State == audience.Paused {
			stuck = j
			break
		}
		whole = append(whole, j.ID)
	}
	if stuck.Why != audience.WhyBusFull || len(whole) == 0 {
		t.Errorf("%+v after %d", stuck, len(whole))
	}
	for _, id := range whole {
		w.equal(m, b, id)
	}
	stream, err := b.js.Stream(t.Context(), AudienceStream)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range whole {
		if err := stream.Purge(t.Context(), jetstream.WithPurgeSubject("eligibility.audience.shop."+id)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Become("shop", stuck.ID, audience.Queued); err != nil {
		t.Fatal(err)
	}
	w.until(m, stuck.ID, false, rests(audience.Done))
	w.equal(m, b, stuck.ID)
}

func TestARepeatedMessageIsKeptOnce(t *testing.T) {
	b := embedded(t, nil)
	r := b.Results()
	ctx := t.Context()
	if place, err := r.Last(ctx, "shop", "j"); err != nil || place.Number != 0 || place.Stream == "" {
		t.Fatalf("%+v %v", place, err)
	}
	sequence, err := r.Publish(ctx, "shop", "j", &audience.Message{Number: 1, Data: []byte("a\n")}, 0)
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.Publish(ctx, "shop", "j", &audience.Message{Number: 1, Data: []byte("a\n")}, 0)
	if err == nil && again != sequence {
		t.Errorf("a repeat stands at %d, the first at %d", again, sequence)
	}
	if _, err := r.Publish(ctx, "shop", "j", &audience.Message{Number: 9, Start: 99, Data: []byte("b\n")}, 0); err == nil {
		t.Error("a message that follows nothing was taken")
	}
	place, err := r.Last(ctx, "shop", "j")
	if err != nil || place.Number != 1 || place.Bytes != 2 || place.Sequence != sequence || place.Whole {
		t.Errorf("%+v %v", place, err)
	}
}

func TestAForeignStreamOfResultsIsRefused(t *testing.T) {
	b := embedded(t, nil)
	if _, err := b.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: AudienceStream, Subjects: []string{audienceAny}, Storage: jetstream.MemoryStorage}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Results().Last(t.Context(), "shop", "j"); !errors.Is(err, ErrForeignStream) {
		t.Errorf("one that throws away old messages: %v", err)
	}
}
