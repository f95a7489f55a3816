package embedded

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Stats is what the store has done since it was opened.
type Stats struct {
	Commits       uint64        // durable commits
	CommitTime    time.Duration // sum over them, from stamp to fsync
	InFlight      int           // commits that wait for their fsync
	Loads         uint64        // users loaded
	SweptEvents   uint64        // events removed after their retention
	DiskBytes     uint64        // size of the directory
	WALBytes      uint64        // of it, the log
	BlockCacheHit float64       // share of block reads that the cache answered, 0 to 1
	ReadOnly      bool          // writes are refused, see the package comment
}

type counters struct {
	commits, commitNanos, loads, swept atomic.Uint64
}

func (c *counters) committed(d time.Duration) {
	c.commits.Add(1)
	c.commitNanos.Add(uint64(d))
}

// Stats returns a reading of the counters. It costs some microseconds.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	if err := s.enter(ctx); err != nil {
		return Stats{}, err
	}
	defer s.leave()
	m := s.db.Metrics()
	stats := Stats{
		Commits:     s.counters.commits.Load(),
		CommitTime:  time.Duration(s.counters.commitNanos.Load()),
		InFlight:    s.flight.len(),
		Loads:       s.counters.loads.Load(),
		SweptEvents: s.counters.swept.Load(),
		DiskBytes:   m.DiskSpaceUsage(),
		WALBytes:    m.WAL.Size,
		ReadOnly:    s.writable() != nil,
	}
	if total := m.BlockCache.Hits + m.BlockCache.Misses; total > 0 {
		stats.BlockCacheHit = float64(m.BlockCache.Hits) / float64(total)
	}
	return stats, nil
}

// Checkpoint writes a copy of the store as of now into dir, which must not exist, while the store goes on. It can be opened like any data
// directory. Files are linked where the file system allows.
func (s *Store) Checkpoint(ctx context.Context, dir string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if err := s.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("checkpoint into %s: %w", dir, err)
	}
	return nil
}
