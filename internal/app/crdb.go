package app

import (
	"context"
	"fmt"
	"log/slog"

	"eligibility/internal/ops"
	"eligibility/internal/store/crdb"
	"eligibility/internal/store/crdb/changefeed"
)

var _ Store = (*crdb.Store)(nil)

// ErrSchema: the database's tables are older than this build needs.
var ErrSchema = crdb.ErrSchema

// crdbConfig is the configuration of the store on the database.
func (c *Config) crdbConfig(logger *slog.Logger) (crdb.Config, error) {
	address, err := c.crdbURL()
	if err != nil {
		return crdb.Config{}, fmt.Errorf("crdb-url: %w", err)
	}
	cfg := crdb.Defaults(address)
	cfg.Insecure, cfg.Retention, cfg.LeaseDuration, cfg.Logger = c.Insecure, c.Retention, c.RelayLease, logger
	return cfg, nil
}

func openCRDB(cfg *Config, logger *slog.Logger) (*opened, error) {
	storeCfg, err := cfg.crdbConfig(logger)
	if err != nil {
		return nil, err
	}
	if storeCfg.Feed, err = changefeed.New(changefeed.Defaults(storeCfg.URL)); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), reachTime)
	defer cancel()
	store, err := crdb.Open(ctx, storeCfg)
	if err != nil {
		return nil, err
	}
	logger.Info("database reached", "release", store.Database())
	return &opened{Store: store, fill: store.Fill, collect: collectCRDB(store)}, nil
}

func collectCRDB(store *crdb.Store) ops.Collector {
	return func(s *ops.Samples) {
		stats := store.Stats()
		s.Count(&ops.StoreLoads, stats.Loads)
		s.Count(&ops.StoreStatements, stats.Statements)
		s.Count(&ops.StoreSwept, stats.Swept)
		for cause, n := range map[string]uint64{
			"contended": stats.Contended, "lost": stats.Lost, "busy": stats.Busy, "ambiguous": stats.Ambiguous,
		} {
			s.Count(&ops.StoreRetries, n, cause)
		}
		pool := stats.Pool
		s.Value(&ops.PoolConns, float64(pool.Idle), "idle")
		s.Value(&ops.PoolConns, float64(pool.Busy), "busy")
		s.Value(&ops.PoolMax, float64(pool.Max))
		s.Count(&ops.PoolAcquires, uint64(pool.Acquires))
		s.Count(&ops.PoolWaited, uint64(pool.Waited))
		s.Value(&ops.PoolWaitSeconds, pool.WaitTime.Seconds())
		s.Count(&ops.PoolOpened, uint64(pool.Opened))
	}
}

// WebhookSQL is the statement that makes the database send its changes to url, for a SQL shell. token is the whole Authorization header, empty for a
// placeholder; ca holds the certificates that vouch for url, PEM, empty when the database trusts it anyway.
func WebhookSQL(url, feed, token string, ca []byte) (string, error) {
	return changefeed.WebhookSQL(changefeed.Webhook{URL: url, Feed: feed, Token: token, CA: ca})
}
