package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestEveryAcknowledgedWriteSurvivesACrash cuts the power again and again, each time at another moment of a busy store, and opens what a
// disk would hold: all that was synced, and any part of what was not.
func TestEveryAcknowledgedWriteSurvivesACrash(t *testing.T) {
	lives, cuts := 4, 20
	if testing.Short() {
		lives = 1
	}
	for range lives {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { crashAgainAndAgain(t, cuts, rand.New(rand.NewPCG(seed, 0))) })
	}
}

func crashAgainAndAgain(t *testing.T, cuts int, random *rand.Rand) {
	cfg := memory(t)
	cfg.MemTableBytes = 1 << 20
	disk := vfs.NewCrashableMem()
	var told survivors
	for cut := range cuts {
		cfg.fs = disk
		s, err := Open(cfg)
		if err != nil {
			t.Fatalf("after cut %d: %v", cut, err)
		}
		if cut == 0 {
			shop(t, s)
			told.version = 1
		}
		told.check(t, cut, s)
		w := startWriters(s, told)
		w.wait(1 + random.IntN(60))
		told = w.told() // asked before the cut
		disk = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: random.IntN(101), RNG: random})
		w.stop(t)
		if err := s.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
}

const writerCount = 4

// survivors is what must be there after the cut: the numbers of the last acknowledged writes.
type survivors struct {
	pairs, events [writerCount]int64
	version       uint64
	stamp         hlc.Timestamp
}

// check holds the store opened after a cut against what was acknowledged before it, and takes over what else survived.
func (v *survivors) check(t *testing.T, cut int, s *Store) {
	t.Helper()
	ctx := context.Background()
	now, err := s.Now(ctx)
	if err != nil || !now.After(v.stamp) {
		t.Fatalf("after cut %d: the clock begins at %v (%v), stamps up to %v were given out", cut, now, err, v.stamp)
	}
	announced := replay(t, s)
	changes := func(table events.Table, key string) int64 {
		return announced[events.Change{Table: table, Project: "shop", Key: key}]
	}
	for i := range writerCount {
		a, b := number(t, s, pairUser("a", i)), number(t, s, pairUser("b", i))
		record, err := s.ReadUser(ctx, profile.Key{Project: "shop", User: pairUser("b", i)}, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		n := int64(len(record.Events))
		if a != b || a < v.pairs[i] || n < v.events[i] || n > a || n < a-1 {
			t.Fatalf("after cut %d, writer %d: told of pair %d and event %d, found pair %d %d and %d events",
				cut, i, v.pairs[i], v.events[i], a, b, n)
		}
		if changes(events.TableProfile, pairUser("a", i)) != a || changes(events.TableProfile, pairUser("b", i)) != a+n {
			t.Fatalf("after cut %d, writer %d: the feed lacks commits or has too many: %v", cut, i, announced)
		}
		v.pairs[i], v.events[i] = a, n
	}
	version, err := s.Version(ctx, "shop")
	if err != nil || version < v.version || changes(events.TableRuleset, "") != int64(version) {
		t.Fatalf("after cut %d: ruleset version %d (%v), told of %d, %d on the feed",
			cut, version, err, v.version, changes(events.TableRuleset, ""))
	}
	v.version = version
}

// replay counts the changes of each row on the whole feed.
func replay(t *testing.T, s *Store) map[events.Change]int64 {
	t.Helper()
	count := make(map[events.Change]int64)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err := s.Follow(ctx, hlc.Timestamp{}, func(b events.FeedBatch) error {
		for _, change := range b.Changes {
			change.At = hlc.Timestamp{}
			count[change]++
		}
		if !b.Resolved.IsZero() {
			cancel()
		}
		return nil
	})
	if ctx.Err() == nil {
		t.Fatalf("replay: %v", err)
	}
	return count
}

func pairUser(name string, writer int) string { return fmt.Sprintf("%s-%d", name, writer) }

// number is the attribute n of the user, 0 when there is none.
func number(t *testing.T, s *Store, user string) (n int64) {
	t.Helper()
	record, err := s.ReadUser(context.Background(), profile.Key{Project: "shop", User: user}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if raw, ok := record.Attributes["n"]; ok {
		if err := json.Unmarshal(raw, &n); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// writers keep a store busy. Each counts up in two users at once and then gives one of them an event; one more makes ruleset versions.
type writers struct {
	s       *Store
	stopped atomic.Bool
	group   sync.WaitGroup
	acks    chan struct{}

	mu    sync.Mutex
	done  survivors
	fault error
}

func startWriters(s *Store, from survivors) *writers {
	w := &writers{s: s, done: from, acks: make(chan struct{}, 1000)}
	for i := range writerCount {
		n := from.pairs[i]
		w.group.Go(func() {
			if from.events[i] < n {
				w.event(i, n)
			}
			for !w.stopped.Load() {
				n++
				w.pair(i, n)
				w.event(i, n)
			}
		})
	}
	w.group.Go(func() {
		for version := from.version; !w.stopped.Load(); version++ {
			at, err := w.s.Commit(context.Background(), &rules.Commit{Project: "shop", ExpectVersion: version, NewVersion: true})
			w.acknowledged(at, err, func(v *survivors) { v.version = version + 1 })
		}
	})
	return w
}

func (w *writers) pair(i int, n int64) {
	value := map[string]json.RawMessage{"n": json.RawMessage(fmt.Sprint(n))}
	at, _, err := w.s.PutUsers(context.Background(), "shop",
		[]profile.Update{{UserID: pairUser("a", i), Attributes: value}, {UserID: pairUser("b", i), Attributes: value}})
	w.acknowledged(at, err, func(v *survivors) { v.pairs[i] = n })
}

func (w *writers) event(i int, n int64) {
	event := profile.NewEvent{UserID: pairUser("b", i), ID: fmt.Sprint(n), Name: "purchase"}
	at, _, err := w.s.PutEvents(context.Background(), "shop", []profile.NewEvent{event})
	w.acknowledged(at, err, func(v *survivors) { v.events[i] = n })
}

func (w *writers) acknowledged(at hlc.Timestamp, err error, note func(*survivors)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.fault = err
		w.stopped.Store(true)
	} else {
		note(&w.done)
		w.done.stamp = hlc.Max(w.done.stamp, at)
	}
	select {
	case w.acks <- struct{}{}:
	default:
	}
}

// wait waits until n writes were answered.
func (w *writers) wait(n int) {
	for range n {
		<-w.acks
	}
}

func (w *writers) told() survivors {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.done
}

func (w *writers) stop(t *testing.T) {
	t.Helper()
	w.stopped.Store(true)
	w.group.Wait()
	if w.fault != nil {
		t.Fatal(w.fault)
	}
}
