package crdb

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"eligibility/internal/audit"
	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
	"eligibility/internal/store/pgtest"
)

// replicas opens n stores on one fresh database, with a project in it.
func replicas(t *testing.T, n int) []*Store {
	t.Helper()
	url := migrated(t, pgtest.Shared(t))
	list := make([]*Store, n)
	for i := range list {
		list[i] = openStore(t, quick(url))
	}
	schema, err := profile.NewSchema().WithAttribute("n", profile.Type{Kind: profile.Int}, false)
	if err == nil {
		schema, err = schema.WithEventType("step", nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := list[0].CreateProject(t.Context(), rules.Spec{Project: "p", Schema: schema}, audit.Entry{Project: "p"}); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestReadsShowExactlyTheCommitsUpToTheirStamp lets several replicas write, each its own user and an event of another, while all read all
// of them: by the feed, which knows every commit's stamp, each read must show as many commits as lie at or before its asOf, in the
// profile and in the events alike.
func TestReadsShowExactlyTheCommitsUpToTheirStamp(t *testing.T) {
	t.Parallel()
	const writers, readers, commits = 4, 4, 60
	stores := replicas(t, writers)
	start, err := stores[0].Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	type seen struct {
		at     hlc.Timestamp
		n, len int
	}
	var mu sync.Mutex
	reads := make(map[string][]seen)
	done := make(chan struct{})
	var writing, reading sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			user := fmt.Sprintf("u%d", w)
			for n := 1; n <= commits; n++ {
				update := profile.Update{UserID: user, Attributes: attributes(fmt.Sprintf(`{"n":%d}`, n))}
				if _, _, err := stores[w].PutUsers(t.Context(), "p", []profile.Update{update}); err != nil {
					t.Errorf("PutUsers: %v", err)
					return
				}
				if n%2 == 0 {
					continue
				}
				if _, _, err := stores[w].PutEvents(t.Context(), "p", []profile.NewEvent{{UserID: user, Name: "step", OccurredAt: time.Now()}}); err != nil {
					t.Errorf("PutEvents: %v", err)
					return
				}
			}
		})
	}
	for r := range readers {
		reading.Go(func() {
			keys := make([]profile.Key, writers)
			for w := range keys {
				keys[w] = profile.Key{Project: "p", User: fmt.Sprintf("u%d", w)}
			}
			dst := make([]*profile.Snapshot, writers)
			for {
				if err := stores[r%len(stores)].Load(t.Context(), keys, dst); err != nil {
					t.Errorf("Load: %v", err)
					return
				}
				mu.Lock()
				for _, s := range dst {
					n := 0
					if s.Found {
						n = int(s.Int(slotOf(t, s)))
					}
					reads[s.Key.User] = append(reads[s.Key.User], seen{s.AsOf, n, s.Events(firstDeclared).Len()})
				}
				mu.Unlock()
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	stamps := commitStamps(t, stores[0], start)
	checked := 0
	for user, list := range reads {
		for _, s := range list {
			commits := 0
			for _, at := range stamps[user] {
				if !at.After(s.at) {
					commits++
				}
			}
			// Of each three commits the second is an event.
			events := (commits + 1) / 3
			updates := commits - events
			if s.n != updates || s.len != events {
				t.Fatalf("%s as of %v, after %d commits: n is %d and there are %d events, want %d and %d", user, s.at, commits, s.n, s.len, updates, events)
			}
			checked++
		}
	}
	t.Logf("%d reads by %d replicas, each exact", checked, writers)
}

// firstDeclared is the slot of the first event type that a project declares: behind the reserved ones.
const firstDeclared = 4

// slotOf is the slot of "n": the first after the built-in ones.
func slotOf(t *testing.T, s *profile.Snapshot) int {
	t.Helper()
	slot := len(profile.NewSchema().Attributes)
	if s.State(slot) != profile.Present {
		t.Errorf("n of %v is not there", s.Key)
		return slot - 1
	}
	return slot
}

// commitStamps are the stamps of each user's commits after start, by the feed.
func commitStamps(t *testing.T, s *Store, start hlc.Timestamp) map[string][]hlc.Timestamp {
	t.Helper()
	end, err := s.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stamps := make(map[string][]hlc.Timestamp)
	err = s.Follow(t.Context(), start, func(b events.FeedBatch) error {
		for _, c := range b.Changes {
			if c.Table == events.TableProfile {
				stamps[c.Key] = append(stamps[c.Key], c.At)
			}
		}
		if !b.Resolved.Before(end) {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	return stamps
}

var errEnough = errors.New("enough")

// TestOfRacingPublishesOneWins lets replicas publish as fast as they can: every version has one winner, and the audit log tells all of
// them in order.
func TestOfRacingPublishesOneWins(t *testing.T) {
	t.Parallel()
	const rounds = 15
	stores := replicas(t, 4)
	var won atomic.Int64
	var group sync.WaitGroup
	for i, s := range stores {
		group.Go(func() {
			for n := range rounds {
				version, err := s.Version(t.Context(), "p")
				if err == nil {
					_, err = s.Commit(t.Context(), &rules.Commit{
						Project: "p", ExpectVersion: version, NewVersion: true, Audit: audit.Entry{Action: fmt.Sprintf("publish %d.%d", i, n)},
					})
				}
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, rules.ErrConflict):
					t.Errorf("publish: %v", err)
				}
			}
		})
	}
	group.Wait()
	version, err := stores[0].Version(t.Context(), "p")
	if err != nil || version != 1+uint64(won.Load()) {
		t.Errorf("version %d (%v) after %d publishes", version, err, won.Load())
	}
	entries, _, err := stores[0].Audit(t.Context(), "p", "", 1000)
	if err != nil || len(entries) != int(version) {
		t.Fatalf("%d audit entries (%v), want %d", len(entries), err, version)
	}
	for i, entry := range entries {
		if entry.Version != version-uint64(i) {
			t.Errorf("entry %d is of version %d, want %d", i, entry.Version, version-uint64(i))
		}
	}
}

// TestOfRacingContendersOneHoldsTheLease lets four replicas contend: no epoch is given twice, and a holder whose epoch is not the newest
// saves nothing.
func TestOfRacingContendersOneHoldsTheLease(t *testing.T) {
	t.Parallel()
	const grants = 12
	stores := replicas(t, 4)
	var mu sync.Mutex
	epochs := make(map[uint64]string)
	var group sync.WaitGroup
	for i, s := range stores {
		group.Go(func() {
			holder := fmt.Sprintf("replica-%d", i)
			for {
				mu.Lock()
				enough := len(epochs) >= grants
				mu.Unlock()
				if enough {
					return
				}
				epoch, cursor, err := s.Acquire(t.Context(), holder)
				if errors.Is(err, events.ErrLeaseHeld) {
					continue
				}
				if err != nil {
					t.Errorf("Acquire: %v", err)
					return
				}
				mu.Lock()
				if other, twice := epochs[epoch]; twice {
					t.Errorf("epoch %d was given to %s and %s", epoch, other, holder)
				}
				epochs[epoch] = holder
				mu.Unlock()
				if err := s.SaveCursor(t.Context(), epoch, cursor.Next()); err != nil {
					t.Errorf("SaveCursor: %v", err)
				}
				if epoch%3 == 0 { // dies; the next must wait for the term
					continue
				}
				if err := s.Release(t.Context(), epoch); err != nil {
					t.Errorf("Release: %v", err)
				}
				if err := s.SaveCursor(t.Context(), epoch-1, cursor.Add(time.Hour)); !errors.Is(err, events.ErrLeaseLost) {
					t.Errorf("a fenced holder saved a cursor: %v", err)
				}
			}
		})
	}
	group.Wait()
	t.Logf("%d grants", len(epochs))
}
