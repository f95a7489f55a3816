package app

import (
	"context"
	"path/filepath"
	"time"

	"eligibility/internal/audience"
	"eligibility/internal/server"
)

// audienceDir is where audience jobs are kept, "" for none: replicas that share a database must not share the directory by accident.
func (c *Config) audienceDir() string {
	if c.AudienceDir == "" && c.Store == storeEmbedded {
		return filepath.Join(c.DataDir, "audiences")
	}
	return c.AudienceDir
}

// wireAudiences makes the manager of audience jobs, nil where there is no directory for them.
func (a *App) wireAudiences() (err error) {
	dir := a.cfg.audienceDir()
	if dir == "" {
		return nil
	}
	a.audiences, err = audience.New(audience.Defaults(dir), audience.Deps{
		Users: a.store, Sampler: a.store, Rulesets: a.live, Clock: a.clock, Publisher: a.bus.Results(), Logger: a.logger,
		Turn: a.turn,
	})
	return err
}

// turn is the bulk plane's, which is made after those who take turns.
func (a *App) turn(ctx context.Context, work func(time.Duration)) (time.Duration, error) {
	return a.bulk.Turn(ctx, work)
}

func (a *App) startAudiences(ctx context.Context) error {
	if a.audiences == nil {
		return nil
	}
	return a.startParts(ctx, []part{{"audience jobs", a.audiences.Start, a.audiences.Stop}})
}

// requests is how many requests of apps were answered, other than those that are bulk themselves.
func (a *App) requests() (n uint64) {
	stats := a.decisions.Stats()
	for _, route := range server.Routes() {
		if route == server.RoutePrecheck {
			continue
		}
		for class := 1; class <= 5; class++ {
			n += stats.Requests(route, class)
		}
	}
	return n
}
