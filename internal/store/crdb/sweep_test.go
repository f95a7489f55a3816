package crdb

import (
	"fmt"
	"testing"
	"time"

	"eligibility/internal/profile"
	"eligibility/internal/store/pgtest"
)

// TestSweepRemovesWhatHasExpired and nothing else, over several pages, on a database that does not do so by itself.
func TestSweepRemovesWhatHasExpired(t *testing.T) {
	t.Parallel()
	cfg := quick(migrated(t, pgtest.Shared(t)))
	cfg.SweepEvery = 20 * time.Millisecond
	s := openStore(t, cfg)
	const users, dead, alive = 5, 300, 7
	for u := range users {
		batch := make([]profile.NewEvent, 0, dead+alive)
		for i := range dead + alive {
			e := profile.NewEvent{UserID: fmt.Sprintf("u%d", u), Name: "step", OccurredAt: time.Now().Add(-cfg.Retention - time.Hour)}
			if i%(dead/alive) == 0 && i/(dead/alive) < alive {
				e.OccurredAt = time.Now().Add(-time.Hour)
			}
			batch = append(batch, e)
		}
		if _, refused, err := s.PutEvents(t.Context(), "p", batch); err != nil || len(refused) > 0 {
			t.Fatal(refused, err)
		}
	}
	count := func() (n int) {
		t.Helper()
		if err := s.pool.QueryRow(t.Context(), `SELECT count(*) FROM user_events`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for deadline := time.Now().Add(20 * time.Second); count() > users*alive; {
		if time.Now().After(deadline) {
			t.Fatalf("%d events are left", count())
		}
	}
	before := s.Stats().Swept
	if got := count(); got != users*alive || before < users*dead/2 {
		t.Errorf("%d events are left, want %d; %d were removed", got, users*alive, before)
	}
}

// TestAnEventThatExpiredIsNew: its id remembers no time, also while its row is still there.
func TestAnEventThatExpiredIsNew(t *testing.T) {
	t.Parallel()
	s := replicas(t, 1)[0]
	old := profile.NewEvent{UserID: "u", ID: "x", Name: "step", OccurredAt: time.Now().Add(-s.cfg.Retention - time.Hour)}
	again := profile.NewEvent{UserID: "u", ID: "x", Name: "step"}
	for _, e := range []profile.NewEvent{old, again} {
		if _, refused, err := s.PutEvents(t.Context(), "p", []profile.NewEvent{e}); err != nil || len(refused) > 0 {
			t.Fatal(refused, err)
		}
	}
	record, err := s.ReadUser(t.Context(), profile.Key{Project: "p", User: "u"}, 10)
	if err != nil || len(record.Events) != 1 || time.Since(record.Events[0].OccurredAt) > time.Minute {
		t.Errorf("events: %+v, %v", record.Events, err)
	}
}
