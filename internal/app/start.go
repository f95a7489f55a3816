package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// Start brings the replica up and returns when it is ready to answer, or with the first error; the caller then still has to Stop.
//
// The order is what keeps answers right: the bus is attached before the floor is set to the database's present, so that every change after it is heard; the rulesets
// and keys are read after that; the decision plane listens last.
func (a *App) Start(ctx context.Context) error {
	if err := a.listen(); err != nil {
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
	for _, part := range []struct {
		name  string
		start func(context.Context) error
		stop  func()
	}{
		{"cache", a.cache.Start, a.cache.Stop},
		{"keyring", a.keyring.Start, a.keyring.Stop},
		{"fleet", a.fleet.Start, a.fleet.Stop},
		{"streams", a.streams.Start, a.streams.Stop},
		{"follower", a.follower.Start, a.follower.Stop},
		{"relay", a.relay.Start, a.relay.Stop},
		{"rulesets", a.refresher.Start, a.refresher.Stop},
		{"auditor", a.auditor.Start, a.auditor.Stop},
	} {
		if err := part.start(run); err != nil {
			part.stop()
			return fmt.Errorf("start %s: %w", part.name, err)
		}
		a.onStop(part.name, nothing(part.stop))
	}
	a.control.Start(a.listeners.control)
	a.onStop("control plane", a.control.Stop)
	a.awaitFeed(ctx)
	a.decisions.Start(a.listeners.decision)
	a.onStop("decision plane", a.decisions.Stop)
	a.phase.Store(int32(phaseReady))
	if err := a.writeReadyFile(); err != nil {
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

func (a *App) listen() error {
	var certificates []tls.Certificate
	if a.cfg.TLSCert != "" {
		certificate, err := tls.LoadX509KeyPair(a.cfg.TLSCert, a.cfg.TLSKey)
		if err != nil {
			return fmt.Errorf("load certificate: %w", err)
		}
		certificates = append(certificates, certificate)
	}
	for _, l := range []struct {
		flag, plane, addr string
		to                *net.Listener
	}{
		{"listen", "decision plane", a.cfg.Listen, &a.listeners.decision},
		{"admin-listen", "control plane", a.cfg.AdminListen, &a.listeners.control},
		{"ops-listen", "ops plane", a.cfg.OpsListen, &a.listeners.ops},
	} {
		ln, err := net.Listen("tcp", l.addr)
		if err != nil {
			return fmt.Errorf("%s: %w (is another server running? port 0 picks a free one)", l.flag, err)
		}
		bound := ln
		a.onStop(l.flag, func(context.Context) error { return closeOnce(bound) })
		ln = watched{Listener: ln, plane: l.plane, fault: a.fault}
		if certificates != nil {
			ln = tls.NewListener(ln, &tls.Config{Certificates: certificates, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
		}
		*l.to = ln
	}
	return nil
}

func closeOnce(ln net.Listener) error {
	if err := ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Stop drains and ends everything in the reverse order of starting. ctx bounds how long requests in flight are waited for; what holds data is closed in
// any case. It may be called more than once.
func (a *App) Stop(ctx context.Context) error {
	a.stopOnce.Do(func() {
		if phase(a.phase.Swap(int32(phaseDraining))) == phaseReady {
			a.drain(ctx)
		}
		ctx, cancel := context.WithTimeout(ctx, a.cfg.DrainTimeout)
		defer cancel()
		var faults []error
		for i := len(a.stops) - 1; i >= 0; i-- {
			if err := a.stops[i].run(ctx); err != nil {
				faults = append(faults, fmt.Errorf("stop %s: %w", a.stops[i].name, err))
			}
		}
		a.stopErr = errors.Join(faults...)
	})
	return a.stopErr
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

// nothing makes a stop of a part that cannot fail.
func nothing(run func()) func(context.Context) error {
	return func(context.Context) error {
		run()
		return nil
	}
}
