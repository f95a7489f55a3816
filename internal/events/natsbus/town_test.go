package natsbus

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"eligibility/internal/audience"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
	store "eligibility/internal/store/embedded"
)

// town is a store with inhabitants whose ids are long, so that a job's results fill several messages, and a directory of jobs.
type town struct {
	*store.Store
	t    *testing.T
	dir  string
	live *rules.Live
	gate chan struct{} // nil, or a page is read for each value

	ranges int // that the inhabitants are split into; 0: one

	publisher audience.Publisher // nil: the bus
}

const (
	inhabitants = 3000
	messages    = 6 // that the results of all of them fill, about
)

func newTown(t *testing.T) *town {
	t.Helper()
	storeCfg := store.Defaults("")
	storeCfg.InMemory = true
	db, err := store.Open(storeCfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	w := &town{Store: db, t: t, dir: t.TempDir(), live: &rules.Live{}}
	(&desk{}).project(t, db, w.live, "shop", "german")
	for start := 0; start < inhabitants; start += 500 {
		var updates []profile.Update
		for i := range 500 {
			updates = append(updates, profile.Update{UserID: fmt.Sprintf("%s%05d", strings.Repeat("u", 80), start+i)})
		}
		if _, refused, err := db.PutUsers(t.Context(), "shop", updates); err != nil || len(refused) > 0 {
			t.Fatal(err, refused)
		}
	}
	return w
}

// UserIDs waits for the gate.
func (w *town) UserIDs(ctx context.Context, project, after string, limit int) ([]string, error) {
	if w.gate != nil {
		select {
		case <-w.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return w.Store.UserIDs(ctx, project, after, limit)
}

// manager works on the town's jobs until it is stopped, as a process would.
func (w *town) manager(b *Bus, edit ...func(*audience.Config)) *audience.Manager {
	w.t.Helper()
	cfg := audience.Defaults(w.dir)
	cfg.PageUsers, cfg.Checkpoint, cfg.Ranges = 64, time.Nanosecond, 1
	if w.ranges > 0 {
		cfg.PageUsers, cfg.Ranges, cfg.Workers = 16, w.ranges, 3
	}
	for _, e := range edit {
		e(&cfg)
	}
	publisher := w.publisher
	if publisher == nil {
		publisher = b.Results()
	}
	m, err := audience.New(cfg, audience.Deps{Users: w, Sampler: w.Store, Rulesets: w.live, Clock: &hlc.Estimate{}, Publisher: publisher, Logger: quiet()})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := m.Start(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(m.Stop)
	return m
}

func (w *town) add(m *audience.Manager) audience.Job {
	w.t.Helper()
	j, err := m.Add("shop", audience.Ask{Promotion: "german", Channel: "push", At: time.Now(), AllLines: true, Publish: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}

// until waits for the job to be as wanted, letting pages through if there is a gate and walk says so.
func (w *town) until(m *audience.Manager, id string, walk bool, is func(audience.Job) bool) audience.Job {
	w.t.Helper()
	gate := w.gate
	if !walk {
		gate = nil
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for {
		j, err := m.Get("shop", id)
		if err != nil {
			w.t.Fatal(err)
		}
		if is(j) {
			return j
		}
		select {
		case gate <- struct{}{}:
		case <-tick.C:
		case <-end:
			w.t.Fatalf("the job stays %+v", j)
		}
	}
}

func rests(as audience.State) func(audience.Job) bool {
	return func(j audience.Job) bool { return j.State == as }
}

// equal holds what the stream has of a job against its download: messages numbered from 1, each beginning where the last one ended, the summary behind them.
func (w *town) equal(m *audience.Manager, b *Bus, id string) {
	w.t.Helper()
	j, lines, file, err := m.Results("shop", id)
	if err != nil {
		w.t.Fatal(err)
	}
	defer file.Close()
	if len(j.Ranges) != max(1, w.ranges) || j.RangesDone() != len(j.Ranges) {
		w.t.Errorf("the job has %d ranges, want %d: %+v", len(j.Ranges), w.ranges, j.Ranges)
	}
	want, err := io.ReadAll(lines)
	if err != nil {
		w.t.Fatal(err)
	}
	stream, err := b.js.Stream(w.t.Context(), AudienceStream)
	if err != nil {
		w.t.Fatal(err)
	}
	var got []byte
	var last *jetstream.RawStreamMsg
	number := 0
	for sequence := stream.CachedInfo().State.FirstSeq; sequence <= stream.CachedInfo().State.LastSeq; sequence++ {
		one, err := stream.GetMsg(w.t.Context(), sequence)
		if err != nil {
			w.t.Fatal(err)
		}
		if one.Subject != "eligibility.audience.shop."+id {
			continue
		}
		if last != nil && last.Header.Get(kindHeader) != kindLines {
			w.t.Errorf("message %d comes behind the summary", sequence)
		}
		last, number = one, number+1
		if one.Header.Get(numberHeader) != fmt.Sprint(number) || one.Header.Get(startHeader) != fmt.Sprint(len(got)) {
			w.t.Errorf("message %d of the job says %v, it begins at %d", number, one.Header, len(got))
		}
		if one.Header.Get(kindHeader) == kindLines {
			got = append(got, one.Data...)
		}
	}
	if !bytes.Equal(got, want) || bytes.Count(want, []byte("\n")) != int(j.Users) {
		w.t.Errorf("%d bytes on the bus, %d in the download of %d users", len(got), len(want), j.Users)
	}
	var body struct {
		Summary struct {
			Job                       string
			Users, Eligible, Messages int64
			Bytes                     int
			Reasons                   map[string]int64
		}
	}
	if last == nil || last.Header.Get(kindHeader) != kindSummary || json.Unmarshal(last.Data, &body) != nil {
		w.t.Fatalf("the last message of %d is %v", number, last)
	}
	if s := body.Summary; s.Job != id || s.Users != j.Users || s.Eligible != j.Eligible || s.Bytes != len(want) || int(s.Messages) != number-1 || number < messages ||
		s.Reasons["missing_attribute"] != j.Reasons["missing_attribute"] {
		w.t.Errorf("%s after %d messages of %+v", last.Data, number-1, j)
	}
	if p := j.Published; !p.Whole || p.Number != int64(number) || p.Bytes != int64(len(want)) || p.Sequence != last.Sequence {
		w.t.Errorf("the job says %+v", p)
	}
}
