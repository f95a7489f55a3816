package changefeed_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/store/crdb/changefeed"
	"eligibility/internal/store/crdb/fakefeed"
	"eligibility/internal/store/crdb/standin"
)

// snapshot is what one statement read: its stamp, and the commit that each row says it is of.
type snapshot struct {
	at   hlc.Timestamp
	rows map[string]hlc.Timestamp
}

func (w *world) read(ctx context.Context) (s snapshot, err error) {
	var at, rows string
	if err := w.pool.QueryRow(ctx, `SELECT (SELECT wall::TEXT || '.' || lpad(logical::TEXT, 10, '0') FROM hlc_clock),
		(SELECT coalesce(json_object_agg(user_id, attrs ->> 'at')::TEXT, '{}') FROM profiles WHERE project_id = 'acme')`).Scan(&at, &rows); err != nil {
		return s, err
	}
	if s.at, err = hlc.Parse(at); err != nil {
		return s, err
	}
	return s, json.Unmarshal([]byte(rows), &s.rows)
}

// tape is everything a feed has said, over all its connections.
type tape struct {
	changes    map[events.Change]bool
	history    map[string][]hlc.Timestamp
	resolved   hlc.Timestamp
	repeats    int
	inversions int
	late       []events.Change // first told at or below a resolved stamp before it
	last       map[string]hlc.Timestamp
}

func (r *tape) take(b events.FeedBatch) {
	for _, c := range b.Changes {
		if c.At.Before(r.last[c.Key]) {
			r.inversions++
		}
		r.last[c.Key] = c.At
		if r.changes[c] {
			r.repeats++
			continue
		}
		if !c.At.After(r.resolved) {
			r.late = append(r.late, c)
		}
		r.changes[c] = true
		r.history[c.Key] = append(r.history[c.Key], c.At)
	}
	r.resolved = hlc.Max(r.resolved, b.Resolved)
}

// at is the last change of the user at or before the stamp.
func (r *tape) at(user string, at hlc.Timestamp) (last hlc.Timestamp) {
	for _, change := range r.history[user] {
		if !change.After(at) {
			last = hlc.Max(last, change)
		}
	}
	return last
}

func feedOf(t testing.TB, url string) *changefeed.Feed {
	t.Helper()
	cfg := changefeed.Defaults(url)
	cfg.Quiet = patience / 2
	feed, err := changefeed.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return feed
}

// TestReplayedFeedIsTheDatabase compares what reads saw with what the feed says was there at their stamps, while the feed is cut, repeats and shuts down.
func TestReplayedFeedIsTheDatabase(t *testing.T) {
	w := newWorld(t)
	server := fakefeed.Start(t, fakefeed.Options{
		Source: fakefeed.Outbox{URL: w.url}, Behind: w.url, Faults: fakefeed.Faults{Repeats: 0.2, CutAfter: 400, DownAfter: 700},
	})
	feed := feedOf(t, server.URL)
	record := &tape{changes: map[events.Change]bool{}, history: map[string][]hlc.Timestamp{}, last: map[string]hlc.Timestamp{}, resolved: w.now(t)}
	var upTo hlc.Timestamp // set before done is closed
	done := make(chan struct{})
	errDone := errors.New("done")
	var following sync.WaitGroup
	following.Go(func() {
		for {
			err := feed.Follow(t.Context(), record.resolved, func(b events.FeedBatch) error {
				record.take(b)
				select {
				case <-done:
					if !record.resolved.Before(upTo) {
						return errDone
					}
				default:
				}
				return nil
			})
			if errors.Is(err, errDone) {
				return
			}
			if !errors.Is(err, events.ErrUnavailable) {
				t.Errorf("Follow: %v", err)
				return
			}
		}
	})
	var snapshots []snapshot
	w.run(t, runFor, func(ctx context.Context) error {
		s, err := w.read(ctx)
		if err == nil {
			snapshots = append(snapshots, s)
		}
		return err
	})
	// A feed that is always cut before its next resolved stamp never gets on, and what it is behind by now may be more than it is left to send.
	server.Set(fakefeed.Faults{Repeats: 0.2})
	upTo = w.now(t)
	close(done)
	following.Wait()
	differences := 0
	for _, s := range snapshots {
		for user, want := range s.rows {
			if got := record.at(user, s.at); got != want {
				if differences++; differences < 5 {
					t.Errorf("at %v the row of %s is of %v, by the feed of %v", s.at, user, want, got)
				}
			}
		}
	}
	for _, c := range w.commits {
		for _, user := range c.users {
			if !record.changes[events.Change{Table: events.TableProfile, Project: "acme", Key: user, At: c.at}] {
				t.Fatalf("the feed has not told of the commit of %s at %v", user, c.at)
			}
		}
	}
	if len(record.late) > 0 {
		t.Errorf("%d changes came first at or below a resolved stamp: %v", len(record.late), record.late[0])
	}
	stats := server.Stats()
	if stats.Feeds < 2 || record.repeats == 0 || record.inversions == 0 || w.rolled == 0 {
		t.Errorf("nothing went wrong: %+v, %d repeats, %d inversions, %d rolled back", stats, record.repeats, record.inversions, w.rolled)
	}
	t.Logf("%d commits, %d rolled back, %d changes, %d repeats, %d inversions, %d connections, %d cut within a message, %d snapshots, %d differences",
		len(w.commits), w.rolled, len(record.changes), record.repeats, record.inversions, stats.Feeds, stats.Cuts, len(snapshots), differences)
}

func TestACursorThatTheOutboxHasForgottenIsTooOld(t *testing.T) {
	w := newWorld(t)
	server := fakefeed.Start(t, fakefeed.Options{Source: fakefeed.Outbox{URL: w.url}, Behind: w.url})
	old := w.now(t)
	if err := standin.Forget(t.Context(), w.url); err != nil {
		t.Fatal(err)
	}
	err := feedOf(t, server.URL).Follow(t.Context(), old, func(events.FeedBatch) error { return nil })
	if !errors.Is(err, events.ErrCursorTooOld) || !errors.Is(err, changefeed.ErrCollected) {
		t.Errorf("Follow: %v", err)
	}
}

func TestPostgreSQLHasNoFeeds(t *testing.T) {
	w := newWorld(t)
	err := feedOf(t, w.url).Follow(t.Context(), w.now(t), func(events.FeedBatch) error { return nil })
	if !errors.Is(err, events.ErrUnavailable) || !errors.Is(err, changefeed.ErrNoFeeds) {
		t.Errorf("Follow: %v", err)
	}
}
