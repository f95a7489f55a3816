package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"eligibility/internal/events/natsbus"
	"eligibility/internal/ops"
)

// Relay is a process that only carries changes from the store to the bus: the relay, and an ops plane to watch it. Any number may run; one of them
// and of the replicas leads.
type Relay struct {
	lifecycle
	cfg    Config
	logger *slog.Logger
	store  *opened
	bus    *natsbus.Bus
	relay  *conveyor
	ops    *ops.Server
	at     net.Listener // of the ops plane
}

// NewRelay connects to the database and the bus. Of cfg it uses what concerns them, the ops plane and the webhook.
// Nothing runs and nothing listens yet. After an error or without Start, Stop releases what it took.
func NewRelay(cfg Config, logger *slog.Logger) (*Relay, error) {
	if err := cfg.ValidateRelay(); err != nil {
		return nil, err
	}
	r := &Relay{lifecycle: newLifecycle(), cfg: cfg, logger: logger}
	if err := r.build(); err != nil {
		return nil, errors.Join(err, r.Stop(context.Background()))
	}
	return r, nil
}

// ValidateRelay reports every fault of a configuration for a relay alone, joined.
func (c *Config) ValidateRelay() error {
	var faults faultList
	fault := faults.add
	c.listener(fault, "ops-listen", c.OpsListen)
	if c.Store != storeCRDB {
		fault("store: the embedded store carries its changes itself: a relay of its own is for --store %s", storeCRDB)
	}
	if c.Nats == natsEmbedded {
		fault("nats: say where the bus is that the replicas share: --nats URL")
	}
	c.cluster(fault)
	c.tls(fault)
	return faults.joined()
}

func (r *Relay) build() (err error) {
	if r.store, err = openStore(&r.cfg, r.logger); err != nil {
		return err
	}
	r.onStop("store", func(context.Context) error { return r.store.Close() })
	id := processID()
	if r.bus, err = openBus(&r.cfg, id, r.logger); err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	r.onStop("bus", nothing(r.bus.Stop))
	if r.relay, err = newConveyor(&r.cfg, id, r.store, r.bus, r.logger); err != nil {
		return err
	}
	cfg := ops.Defaults()
	cfg.Pprof = r.cfg.Pprof
	r.ops, err = ops.New(cfg, ops.Deps{
		Checks: []ops.Check{
			{Name: "started", Gate: ops.Always, Run: r.checkStarted},
			{Name: "store", Gate: ops.Shown, Run: checkStore(r.store)},
			{Name: "bus", Gate: ops.Shown, Run: checkBus(r.bus)},
			{Name: "lease", Gate: ops.Shown, Run: r.checkLease},
		},
		Draining:   func() bool { return phase(r.phase.Load()) == phaseDraining },
		Collectors: append(r.relay.collectors(), collectBus(r.bus), r.store.collect),
		Logger:     r.logger,
	})
	return err
}

// Start begins to try for the lease and returns. The caller Stops it, also after an error.
func (r *Relay) Start(ctx context.Context) error {
	planes := []plane{{flag: "ops-listen", name: "ops plane", addr: r.cfg.OpsListen, to: &r.at}}
	if err := r.listen(&r.cfg, append(planes, r.relay.planes(&r.cfg)...)); err != nil {
		return err
	}
	run := context.WithoutCancel(ctx) // it lives until Stop, whatever becomes of the caller's context
	r.ops.Start(r.at)
	r.onStop("ops plane", r.ops.Stop)
	if err := r.relay.start(run, &r.lifecycle); err != nil {
		return err
	}
	r.phase.Store(int32(phaseReady))
	if err := r.Ready().write(r.cfg.ReadyFile); err != nil {
		return err
	}
	r.logger.Info("relay ready", "ops_listen", r.at.Addr(), "took", time.Since(r.started).Round(time.Millisecond))
	return nil
}

// Stop gives the lease up, after what was taken from the feed has reached the bus, and ends everything. It may be called more than once.
func (r *Relay) Stop(ctx context.Context) error {
	return r.end(ctx, r.cfg.DrainTimeout, func(context.Context) { r.logger.Info("relay stops") })
}

// Ready describes the running relay. Valid after Start.
func (r *Relay) Ready() Ready {
	return Ready{OpsListen: r.at.Addr().String(), WebhookListen: r.relay.webhookAddr()}
}

func (r *Relay) checkStarted(context.Context) error {
	if phase(r.phase.Load()) == phaseStarting {
		return errors.New("still starting")
	}
	return nil
}

// checkLease shows which one leads: that a standby does not is no fault of it.
func (r *Relay) checkLease(context.Context) error {
	if stats := r.relay.relay.Stats(); !stats.Leading {
		return errors.New("standby: another process holds the lease")
	}
	return nil
}

func checkStore(store Store) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := store.Now(ctx)
		return err
	}
}

func checkBus(bus *natsbus.Bus) func(context.Context) error {
	return func(context.Context) error {
		if !bus.Stats().Connected {
			return errors.New("the connection to NATS is down: changes wait in the feed")
		}
		return nil
	}
}
