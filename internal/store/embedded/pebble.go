package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
)

func systemTime() time.Time { return time.Now() }

// pebbleOptions tunes Pebble for short scans and point reads of small rows under a steady trickle of synced writes.
func (s *Store) pebbleOptions() *pebble.Options {
	o := &pebble.Options{
		FS:                 newPatientFS(s.fs),
		Lock:               s.lock,
		Logger:             pebbleLogger{store: s},
		CacheSize:          s.cfg.CacheBytes,
		MemTableSize:       s.cfg.MemTableBytes,
		FormatMajorVersion: pebble.FormatNewest,
		// A stalled write would hold up reads, which take their snapshot in turn with commits: let the backlog grow instead.
		MemTableStopWritesThreshold: 8,
		L0CompactionThreshold:       2,
		L0StopWritesThreshold:       1000,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { s.log.Warn("store_background_error", "error", err.Error()) },
			DataCorruption:  func(info pebble.DataCorruptionInfo) { s.log.Error("store_data_corrupt", "detail", info.String()) },
			DiskSlow:        func(info pebble.DiskSlowInfo) { s.log.Warn("store_disk_slow", "detail", info.String()) },
			WriteStallBegin: func(info pebble.WriteStallBeginInfo) { s.log.Warn("store_write_stall", "reason", info.Reason) },
		},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10) // most point reads ask for event ids that are new
	}
	return o
}

// pebbleLogger hands Pebble's own lines to the store's log, at the level debug.
type pebbleLogger struct{ store *Store }

func (l pebbleLogger) Infof(format string, args ...any) { l.line("store_pebble", format, args) }

func (l pebbleLogger) Errorf(format string, args ...any) { l.line("store_pebble_error", format, args) }

func (l pebbleLogger) line(message, format string, args []any) {
	if l.store.log.Enabled(context.Background(), slog.LevelDebug) {
		l.store.log.Debug(message, "line", fmt.Sprintf(format, args...))
	}
}

// Fatalf makes the store read-only instead of ending the process. Pebble calls it where it cannot go on: from a commit, which then reports
// the failure itself, while opening, which fails with the error, or from a flush or compaction that could not be noted in the manifest.
// Pebble would repeat the last for ever and write a new table each time, so that goroutine ends here.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	background := l.store.opened.Load() && !strings.HasPrefix(format, "pebble: fatal commit error")
	l.store.fail(fmt.Errorf(format, args...), background)
	if background {
		runtime.Goexit()
	}
}

// get returns a copy of the value at key.
func get(r pebble.Reader, key []byte) (value []byte, ok bool, err error) {
	shared, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	return append([]byte(nil), shared...), true, closer.Close()
}

// scan calls visit for the rows in [lower, upper) until it returns false. Key and value are valid during the call only.
func scan(r pebble.Reader, lower, upper []byte, visit func(key, value []byte) (more bool, err error)) (err error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return err
	}
	defer closing(it, &err)
	for ok := it.First(); ok; ok = it.Next() {
		if more, err := visit(it.Key(), it.Value()); err != nil || !more {
			return err
		}
	}
	return it.Error()
}

// closing closes c at the end of a function and keeps the first error.
func closing(c io.Closer, err *error) {
	if closeErr := c.Close(); *err == nil {
		*err = closeErr
	}
}
