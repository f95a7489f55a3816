package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"eligibility/internal/app"
	"eligibility/internal/demo"
	"eligibility/internal/demo/shop"
	"eligibility/internal/demo/traffic"
	"eligibility/internal/demo/view"
)

// tour is the running demo: the simulated shoppers, if any, and what the display shows of them.
type tour struct {
	replica *app.App
	users   int
	began   time.Time
	feed    *view.Feed
	sim     *traffic.Simulation // nil without traffic
	notes   []string
	try     []string
}

// feedLines is how many changes are kept for the display: more than fit on a screen.
const feedLines = 200

func newTour(c *demoCmd, replica *app.App, cfg *app.Config, made shop.Config, seeded demo.Seeded, logger *slog.Logger) (*tour, error) {
	at := replica.Ready()
	t := &tour{replica: replica, users: c.Users, began: time.Now(), feed: view.NewFeed(feedLines)}
	t.notes = []string{
		fmt.Sprintf("decision %s  control %s  ops %s  bulk %s", at.Listen, at.AdminListen, at.OpsListen, at.BulkListen),
		fmt.Sprintf("keys %s  %s  %s", demo.ClientKey, demo.ServerKey, demo.AdminKey),
	}
	t.try = demo.Commands(scheme(cfg)+at.Listen, scheme(cfg)+at.AdminListen)
	if !c.Traffic {
		return t, nil
	}
	cast, err := traffic.Cast(made, !seeded.Kept)
	if err != nil {
		return nil, err
	}
	known, err := traffic.Promotions(made.Now)
	if err != nil {
		return nil, err
	}
	traffics := traffic.Defaults()
	traffics.URL, traffics.ClientKey, traffics.ServerKey, traffics.Seed = scheme(cfg)+at.Listen, demo.ClientKey, demo.ServerKey, c.Seed
	traffics.Rate, traffics.Cast, traffics.Crowd, traffics.Known = c.TrafficRate, cast, c.Users, known
	traffics.Workers = min(traffics.Workers, len(cast))
	traffics.Notice, traffics.Logger = t.notice, logger
	t.sim, err = traffic.New(traffics)
	if err != nil {
		return nil, usage{err}
	}
	return t, nil
}

// run lets the shoppers in and shows them until ctx ends or the replica cannot go on.
func (t *tour) run(ctx context.Context, show *display) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if t.sim != nil {
		t.sim.Start(ctx)
		defer t.sim.Stop()
	}
	shown := make(chan error, 1)
	go func() { shown <- show.run(ctx, t.frame) }()
	select {
	case err := <-shown: // it ends with ctx, or because nobody looks any more
		return err
	case err := <-t.replica.Done():
		cancel(err)
		<-shown
		return err
	}
}

func (t *tour) notice(n traffic.Notice) {
	what := fmt.Sprintf("%s [%d]", n.Promotion, n.Placement)
	t.feed.Add(view.Line{At: n.At, Gained: n.Gained, User: n.User, What: what, Why: n.Why, Pinned: n.Still})
}

// frame is what there is to see now.
func (t *tour) frame() view.Frame {
	f := view.Frame{Uptime: time.Since(t.began), Notes: t.notes, Try: t.try}
	t.feed.Fill(&f)
	glance := t.replica.Glance()
	f.Numbers = view.Numbers{HitRatio: -1, Lag: glance.Lag, Users: t.users, RulesVersion: t.replica.RulesVersion(demo.Project)}
	if looks := glance.Hits + glance.Misses; looks > 0 {
		f.Numbers.HitRatio = float64(glance.Hits) / float64(looks)
	}
	if t.sim != nil {
		s := t.sim.Stats()
		f.Numbers.PerSecond, f.Numbers.P50, f.Numbers.P99 = s.PerSecond, s.P50, s.P99
		f.Numbers.Requests, f.Numbers.Errors, f.Numbers.Changes = s.Requests, s.Errors, s.Changes
	}
	return f
}
