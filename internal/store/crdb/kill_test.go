package crdb

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"eligibility/internal/audit"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
	"eligibility/internal/store/pgtest"
)

// kills is how often the database is killed: 10, or ELIGIBILITY_TEST_KILLS.
func kills(t *testing.T) int {
	if text := os.Getenv("ELIGIBILITY_TEST_KILLS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("ELIGIBILITY_TEST_KILLS: %v", err)
		}
		return n
	}
	if testing.Short() {
		return 3
	}
	return 10
}

func attributes(object string) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(object), &m); err != nil {
		panic(err)
	}
	return m
}

// acknowledged is what the store has promised to one writer.
type acknowledged struct {
	mu      sync.Mutex
	n       int           // guarded by mu: the last value of the attribute
	events  int           // guarded by mu: their number
	version uint64        // guarded by mu: of the last publish
	stamp   hlc.Timestamp // guarded by mu: the greatest given out
	unknown int           // guarded by mu: calls that failed
}

func (a *acknowledged) saw(at hlc.Timestamp) { a.stamp = hlc.Max(a.stamp, at) }

// TestKillLosesNothingAcknowledged is law L8: the database is killed with SIGKILL at random moments while users, events and publishes are
// written. What was acknowledged is there afterwards, once, and no stamp lies before one that was given out.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	s := openStore(t, quick(migrated(t, server)))
	if _, err := s.CreateProject(t.Context(), rules.Spec{Project: "p"}, audit.Entry{Project: "p"}); err != nil {
		t.Fatal(err)
	}
	var users, history, authored acknowledged
	authored.version = 1
	done := make(chan struct{})
	var writers sync.WaitGroup
	write := func(a *acknowledged, once func() error) {
		writers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := once(); err != nil {
					a.mu.Lock()
					a.unknown++
					a.mu.Unlock()
					if !errors.Is(err, profile.ErrUnavailable) {
						t.Errorf("a write failed with %v, want ErrUnavailable", err)
						return
					}
				}
			}
		})
	}
	sent := 0
	write(&users, func() error {
		sent++
		at, _, err := s.PutUsers(t.Context(), "p", []profile.Update{{UserID: "u", Attributes: attributes(fmt.Sprintf(`{"n":%d}`, sent))}})
		if err == nil {
			users.mu.Lock()
			users.n = sent
			users.saw(at)
			users.mu.Unlock()
		}
		return err
	})
	write(&history, func() error {
		at, _, err := s.PutEvents(t.Context(), "p", []profile.NewEvent{{UserID: "e", Name: "step", OccurredAt: time.Now()}, {UserID: "e", Name: "step", OccurredAt: time.Now()}})
		if err == nil {
			history.mu.Lock()
			history.events += 2
			history.saw(at)
			history.mu.Unlock()
		}
		return err
	})
	write(&authored, func() error {
		version, err := s.Version(t.Context(), "p")
		if err != nil {
			return err
		}
		// Nobody else publishes: a conflict would be with a commit of this call that was not recognised.
		at, err := s.Commit(t.Context(), &rules.Commit{Project: "p", ExpectVersion: version, NewVersion: true})
		if err == nil {
			authored.mu.Lock()
			authored.version = version + 1
			authored.saw(at)
			authored.mu.Unlock()
		}
		return err
	})
	n, began := kills(t), time.Now()
	for i := range n {
		pause := time.NewTimer(time.Duration(5+rand.IntN(80)) * time.Millisecond)
		<-pause.C
		server.Kill(t)
		server.Restart(t)
		check(t, s, i, &users, &history, &authored)
	}
	close(done)
	writers.Wait()
	check(t, s, n, &users, &history, &authored)
	stats := s.Stats()
	t.Logf("%d kills in %v: %d updates, %d events and %d publishes acknowledged and found; %d calls failed, %d tries lost their connection",
		n, time.Since(began).Round(time.Millisecond), users.n, history.events, authored.version-1, users.unknown+history.unknown+authored.unknown, stats.Lost)
	if history.events == 0 || authored.version < 2 {
		t.Error("nothing was acknowledged: the test tests nothing")
	}
}

// check looks everything up that was acknowledged before it began.
func check(t *testing.T, s *Store, kill int, users, history, authored *acknowledged) {
	t.Helper()
	for _, a := range []*acknowledged{users, history, authored} {
		a.mu.Lock()
	}
	n, events, version := users.n, history.events, authored.version
	stamp := hlc.Max(hlc.Max(users.stamp, history.stamp), authored.stamp)
	for _, a := range []*acknowledged{users, history, authored} {
		a.mu.Unlock()
	}
	record, err := s.ReadUser(t.Context(), profile.Key{Project: "p", User: "u"}, 0)
	if err != nil {
		t.Fatalf("kill %d: %v", kill, err)
	}
	var found int
	if raw := record.Attributes["n"]; raw != nil {
		if err := json.Unmarshal(raw, &found); err != nil {
			t.Fatal(err)
		}
	}
	happened, err := s.ReadUser(t.Context(), profile.Key{Project: "p", User: "e"}, 1_000_000)
	if err != nil {
		t.Fatalf("kill %d: %v", kill, err)
	}
	now, err := s.Version(t.Context(), "p")
	if err != nil {
		t.Fatalf("kill %d: %v", kill, err)
	}
	if found < n || len(happened.Events) < events || now < version || record.AsOf.Before(stamp) {
		t.Errorf("kill %d: update %d of %d, %d of %d events, version %d of %d, as of %v of %v", kill, found, n, len(happened.Events), events, now, version, record.AsOf, stamp)
	}
	if len(happened.Events)%2 != 0 {
		t.Errorf("kill %d: half of a batch of events is there", kill)
	}
}

// TestPoolRecoversFromARestart stops the server as an operator does, under load: calls fail or wait, and afterwards the pool is full again.
func TestPoolRecoversFromARestart(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	cfg := quick(migrated(t, server))
	cfg.LoadTimeout = 300 * time.Millisecond
	s := openStore(t, cfg)
	if err := s.Fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.Stats().Pool; got.Idle != cfg.Conns || got.Max != cfg.Conns {
		t.Errorf("a filled pool: %+v", got)
	}
	load := func() error {
		return s.Load(t.Context(), []profile.Key{{Project: "p", User: "u"}}, make([]*profile.Snapshot, 1))
	}
	server.Stop(t)
	began := time.Now()
	if err := load(); !errors.Is(err, profile.ErrUnavailable) {
		t.Errorf("a load without a server: %v, want ErrUnavailable", err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %v to give up", took)
	}
	server.Restart(t)
	deadline := time.Now().Add(10 * time.Second)
	for err := load(); err != nil; err = load() {
		if time.Now().After(deadline) {
			t.Fatalf("the pool does not recover: %v", err)
		}
	}
	if err := s.Fill(t.Context()); err != nil {
		t.Errorf("fill after the restart: %v", err)
	}
}
