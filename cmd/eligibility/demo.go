package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"eligibility/internal/app"
	"eligibility/internal/demo"
	"eligibility/internal/demo/shop"
	"eligibility/internal/demo/traffic"
)

// demoCmd runs a replica with everything to look at inside.
type demoCmd struct {
	replicaFlags

	Users       int     `group:"shop" help:"How many shoppers there are." default:"${demo_users}" env:"ELIGIBILITY_DEMO_USERS"`
	Seed        uint64  `group:"shop" help:"The same seed gives the same shoppers." default:"1" env:"ELIGIBILITY_DEMO_SEED"`
	Traffic     bool    `group:"shop" help:"Simulate shoppers." default:"true" negatable:"" env:"ELIGIBILITY_DEMO_TRAFFIC"`
	TrafficRate float64 `group:"shop" help:"Requests per second of the simulated shoppers, about." default:"${demo_rate}" env:"ELIGIBILITY_DEMO_TRAFFIC_RATE"`
}

// Help is the long help.
func (*demoCmd) Help() string {
	return `It makes a project called demo with promotions, placements and shoppers, opens it with well-known keys, and lets shoppers
come and go. Because everybody knows the keys it binds to loopback only. On a terminal it shows a live view; elsewhere it
logs a line every few seconds.

    eligibility demo
    eligibility demo --no-traffic --users 100
    eligibility demo --data-dir demo-data        # keeps the shop; the next start goes on with it

Ask for one of its users in another terminal:

    curl localhost:8080/v1/eligibility -H 'Api-Key: demo-client-key' \
      -H 'Content-Type: application/json' -d '{"userId":"ada"}'`
}

// Run is called by the parser.
func (c *demoCmd) Run(g *Globals, std streams) (err error) {
	made := shop.Config{Seed: c.Seed, Users: c.Users, Now: time.Now()}
	if err := errors.Join(made.Validate(), traffic.CheckRate(c.TrafficRate)); err != nil {
		return usage{err}
	}
	show := newDisplay(g, std)
	logger := g.logger(show.logs())
	cfg := c.config()
	cfg.Demo, cfg.ClientRate, cfg.ReadyProject, cfg.ReadyKeys = true, 0, demo.Project, demo.Keys()
	if cfg.DataDir == "" {
		if cfg.DataDir, err = os.MkdirTemp("", "eligibility-demo-"); err != nil {
			return fmt.Errorf("make a temporary data directory: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(cfg.DataDir)) }()
	}
	replica, err := openReplica(cfg, logger)
	if err != nil {
		return err
	}
	force := func() {
		show.restore()
		os.Exit(exitFailure)
	}
	ctx, stop := onSignal(context.Background(), logger, force)
	defer stop()
	return stopReplica(replica, c.run(ctx, g, std, replica, &cfg, made, show, logger))
}

// run seeds, starts and shows the replica until ctx ends.
func (c *demoCmd) run(ctx context.Context, g *Globals, std streams, replica *app.App, cfg *app.Config, made shop.Config, show *display,
	logger *slog.Logger,
) error {
	seeded, err := demo.Seed(ctx, replica.Store(), replica.Authoring(), made)
	switch {
	case ctx.Err() != nil:
		return nil // told to stop while it was seeding
	case errors.Is(err, demo.ErrForeign):
		return usage{fmt.Errorf("%w; choose another --data-dir", err)}
	case err != nil:
		return err
	case seeded.Kept:
		logger.Info("shop kept as it was found", "data_dir", cfg.DataDir)
	default:
		logger.Info("shop seeded", "users", seeded.Users, "events", seeded.Events, "promotions", seeded.Promotions,
			"took", seeded.Took.Round(time.Millisecond))
	}
	if err := replica.Start(ctx); err != nil {
		return err
	}
	stories := shop.Named()[:min(c.Users, len(shop.Named()))]
	if seeded.Kept {
		stories = nil // they were true when the shop was made
	}
	if err := printDemo(g, std.out, cfg, replica.Ready(), stories); err != nil {
		return err
	}
	tour, err := newTour(c, replica, cfg, made, seeded, logger)
	if err != nil {
		return err
	}
	return tour.run(ctx, show)
}

// printDemo says where the planes are, with which keys, and whom to ask for.
func printDemo(g *Globals, out *os.File, cfg *app.Config, at app.Ready, stories []shop.Story) error {
	if err := printAddresses(g, out, cfg, at); err != nil || g.json() {
		return err
	}
	const keys = demo.ClientKey + ", " + demo.ServerKey + ", " + demo.AdminKey
	if _, err := fmt.Fprintf(out, "keys            %s (project %s)\n", keys, demo.Project); err != nil {
		return err
	}
	for _, story := range stories {
		if _, err := fmt.Fprintf(out, "%-15s %s\n", story.UserID, story.Story); err != nil {
			return err
		}
	}
	return nil
}
