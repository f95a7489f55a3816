package embedded

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// failing is a store whose disk can be made to refuse operations on files of a kind.
func failing(t *testing.T, refuse func(errorfs.Op) bool) (*Store, *errorfs.Toggle, Config) {
	t.Helper()
	toggle := &errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
		if refuse(op) {
			return errorfs.ErrInjected
		}
		return nil
	})}
	cfg := memory(t)
	cfg.fs = errorfs.Wrap(cfg.fs, toggle)
	s := openStore(t, cfg)
	shop(t, s)
	return s, toggle, cfg
}

func isLog(op errorfs.Op) bool { return strings.HasSuffix(op.Path, ".log") }

func syncsLog(op errorfs.Op) bool {
	return isLog(op) && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo)
}

func TestAfterAFailedLogTheStoreIsReadOnlyAndTheProcessLives(t *testing.T) {
	for _, c := range []struct {
		name   string
		refuse func(errorfs.Op) bool
	}{
		{"sync fails", syncsLog},
		{"write fails", func(op errorfs.Op) bool { return isLog(op) && op.Kind == errorfs.OpFileWrite }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, toggle, cfg := failing(t, c.refuse)
			ctx := context.Background()
			kept, _, err := s.PutUsers(ctx, "shop", []profile.Update{person(1)})
			if err != nil {
				t.Fatal(err)
			}
			toggle.On()
			for n := range 3 {
				if at, _, err := s.PutUsers(ctx, "shop", []profile.Update{person(2 + n)}); !errors.Is(err, profile.ErrNotDurable) {
					t.Fatalf("write %d on the failed disk: %v, %v; want ErrNotDurable", n, at, err)
				}
			}
			_, commitErr := s.Commit(ctx, &rules.Commit{Project: "shop", ExpectVersion: 1, NewVersion: true})
			_, _, leaseErr := s.Acquire(ctx, "a")
			_, eraseErr := s.DeleteUser(ctx, profile.Key{Project: "shop", User: "user-000001"})
			_, _, eventErr := s.PutEvents(ctx, "shop", []profile.NewEvent{sale(1, 1, "")})
			for what, err := range map[string]error{"Commit": commitErr, "Acquire": leaseErr, "DeleteUser": eraseErr, "PutEvents": eventErr} {
				if !errors.Is(err, profile.ErrNotDurable) {
					t.Errorf("%s on the failed disk: %v, want ErrNotDurable", what, err)
				}
			}
			toggle.Off() // the disk recovers; nobody knows what of the log it holds
			if _, _, err := s.PutUsers(ctx, "shop", []profile.Update{person(9)}); !errors.Is(err, profile.ErrNotDurable) {
				t.Errorf("a write after the failure: %v, want ErrNotDurable", err)
			}
			dst := make([]*profile.Snapshot, 1)
			key := profile.Key{Project: "shop", User: "user-000001"}
			if err := s.Load(ctx, []profile.Key{key}, dst); err != nil || !dst[0].Found || !dst[0].AsOf.After(kept) {
				t.Errorf("a read after the failure: %v, %+v", err, dst[0])
			}
			err = s.Follow(ctx, hlc.Timestamp{}, func(b events.FeedBatch) error {
				for _, change := range b.Changes {
					if change.At.After(kept) {
						t.Errorf("the feed announces %v, which was never acknowledged", change)
					}
				}
				return nil
			})
			if !errors.Is(err, events.ErrUnavailable) {
				t.Errorf("the feed ends with %v, want ErrUnavailable", err)
			}
			if stats, err := s.Stats(ctx); err != nil || !stats.ReadOnly {
				t.Errorf("stats: %+v, %v", stats, err)
			}
			_ = s.Close()
			again := openStore(t, cfg)
			if err := again.Load(ctx, []profile.Key{key}, dst); err != nil || !dst[0].Found {
				t.Errorf("opened again: %v, %+v", err, dst[0])
			}
			if _, _, err := again.PutUsers(ctx, "shop", []profile.Update{person(9)}); err != nil {
				t.Errorf("a write after the store was opened again: %v", err)
			}
		})
	}
}

