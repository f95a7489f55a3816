package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"

	"eligibility/internal/access"
	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

var (
	_ profile.Source = (*Store)(nil)
	_ profile.Writer = (*Store)(nil)
	_ profile.Reader = (*Store)(nil)
	_ rules.Repo     = (*Store)(nil)
	_ access.Repo    = (*Store)(nil)
	_ events.Feed    = (*Store)(nil)
	_ events.Lease   = (*Store)(nil)
)

// formatVersion is the version of the key space and the rows in it. A change that an older build would misread raises it.
const formatVersion = 1

// Errors of Open.
var (
	// ErrLocked: another process, or another store of this one, holds the directory.
	ErrLocked = errors.New("another process holds the data directory")
	// ErrNewerFormat: a newer build has written the directory.
	ErrNewerFormat = errors.New("the data directory was written by a newer version")
)

// Store keeps everything of one process in one data directory. All methods are safe for concurrent use; after Close they fail with
// profile.ErrUnavailable (Follow with events.ErrUnavailable).
//
// Locks are taken in the order life, writer, order, apply. Only life is held while a commit waits for its fsync.
type Store struct {
	cfg  Config
	fs   vfs.FS
	log  *slog.Logger
	lock *pebble.Lock
	db   *pebble.DB

	life   sync.RWMutex // read-held by every call, held by Close: nothing touches a closed database
	closed bool         // guarded by life
	quit   chan struct{}
	tasks  sync.WaitGroup
	cancel context.CancelFunc

	writer sync.Mutex   // serialises read-modify-write: from the read to the apply
	order  sync.RWMutex // held to take a stamp and apply a commit; read-held to take a stamp and a Pebble snapshot
	apply  sync.Mutex   // held around every write to Pebble, see write
	clock  *clock
	flight *flight

	opened  atomic.Bool             // Pebble is open: what it reports from now on comes from its background work or a commit
	failure atomic.Pointer[failure] // set once by the first write that Pebble could not make durable
	full    atomic.Bool             // the volume has less room than Config.MinFreeBytes

	projects atomic.Pointer[projects] // replaced under order, together with the commit that changes it
	observed observations
	lease    lease
	trimmed  atomic.Int64 // change records up to this stamp are gone or going
	builders sync.Pool    // of *loader
	counters counters
}

// failure is why the store accepts no more writes.
type failure struct {
	cause   error
	wrecked bool // Pebble gave up in the middle of something: closing it might wait for ever
}

// Open opens the data directory, or makes it. ErrLocked, ErrNewerFormat.
func Open(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("embedded store: %w", err)
	}
	s := &Store{cfg: cfg, fs: cfg.fs, log: cfg.Logger, quit: make(chan struct{}), flight: newFlight()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.fs == nil {
		s.fs = vfs.Default
		if cfg.InMemory {
			s.fs = vfs.NewMem()
		}
	}
	if s.cfg.Dir == "" {
		s.cfg.Dir = "data"
	}
	s.builders.New = func() any { return new(loader) }
	if err := s.openPebble(); err != nil {
		return nil, err
	}
	if err := s.restore(); err != nil {
		return nil, errors.Join(fmt.Errorf("open data directory %s: %w", s.cfg.Dir, err), s.closePebble())
	}
	s.startTasks()
	return s, nil
}

// openPebble takes the directory's lock and opens the database in it.
func (s *Store) openPebble() error {
	if err := s.fs.MkdirAll(s.cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	lock, err := pebble.LockDirectory(s.cfg.Dir, s.fs)
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			return fmt.Errorf("lock data directory: %w", err)
		}
		return fmt.Errorf("%w %s; stop it or choose another --data-dir", ErrLocked, s.cfg.Dir)
	}
	s.lock = lock
	s.db, err = pebble.Open(s.cfg.Dir, s.pebbleOptions())
	if err != nil {
		return errors.Join(fmt.Errorf("open data directory %s: %w", s.cfg.Dir, err), lock.Close())
	}
	s.opened.Store(true)
	return nil
}

