package changefeed

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/events/changejson"
	"eligibility/internal/hlc"
	"eligibility/internal/store/crdb/fakefeed"
	"eligibility/internal/store/pgtest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) { pgtest.StopShared(); os.Exit(code) }))
}

// patience bounds every wait.
const patience = 20 * time.Second

// cursor is some stamp to follow from.
func cursor() hlc.Timestamp { return hlc.Timestamp{Wall: 1} }

// recorded is the tables of the recordings, whose schema was another: events were keyed by their time as well, API keys by a hash alone.
func recorded() []changejson.Table {
	return []changejson.Table{
		{Name: "profiles", Kind: events.TableProfile, Columns: 2},
		{Name: "user_events", Kind: events.TableProfile, Columns: 4},
		{Name: "user_events_ttl", Kind: events.TableProfile, Columns: 4},
		{Name: "rulesets", Kind: events.TableRuleset, Columns: 1},
		{Name: "alt", Kind: events.TableProfile, Columns: 2},
		{Name: "alt2", Kind: events.TableProfile, Columns: 2},
		{Name: "hashed", Kind: events.TableEmail, Columns: 1}, // and a shard in front
	}
}

func quickly(t testing.TB, url string, tables []changejson.Table) *Feed {
	t.Helper()
	cfg := Defaults(url)
	cfg.Tables, cfg.Quiet = tables, patience
	feed, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return feed
}

// errEnough ends a feed from within.
var errEnough = errors.New("enough")

// expectation is what a recording holds, read the slow way.
type expectation struct {
	changes  []events.Change
	resolved []hlc.Timestamp
	untold   int
	undated  bool
}

func expect(t *testing.T, r *fakefeed.Recording) (want expectation) {
	t.Helper()
	for _, m := range r.Messages {
		var value struct {
			Updated, Resolved string
			Nested            struct{ Resolved string } `json:"__crdb__"`
		}
		if *m.Value != "" {
			if err := json.Unmarshal([]byte(*m.Value), &value); err != nil {
				t.Fatal(err)
			}
		}
		if m.Table == nil {
			at, err := hlc.Parse(value.Resolved + value.Nested.Resolved)
			if err != nil {
				t.Fatal(err)
			}
			want.resolved = append(want.resolved, at)
			continue
		}
		at, err := hlc.Parse(value.Updated)
		if err != nil {
			want.undated = true
			return want
		}
		var key []any
		if err := json.Unmarshal([]byte(*m.Key), &key); err != nil {
			t.Fatal(err)
		}
		change := events.Change{At: at}
		switch *m.Table {
		case "profiles", "user_events", "user_events_ttl", "alt", "alt2":
			change.Table, change.Project, change.Key = events.TableProfile, key[0].(string), key[1].(string)
		case "rulesets":
			change.Table, change.Project = events.TableRuleset, key[0].(string)
		case "hashed":
			change.Table, change.Project = events.TableEmail, key[1].(string)
		default:
			want.untold++
		}
		want.changes = append(want.changes, change)
	}
	return want
}

// ends is how the recordings end that end with an error.
func ends() map[string][2]error {
	return map[string][2]error{
		"error-cursor-before-database":   {events.ErrCursorTooOld, ErrTooNew}, // the server has tables now
		"error-cursor-future":            {events.ErrUnavailable, nil},
		"error-cursor-garbage-collected": {events.ErrCursorTooOld, ErrCollected},
		"error-cursor-malformed":         {events.ErrUnavailable, nil},
		"error-drop":                     {events.ErrCursorTooOld, ErrDropped},
		"error-truncate":                 {events.ErrCursorTooOld, ErrTruncated},
		"error-unknown-option":           {events.ErrUnavailable, nil},
		"error-unknown-table":            {events.ErrCursorTooOld, ErrTooNew},
		"initial-scan-no":                {events.ErrUnavailable, nil},
		"initial-scan-only":              {events.ErrUnavailable, nil},
		"options-key-only":               {events.ErrCursorTooOld, changejson.ErrUndated},
		"options-row":                    {events.ErrCursorTooOld, changejson.ErrUndated},
		"alter-stop":                     {},
		"table-with-own-zone-and-tick":   {},
	}
}

// play follows what a server plays until all of want has come, or the feed ends.
func play(t *testing.T, feed *Feed, want *expectation) (got expectation, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err = feed.Follow(ctx, cursor(), func(b events.FeedBatch) error {
		if len(b.Changes) > events.MaxBatchChanges {
			t.Errorf("a batch of %d changes", len(b.Changes))
		}
		got.changes = append(got.changes, b.Changes...)
		if !b.Resolved.IsZero() {
			got.resolved = append(got.resolved, b.Resolved)
		}
		if want != nil && len(got.changes) == len(want.changes) && len(got.resolved) == len(want.resolved) {
			return errEnough
		}
		return nil
	})
	return got, err
}

func TestEveryRecordingIsReadAsItWasWritten(t *testing.T) {
	files, err := filepath.Glob("testdata/transcripts/*.jsonl")
	if err != nil || len(files) < 28 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	rows := 0
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".jsonl")
		t.Run(name, func(t *testing.T) {
			recording, err := fakefeed.Load(file)
			if err != nil {
				t.Fatal(err)
			}
			server := fakefeed.Start(t, fakefeed.Options{Source: recording})
			want := expect(t, recording)
			until := &want
			if recording.Err != nil || want.undated {
				until = nil
			}
			got, err := play(t, quickly(t, server.URL, recorded()), until)
			if !slices.Equal(got.changes, want.changes) {
				t.Errorf("changes: %d, want %d\n got %v\nwant %v", len(got.changes), len(want.changes), got.changes, want.changes)
			}
			if !slices.Equal(got.resolved, want.resolved) {
				t.Errorf("resolved: got %v, want %v", got.resolved, want.resolved)
			}
			rows += len(got.changes)
			end := ends()[name]
			switch {
			case until != nil:
				if err != errEnough { //nolint:errorlint // as it is
					t.Errorf("Follow: %v, want what yield returned", err)
				}
			case !errors.Is(err, end[0]) || end[1] != nil && !errors.Is(err, end[1]):
				t.Errorf("Follow: %v, want %v", err, end)
			}
			checkL3(t, got)
		})
	}
	t.Logf("%d recordings, %d changes", len(files), rows)
}

// checkL3: no change comes for the first time at or below a resolved stamp that came before it. Recordings and outboxes keep the order of got only within each
// list, so the order between them is checked where it is known: by the caller's batches. Here resolved stamps are in order.
func checkL3(t *testing.T, got expectation) {
	t.Helper()
	if !slices.IsSortedFunc(got.resolved, hlc.Timestamp.Compare) {
		t.Errorf("resolved stamps go back: %v", got.resolved)
	}
}
