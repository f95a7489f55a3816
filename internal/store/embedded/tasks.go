package embedded

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// keepEvery is the beat of the housekeeping: shorter than half of the clock's smallest reserve.
const keepEvery = 100 * time.Millisecond

// startTasks starts what runs beside the calls; Close stops it.
func (s *Store) startTasks() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.checkSpace()
	s.tasks.Go(func() { s.housekeep(ctx) })
	s.tasks.Go(func() { s.sweepForever(ctx) })
}

// housekeep keeps the clock's bound ahead, watches the free space and trims the change records.
func (s *Store) housekeep(ctx context.Context) {
	beat := time.NewTicker(keepEvery)
	defer beat.Stop()
	const beatsPerSecond = int(time.Second / keepEvery)
	trimBeats := int(max(s.cfg.ChangeRetention/16, time.Second) / keepEvery)
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-s.clock.asked:
			s.raiseBound(func() error { return s.clock.extend(0) })
			continue
		case <-beat.C:
		}
		s.raiseBound(s.clock.keep)
		if n%beatsPerSecond == 0 {
			s.checkSpace()
		}
		if n%trimBeats == 0 && s.writable() == nil {
			if err := s.trimChanges(s.clock.now() - int64(s.cfg.ChangeRetention)); err != nil {
				s.log.Warn("store_trim_failed", "error", err.Error())
			}
		}
	}
}

// raiseBound runs an extension of the clock. Its failure is that of the store, which has been logged.
func (s *Store) raiseBound(extend func() error) {
	if s.failed() == nil {
		_ = extend()
	}
}

// checkSpace refuses writes while the volume is nearly full: Pebble survives that, but not a log that cannot grow.
func (s *Store) checkSpace() {
	if s.cfg.MinFreeBytes == 0 {
		return
	}
	usage, err := s.fs.GetDiskUsage(s.cfg.Dir)
	if err != nil {
		return // a file system that cannot tell
	}
	full := usage.AvailBytes < s.cfg.MinFreeBytes
	if s.full.Swap(full) == full {
		return
	}
	if full {
		s.log.Error("store_volume_full", "available_bytes", usage.AvailBytes, "effect", "writes are refused until there is room")
	} else {
		s.log.Info("store_volume_has_room", "available_bytes", usage.AvailBytes)
	}
}

// trimChanges removes the change records up to the stamp. Followers learn of it before the records go.
func (s *Store) trimChanges(upTo int64) error {
	// A commit that is still on its way keeps its record.
	upTo = min(upTo, s.flight.announced())
	if upTo <= s.trimmed.Load() {
		return nil
	}
	b := s.db.NewBatch()
	if err := b.DeleteRange(changeKey(nil, 0), changeKey(nil, upTo+1), nil); err != nil {
		return err
	}
	if err := b.Set(metaKey(metaTrimmed), binary.BigEndian.AppendUint64(nil, uint64(upTo)), nil); err != nil {
		return err
	}
	s.trimmed.Store(upTo)
	if err := s.write(b, pebble.NoSync); err != nil {
		return err
	}
	return b.Close()
}
