package app

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/events"
	"eligibility/internal/ops"
	"eligibility/internal/profile"
	"eligibility/internal/reserve"
	"eligibility/internal/rules"
	"eligibility/internal/store/embedded"
)

// Store is everything that a replica asks of its store.
type Store interface {
	profile.PartialSource
	profile.Writer
	profile.Reader
	rules.Repo
	rules.Sampler
	access.Repo
	events.Feed
	events.Lease
	reserve.Book
	Close() error
}

var _ Store = (*embedded.Store)(nil)

// opened is a store with what only its kind has.
type opened struct {
	Store
	fill    func(ctx context.Context) error // makes it quick for the first request; before ready
	collect ops.Collector
}

// reachTime bounds how long a process waits at its start for the database and the bus of a cluster.
const reachTime = 30 * time.Second

func openStore(cfg *Config, logger *slog.Logger) (*opened, error) {
	if cfg.Store == storeCRDB {
		return openCRDB(cfg, logger)
	}
	storeCfg := embedded.Defaults(filepath.Join(cfg.DataDir, "store"))
	storeCfg.Retention, storeCfg.Logger = cfg.Retention, logger
	store, err := embedded.Open(storeCfg)
	if err != nil {
		return nil, err
	}
	return &opened{Store: store, fill: func(context.Context) error { return nil }, collect: collectEmbedded(store)}, nil
}

func collectEmbedded(store *embedded.Store) ops.Collector {
	return func(s *ops.Samples) {
		stats, err := store.Stats(context.Background())
		if err != nil {
			return // closed: the process is about to end
		}
		s.Count(&ops.StoreCommits, stats.Commits)
		s.Value(&ops.StoreCommitSeconds, stats.CommitTime.Seconds())
		s.Value(&ops.StoreInFlight, float64(stats.InFlight))
		s.Count(&ops.StoreLoads, stats.Loads)
		s.Count(&ops.StoreSwept, stats.SweptEvents)
		s.Value(&ops.StoreDiskBytes, float64(stats.DiskBytes))
		s.Value(&ops.StoreLogBytes, float64(stats.WALBytes))
		s.Value(&ops.StoreBlockHits, stats.BlockCacheHit)
		s.Flag(&ops.StoreReadOnly, stats.ReadOnly)
	}
}