// restore reads what a new incarnation must know before its first call.
func (s *Store) restore() error {
	if err := s.checkFormat(); err != nil {
		return err
	}
	bound, err := s.metaNumber(metaBound)
	if err != nil {
		return err
	}
	trimmed, err := s.metaNumber(metaTrimmed)
	if err != nil {
		return err
	}
	s.trimmed.Store(int64(trimmed))
	wall, mono := s.cfg.wall, s.cfg.mono
	if wall == nil {
		wall = systemTime
	}
	if mono == nil {
		mono = monotonic()
	}
	s.clock = newClock(int64(bound), wall, mono, s.persistBound)
	if err := s.clock.ensure(); err != nil {
		return err
	}
	s.flight.start(int64(bound))
	s.lease.mono, s.lease.term = mono, s.cfg.LeaseDuration
	if err := s.loadLease(); err != nil {
		return err
	}
	if err := s.loadProjects(); err != nil {
		return err
	}
	return s.loadObservations()
}

func (s *Store) checkFormat() error {
	found, err := s.metaNumber(metaFormat)
	switch {
	case err != nil:
		return err
	case found > formatVersion:
		return fmt.Errorf("%w: its format is %d, this build reads up to %d", ErrNewerFormat, found, formatVersion)
	case found == 0:
		return s.putMeta(metaFormat, formatVersion)
	}
	return nil
}

func (s *Store) metaNumber(name byte) (uint64, error) {
	value, ok, err := get(s.db, metaKey(name))
	if err != nil || !ok {
		return 0, err
	}
	if len(value) != 8 {
		return 0, fmt.Errorf("meta row %q has %d bytes, want 8", name, len(value))
	}
	return binary.BigEndian.Uint64(value), nil
}

func (s *Store) putMeta(name byte, n uint64) error {
	b := s.db.NewBatch()
	if err := b.Set(metaKey(name), binary.BigEndian.AppendUint64(nil, n), nil); err != nil {
		return err
	}
	return s.writeSync(b)
}

func (s *Store) persistBound(bound int64) error { return s.putMeta(metaBound, uint64(bound)) }

// enter begins a call that touches the database; leave ends it.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.life.RLock()
	if s.closed {
		s.life.RUnlock()
		return fmt.Errorf("%w: the store is closed", profile.ErrUnavailable)
	}
	return nil
}

func (s *Store) leave() { s.life.RUnlock() }

// Now returns a stamp above that of every commit acknowledged before the call.
func (s *Store) Now(ctx context.Context) (hlc.Timestamp, error) {
	if err := s.enter(ctx); err != nil {
		return hlc.Timestamp{}, err
	}
	defer s.leave()
	return s.now(), nil
}

// now returns a fresh stamp for a read that looks at no rows.
func (s *Store) now() hlc.Timestamp {
	s.clock.await()
	return s.clock.read()
}

// Close ends the followers, waits for the calls in flight and closes the directory. Further calls do nothing.
func (s *Store) Close() error {
	s.life.Lock()
	if s.closed {
		s.life.Unlock()
		return nil
	}
	s.closed = true
	s.life.Unlock()
	close(s.quit)
	s.cancel()
	s.tasks.Wait()
	var err error
	if s.failed() == nil {
		err = s.clock.settle()
	}
	if err = errors.Join(err, s.closePebble()); err != nil {
		return fmt.Errorf("close data directory %s: %w", s.cfg.Dir, err)
	}
	return nil
}

// closePebble closes the database and gives up the directory. A wrecked database is left as it is, and its directory locked: what it still
// does in the background must not meet another store.
func (s *Store) closePebble() error {
	if f := s.failure.Load(); f != nil && f.wrecked {
		return fmt.Errorf("the directory stays locked until the process ends: %w", f.cause)
	}
	return errors.Join(s.db.Close(), s.lock.Close())
}
