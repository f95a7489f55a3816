package embedded

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"eligibility/internal/profile"
	"eligibility/internal/reserve"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestReservationsSurviveACrash cuts the power while two workers reserve and confirm the last slots of a promotion, again and again. A worker begins again with what he was not told
// of, under the same ids: at the end exactly as many sends are recorded as there were slots, none twice, and among them all that he was ever told of.
func TestReservationsSurviveACrash(t *testing.T) {
	const slots, perWorker, workers = 300, 200, 2
	random := rand.New(rand.NewPCG(rand.Uint64(), 0))
	cfg := memory(t)
	disk := vfs.NewCrashableMem()
	told := make(map[string]reserve.State, workers*perWorker)
	cuts := 0
	for ; len(told) < workers*perWorker; cuts++ {
		cfg.fs = disk
		s, err := Open(cfg)
		if err != nil {
			t.Fatalf("after cut %d: %v", cuts, err)
		}
		if cuts == 0 {
			shop(t, s)
		}
		told = sendUntilCut(t, s, told, workers, perWorker, slots, 1+random.IntN(60), func() {
			disk = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: random.IntN(101), RNG: random})
		})
		if err := s.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	cfg.fs = disk
	s := openStore(t, cfg)
	confirmed, recorded := 0, 0
	for user, state := range told {
		record, err := s.ReadUser(context.Background(), profile.Key{Project: "shop", User: user}, 10)
		if err != nil {
			t.Fatal(err)
		}
		recorded += len(record.Events)
		if state == reserve.Confirmed {
			confirmed++
		}
		if want := map[bool]int{true: 1}[state == reserve.Confirmed]; len(record.Events) != want {
			t.Errorf("%s was told %s and has %d sends", user, state, len(record.Events))
		}
	}
	if confirmed != slots || recorded != slots {
		t.Errorf("%d were told that they are sent and %d are recorded, want %d", confirmed, recorded, slots)
	}
	t.Logf("%d cuts while %d sends asked for %d slots", cuts, workers*perWorker, slots)
}

// sendUntilCut lets the workers go on with what they were not told of, cuts the power after some answers, and returns what they were told before it.
func sendUntilCut(
	t *testing.T, s *Store, before map[string]reserve.State, workers, perWorker, slots, answers int, cut func(),
) map[string]reserve.State {
	var mu sync.Mutex
	told := make(map[string]reserve.State, len(before)) // guarded by mu
	for user, state := range before {
		told[user] = state
	}
	tell := func(user string, state reserve.State) (more bool) {
		mu.Lock()
		defer mu.Unlock()
		if answers < 0 {
			return false
		}
		told[user] = state
		if answers--; answers < 0 {
			cut()
			return false
		}
		return true
	}
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			for n := range perWorker {
				user := fmt.Sprintf("w%d-%d", worker, n)
				if _, done := before[user]; done {
					continue
				}
				state, err := sendOne(s, user, int64(slots))
				if err != nil {
					t.Error(err)
					return
				}
				if !tell(user, state) {
					return
				}
			}
		})
	}
	group.Wait()
	mu.Lock()
	defer mu.Unlock()
	if answers >= 0 { // they came to their end first
		cut()
	}
	return told
}

// sendOne reserves and confirms one send, as a worker does who may have done so before.
func sendOne(s *Store, user string, slots int64) (reserve.State, error) {
	ctx := context.Background()
	grants, err := s.Reserve(ctx, "shop", []reserve.Claim{{User: user, SendID: "x", Promotion: "last", Channel: "push", For: 10 * time.Minute, Limit: slots}})
	if err != nil {
		return "", err
	}
	switch grants[0].Outcome {
	case reserve.AlreadySent:
		return reserve.Confirmed, nil
	case reserve.Granted:
		states, _, err := s.Settle(ctx, "shop", []reserve.Settlement{{User: user, SendID: "x"}})
		if err != nil {
			return "", err
		}
		return states[0], nil
	}
	return reserve.Unknown, nil
}
