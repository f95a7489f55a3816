package app

import (
	"context"
	"fmt"
	"time"
)

// Start brings the replica up and returns when it is ready to answer, or with the first error; the caller then still has to Stop.
//
// The order is what keeps answers right: the bus is attached before the floor is set to the database's present, so that every change after it is heard; the rulesets
// and keys are read after that; the decision plane listens last.
func (a *App) Start(ctx context.Context) error {
	planes := []plane{
		{flag: "listen", name: "decision plane", addr: a.cfg.Listen, to: &a.listeners.decision, frames: true},
		{flag: "admin-listen", name: "control plane", addr: a.cfg.AdminListen, to: &a.listeners.control},
		{flag: "ops-listen", name: "ops plane", addr: a.cfg.OpsListen, to: &a.listeners.ops},
		a.cfg.bulkPlane(&a.listeners.bulk),
	}
	if err := a.listen(&a.cfg, append(planes, a.relay.planes(&a.cfg)...)); err != nil {
		return err
	}
	run := context.WithoutCancel(ctx) // the parts live until Stop, whatever becomes of the caller's context
	a.ops.Start(a.listeners.ops)
	a.onStop("ops plane", a.ops.Stop)

	asked := time.Now()
	now, err := a.store.Now(ctx)
	if err != nil {
		return fmt.Errorf("read the store's clock: %w", err)
	}
	a.clock.Observe(now, asked)
	parts := []part{
		{"cache", a.cache.Start, a.cache.Stop},
		{"keyring", a.keyring.Start, a.keyring.Stop},
		{"fleet", a.fleet.Start, a.fleet.Stop},
		{"streams", a.streams.Start, a.streams.Stop},
		{"push watch", a.watch.Start, a.watch.Stop},
		{"follower", a.follower.Start, a.follower.Stop},
	}
	if err := a.pushes.Start(run); err != nil {
		return fmt.Errorf("start push sender: %w", err)
	}
	a.onStop("push sender", a.pushes.Stop)
	if err := a.startParts(run, parts); err != nil {
		return err
	}
	if err := a.relay.start(run, &a.lifecycle); err != nil {
		return err
	}
	readers := []part{{"rulesets", a.refresher.Start, a.refresher.Stop}, {"auditor", a.auditor.Start, a.auditor.Stop}}
	if err := a.startParts(run, readers); err != nil {
		return err
	}
	if err := a.store.fill(ctx); err != nil {
		return fmt.Errorf("fill the pool of connections: %w", err)
	}
	a.control.Start(a.listeners.control)
	a.onStop("control plane", a.control.Stop)
	a.awaitFeed(ctx)
	a.decisions.Start(a.listeners.decision)
	a.onStop("decision plane", a.decisions.Stop)
	if err := a.startAudiences(run); err != nil {
		return err
	}
	a.bulk.Start(a.listeners.bulk)
	a.onStop("bulk plane", a.bulk.Stop)
	if err := a.startParts(run, a.prechecks.parts()); err != nil {
		return err
	}
	a.phase.Store(int32(phaseReady))
	if err := a.Ready().write(a.cfg.ReadyFile); err != nil {
		return err
	}
	decision, control, ops := a.Addrs()
	a.logger.Info("ready", "listen", decision, "admin_listen", control, "ops_listen", ops, "took", time.Since(a.started).Round(time.Millisecond))
	return nil
}

// feedPatience is how long the first readiness waits for the feed to be fresh. After that it is only shown: snapshots live by the time of their own read.
const feedPatience = 10 * time.Second

func (a *App) awaitFeed(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, feedPatience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !a.cache.State().Healthy {
		select {
		case <-ctx.Done():
			a.logger.Warn("feed is not fresh yet, answering from reads of the store")
			return
		case <-tick.C:
		}
	}
}

// Stop drains and ends everything in the reverse order of starting. ctx bounds how long requests in flight are waited for; what holds data is closed in
// any case. It may be called more than once.
func (a *App) Stop(ctx context.Context) error {
	return a.end(ctx, a.cfg.DrainTimeout, a.drain)
}

// drain keeps serving, not ready, until the load balancer has noticed.
func (a *App) drain(ctx context.Context) {
	a.decisions.Drain()
	a.streams.Drain() // their clients connect again, elsewhere
	a.logger.Info("draining", "delay", a.cfg.DrainDelay)
	timer := time.NewTimer(a.cfg.DrainDelay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
