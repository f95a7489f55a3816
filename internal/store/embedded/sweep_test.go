package embedded

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

// eventRows counts the stored events and ids of the user table.
func eventRows(t *testing.T, s *Store) (rows, ids int) {
	t.Helper()
	err := scan(s.db, []byte{tableUser}, []byte{tableUser + 1}, func(key, _ []byte) (bool, error) {
		user, typed, _, err := cutUser(key)
		switch {
		case typed != nil:
			rows++
		case err == nil && key[len(user)] == userID:
			ids++
		}
		return true, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows, ids
}

// sweepAll is one whole pass.
func sweepAll(t *testing.T, s *Store) (pages int) {
	t.Helper()
	for at := []byte(nil); ; {
		next, err := s.sweep(at)
		if err != nil {
			t.Fatal(err)
		}
		if pages++; next == nil {
			return pages
		}
		if at = next; pages > 1000 {
			t.Fatal("the sweep does not come to an end")
		}
	}
}

func TestTheSweepRemovesWhatIsBeyondRetentionAndNothingElse(t *testing.T) {
	s := openStore(t, memory(t))
	shop(t, s)
	ctx := context.Background()
	old, young := time.Now().Add(-s.cfg.Retention-time.Hour), time.Now().Add(-time.Hour)
	const users, each = 40, 30
	for u := range users {
		var batch []profile.NewEvent
		for n := range each {
			e := sale(u, 0, fmt.Sprintf("order-%d", n))
			if e.OccurredAt = old; n%3 == 0 {
				e.OccurredAt = young
			}
			e.Name = []string{"purchase", "visit"}[n%2]
			batch = append(batch, e)
		}
		if u%2 == 0 {
			if _, _, err := s.PutUsers(ctx, "shop", []profile.Update{person(u)}); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := s.PutEvents(ctx, "shop", batch); err != nil {
			t.Fatal(err)
		}
	}
	before, err := s.Now(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if pages := sweepAll(t, s); pages < 2 {
		t.Errorf("%d rows were swept in %d page", users*each, pages)
	}
	if rows, ids := eventRows(t, s); rows != users*each/3 || ids != rows {
		t.Errorf("%d events and %d ids are left, want %d of both", rows, ids, users*each/3)
	}
	if stats, err := s.Stats(ctx); err != nil || stats.SweptEvents != users*each*2/3 {
		t.Errorf("stats: %+v, %v", stats, err)
	}
	record, err := s.ReadUser(ctx, profile.Key{Project: "shop", User: "user-000002"}, 100)
	if err != nil || !record.Found || len(record.Events) != each/3 {
		t.Errorf("a user after the sweep: %+v, %v", record, err)
	}
	sweepAll(t, s)
	if rows, _ := eventRows(t, s); rows != users*each/3 {
		t.Errorf("a second pass leaves %d events", rows)
	}
	feed := follow(t, s, before)
	feed.until(t, "resolved", func() bool { return len(feed.resolved) > 0 })
	if len(feed.changes) != 0 {
		t.Errorf("the sweep is on the feed: %v", feed.changes)
	}
}

func TestTheSweepSparesAnEventThatWasMoved(t *testing.T) {
	s := openStore(t, memory(t))
	shop(t, s)
	ctx := context.Background()
	e := sale(1, 0, "order")
	e.OccurredAt = time.Now().Add(-s.cfg.Retention - time.Hour)
	put := func() {
		t.Helper()
		if _, _, err := s.PutEvents(ctx, "shop", []profile.NewEvent{e}); err != nil {
			t.Fatal(err)
		}
	}
	put()
	var dead []expired // as the sweep saw it
	err := scan(s.db, []byte{tableUser}, []byte{tableUser + 1}, func(key, _ []byte) (bool, error) {
		user, typed, tail, err := cutUser(key)
		if typed != nil {
			at, id, _ := cutEvent(tail)
			dead = append(dead, expired{key: bytes.Clone(key), id: appendID(bytes.Clone(user), string(id)), at: at})
		}
		return true, err
	})
	if err != nil || len(dead) != 1 {
		t.Fatalf("%d expired events, %v", len(dead), err)
	}
	e.OccurredAt = time.Now().Add(-time.Hour)
	put()
	if err := s.bury(dead); err != nil {
		t.Fatal(err)
	}
	if rows, ids := eventRows(t, s); rows != 1 || ids != 1 {
		t.Fatalf("%d events and %d ids are left, want 1 of both", rows, ids)
	}
	e.OccurredAt = time.Now().Add(-2 * time.Hour)
	put()
	if rows, ids := eventRows(t, s); rows != 1 || ids != 1 {
		t.Fatalf("after another move there are %d events and %d ids, want 1 of both", rows, ids)
	}
}

func TestABatchLargerThanTheWriteBuffer(t *testing.T) {
	cfg := memory(t)
	cfg.MemTableBytes = 1 << 20
	s := openStore(t, cfg)
	shop(t, s)
	updates := make([]profile.Update, 200)
	for i := range updates {
		updates[i] = person(i)
		updates[i].Attributes["long"] = append(append([]byte{'"'}, bytes.Repeat([]byte{'x'}, 20<<10)...), '"')
	}
	at, refused, err := s.PutUsers(context.Background(), "shop", updates)
	if err != nil || len(refused) != 0 {
		t.Fatal(err, refused)
	}
	feed := follow(t, s, hlc.Timestamp{})
	feed.until(t, "resolved", func() bool { return len(feed.resolved) > 0 && !feed.resolved[len(feed.resolved)-1].Before(at) })
	profiles := 0
	for _, change := range feed.changes {
		if change.Table == events.TableProfile && change.At == at {
			profiles++
		}
	}
	ids, err := s.UserIDs(context.Background(), "shop", "", 1000)
	if err != nil || len(ids) != len(updates) || profiles != len(updates) {
		t.Errorf("%d users (%v), %d changes, want %d", len(ids), err, profiles, len(updates))
	}
}

func TestACheckpointIsAStore(t *testing.T) {
	s := openStore(t, Defaults(t.TempDir()))
	shop(t, s)
	ctx := context.Background()
	for n := range 10 {
		if _, _, err := s.PutUsers(ctx, "shop", []profile.Update{person(n)}); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(t.TempDir(), "copy")
	if err := s.Checkpoint(ctx, dir); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.PutUsers(ctx, "shop", []profile.Update{person(10)}); err != nil {
		t.Fatal(err)
	}
	restored := openStore(t, Defaults(dir))
	ids, err := restored.UserIDs(ctx, "shop", "", 100)
	if err != nil || len(ids) != 10 {
		t.Errorf("the copy holds %v (%v), want the 10 users before it", ids, err)
	}
	if _, _, err := restored.PutUsers(ctx, "shop", []profile.Update{person(11)}); err != nil {
		t.Errorf("a write to the copy: %v", err)
	}
	if err := s.Checkpoint(ctx, dir); err == nil {
		t.Error("a checkpoint replaced a directory that exists")
	}
}

func TestWhatWasObservedIsKept(t *testing.T) {
	cfg := memory(t)
	s := openStore(t, cfg)
	seen := []profile.Observed{{What: "attribute", Name: "plan", Type: "int"}}
	if err := s.Observe(context.Background(), "shop", seen); err != nil {
		t.Fatal(err)
	}
	if allocs := testing.AllocsPerRun(100, func() { _ = s.Observe(context.Background(), "shop", seen) }); allocs > 0 {
		t.Errorf("an observation that is known allocates %v times", allocs)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, cfg)
	seen[0].Type = "double"
	if err := s.Observe(context.Background(), "shop", seen); err != nil {
		t.Fatal(err)
	}
	list, err := s.Observations(context.Background(), "shop")
	if err != nil || len(list) != 1 || list[0].Type != "double" {
		t.Errorf("got %v, %v", list, err)
	}
}
