package embedded

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"eligibility/internal/profile"
	"eligibility/internal/store/storetest"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"
)

// wreckEnv marks the child process of a test that leaves goroutines behind.
const wreckEnv = "ELIGIBILITY_TEST_WRECK"

func TestMain(m *testing.M) {
	if os.Getenv(wreckEnv) != "" {
		os.Exit(m.Run())
	}
	goleak.VerifyTestMain(m)
}

// memory is a configuration on a file system in memory that outlives the store.
func memory(t testing.TB) Config {
	t.Helper()
	cfg := Defaults("data")
	cfg.fs = vfs.NewMem()
	cfg.LeaseDuration = 300 * time.Millisecond
	return cfg
}

func openStore(t testing.TB, cfg Config) *Store {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	storetest.Run(t, storetest.Harness{
		Open: func(t *testing.T) storetest.Store { return openStore(t, memory(t)) },
		Reopen: func(t *testing.T, s storetest.Store) storetest.Store {
			t.Helper()
			if err := s.Close(); err != nil {
				t.Fatalf("Close: %v", err)
			}
			return openStore(t, s.(*Store).cfg)
		},
		WriteRow: writeRow,
		ForgetChanges: func(t *testing.T, s storetest.Store) {
			t.Helper()
			store := s.(*Store)
			if err := store.trimChanges(store.clock.now()); err != nil {
				t.Fatal(err)
			}
		},
		Retention: profile.DefaultRetention,
		LeaseTerm: 300 * time.Millisecond,
	})
}

// writeRow replaces the stored attributes of a user by a text that no call of the store would write.
func writeRow(t *testing.T, store storetest.Store, user profile.Key, attributes string) {
	t.Helper()
	s := store.(*Store)
	r, err := s.readRow(s.db, user)
	if err != nil || r == nil {
		t.Fatalf("read row: %v, %v", r, err)
	}
	r.attributes = []byte(attributes)
	b := s.db.NewBatch()
	if err := b.Set(append(appendUser(nil, user.Project, user.User), userRow), r.encode(nil), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.writeSync(b); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Run("a directory that is held", func(t *testing.T) {
		cfg := Defaults(t.TempDir())
		s := openStore(t, cfg)
		if _, err := Open(cfg); !errors.Is(err, ErrLocked) {
			t.Fatalf("second open: %v, want ErrLocked", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := openStore(t, cfg).Close(); err != nil {
			t.Fatalf("open after the holder is gone: %v", err)
		}
	})
	t.Run("a newer format", func(t *testing.T) {
		cfg := memory(t)
		s := openStore(t, cfg)
		if err := s.putMeta(metaFormat, formatVersion+1); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the refused open gives up the lock
			if _, err := Open(cfg); !errors.Is(err, ErrNewerFormat) {
				t.Fatalf("open: %v, want ErrNewerFormat", err)
			}
		}
	})
	t.Run("a configuration with faults, all of them named", func(t *testing.T) {
		_, err := Open(Config{})
		var joined interface{ Unwrap() []error }
		if !errors.As(err, &joined) || len(joined.Unwrap()) < 6 {
			t.Fatalf("open: %v", err)
		}
	})
}

func TestCloseIsIdempotentAndEndsCalls(t *testing.T) {
	s := openStore(t, memory(t))
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.Background()
	_, nowErr := s.Now(ctx)
	_, _, putErr := s.PutUsers(ctx, "p", nil)
	_, readErr := s.ReadUser(ctx, profile.Key{Project: "p", User: "u"}, 1)
	for what, err := range map[string]error{
		"Now": nowErr, "PutUsers": putErr, "ReadUser": readErr,
		"Load": s.Load(ctx, make([]profile.Key, 1), make([]*profile.Snapshot, 1)),
	} {
		if !errors.Is(err, profile.ErrUnavailable) {
			t.Errorf("%s after Close: %v, want ErrUnavailable", what, err)
		}
	}
}