func TestAFollowerIsToldOfTheFailure(t *testing.T) {
	s, toggle, _ := failing(t, func(op errorfs.Op) bool { return isLog(op) && op.Kind == errorfs.OpFileWrite })
	ended := make(chan error, 1)
	ready := make(chan struct{}, 1)
	go func() {
		ended <- s.Follow(context.Background(), hlc.Timestamp{}, func(events.FeedBatch) error {
			select {
			case ready <- struct{}{}:
			default:
			}
			return nil
		})
	}()
	<-ready
	toggle.On()
	if _, _, err := s.PutUsers(context.Background(), "shop", []profile.Update{person(1)}); !errors.Is(err, profile.ErrNotDurable) {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, events.ErrUnavailable) {
			t.Errorf("the feed ended with %v, want ErrUnavailable", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the follower was not told")
	}
}

// TestAFailedManifestMakesTheStoreReadOnly runs in a process of its own: what Pebble leaves behind then cannot be stopped.
func TestAFailedManifestMakesTheStoreReadOnly(t *testing.T) {
	if os.Getenv(wreckEnv) == "" {
		child := exec.Command(os.Args[0], "-test.run=^TestAFailedManifestMakesTheStoreReadOnly$", "-test.count=1")
		child.Env = append(os.Environ(), wreckEnv+"=1")
		if out, err := child.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	s, toggle, cfg := failing(t, func(op errorfs.Op) bool {
		return strings.Contains(op.Path, "MANIFEST") && op.Kind == errorfs.OpFileSync
	})
	told := s.flight.subscribe()
	defer s.flight.unsubscribe(told)
	toggle.On()
	if _, err := s.db.AsyncFlush(); err != nil { // a new table must be noted in the manifest
		t.Fatal(err)
	}
	<-told
	ctx := context.Background()
	if _, _, err := s.PutUsers(ctx, "shop", []profile.Update{person(1)}); !errors.Is(err, profile.ErrNotDurable) {
		t.Errorf("a write after the failure: %v, want ErrNotDurable", err)
	}
	if _, err := s.Spec(ctx, "shop"); err != nil {
		t.Errorf("a read after the failure: %v", err)
	}
	toggle.Off()
	if err := s.Close(); err == nil {
		t.Error("Close says nothing of the failure")
	}
	if _, err := Open(cfg); !errors.Is(err, ErrLocked) { // what the wreck still does must not meet another store
		t.Errorf("Open in the same process: %v, want ErrLocked", err)
	}
}

// TestAFlushThatFailsIsRepeatedInItsOwnTime: tables cannot be written for a while, then they can.
func TestAFlushThatFailsIsRepeatedInItsOwnTime(t *testing.T) {
	var tries atomic.Int64
	tried := make(chan struct{}, 1)
	s, toggle, _ := failing(t, func(op errorfs.Op) bool {
		refused := strings.HasSuffix(op.Path, ".sst") && op.Kind == errorfs.OpCreate
		if refused {
			tries.Add(1)
			select {
			case tried <- struct{}{}:
			default:
			}
		}
		return refused
	})
	toggle.On()
	start := time.Now()
	flushed, err := s.db.AsyncFlush()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		<-tried
	}
	if most := 2 + int64(time.Since(start)/tablePause); tries.Load() > most {
		t.Errorf("%d tries in %v, want at most %d", tries.Load(), time.Since(start), most)
	}
	if _, _, err := s.PutUsers(context.Background(), "shop", []profile.Update{person(1)}); err != nil {
		t.Errorf("a write meanwhile: %v", err)
	}
	toggle.Off()
	select {
	case <-flushed:
	case <-time.After(10 * time.Second):
		t.Fatal("the flush did not succeed")
	}
}

func TestAFullVolumeRefusesWritesUntilThereIsRoom(t *testing.T) {
	cfg := memory(t)
	volume := cfg.fs.(*vfs.MemFS)
	s := openStore(t, cfg)
	shop(t, s)
	put := func() error {
		_, _, err := s.PutUsers(context.Background(), "shop", []profile.Update{person(1)})
		return err
	}
	for _, c := range []struct {
		name  string
		free  uint64
		wants error
	}{
		{"room", cfg.MinFreeBytes, nil},
		{"nearly full", cfg.MinFreeBytes - 1, profile.ErrNotDurable},
		{"room again", cfg.MinFreeBytes * 2, nil},
	} {
		volume.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: c.free, TotalBytes: 1 << 40})
		s.checkSpace()
		if err := put(); !errors.Is(err, c.wants) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.wants)
		}
		if _, err := s.Spec(context.Background(), "shop"); err != nil {
			t.Errorf("%s: a read: %v", c.name, err)
		}
	}
}
