package app

import (
	"context"
	"fmt"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/admin"
	"eligibility/internal/auditor"
	"eligibility/internal/bulk"
	"eligibility/internal/cache"
	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/rules"
	"eligibility/internal/server"
	"eligibility/internal/stream"
)

// jwtVerdicts is how many verified user tokens are remembered.
const jwtVerdicts = 1 << 16

// wire connects the parts. Nothing runs yet but the bus, whose server the others need to exist.
func (a *App) wire(sealer *access.Sealer, root access.RootKey) error {
	cacheCfg := cache.Defaults()
	cacheCfg.CacheBytes, cacheCfg.MemoBytes, cacheCfg.Bound, cacheCfg.Logger = a.cfg.CacheBytes, server.MemoBytes, a.cfg.bound(), a.logger
	var err error
	if a.cache, err = cache.New(cacheCfg, a.store, a.clock); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	a.keyring = access.NewKeyring(a.store, sealer, a.logger)

	if a.bus, err = openBus(&a.cfg, a.id, a.logger); err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	a.onStop("bus", nothing(a.bus.Stop))
	if a.cfg.Relay {
		if a.relay, err = newConveyor(&a.cfg, a.id, a.store, a.bus, a.logger); err != nil {
			return err
		}
	}
	fleetCfg := events.DefaultFleetConfig(a.id, a.lag)
	fleetCfg.Logger = a.logger
	if a.fleet, err = events.NewFleet(a.bus, fleetCfg); err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	a.refresher = rules.NewRefresher(a.store, a.live, rules.NewCompiler(a.cfg.Retention), a.logger, a.applied)
	followerCfg := events.DefaultFollowerConfig(a.clock.Now)
	followerCfg.Logger = a.logger
	auditCfg := auditor.Defaults(a.cfg.Retention)
	auditCfg.Rate, auditCfg.Logger = a.cfg.AuditRate, a.logger
	a.auditor = auditor.New(auditCfg, a.cache, a.store, a.live)
	streamCfg := stream.Defaults()
	streamCfg.Logger = a.logger
	a.streams = stream.New(streamCfg, asker{a})
	if err := a.wirePush(); err != nil {
		return err
	}
	sinks := events.Fanout{a.cache, reloads{rulesets: a.refresher, keys: a.keyring}, a.streams, a.watch, a.auditor}
	if a.follower, err = events.NewFollower(a.bus, sinks, followerCfg); err != nil {
		return fmt.Errorf("follower: %w", err)
	}
	return a.planes(sealer, root)
}

func (a *App) planes(sealer *access.Sealer, root access.RootKey) (err error) {
	serverCfg := server.Defaults()
	serverCfg.ClientRate, serverCfg.TrustedProxies = a.cfg.ClientRate, a.cfg.TrustedProxies
	a.decisions, err = server.New(serverCfg, server.Deps{
		Users: a.cache, Rulesets: a.live, Keys: a.keyring, Tokens: access.NewVerifier(jwtVerdicts), Writer: a.store, Book: a.store, Profiles: a.store,
		Hints: a.bus, Streams: a.streams, Tickets: access.NewTickets(sealer, a.keyring), Watcher: a.watch,
		Fields: a.authoring, Clock: a.clock, Logger: a.logger, Turn: a.turn,
	})
	if err != nil {
		return err
	}
	a.control, err = admin.New(admin.Defaults(), admin.Deps{
		Authoring: a.authoring, Live: a.live, Compiler: rules.NewCompiler(a.cfg.Retention), Users: a.cache, Observer: a.store, Keyring: a.keyring,
		Keys: a.store, Sealer: sealer, Root: root, Push: a.pushes, Clock: a.clock, Fleet: a.fleet, Freshness: a.freshness, Logger: a.logger,
	})
	if err != nil {
		return err
	}
	if err := a.wireAudiences(); err != nil {
		return err
	}
	a.bulk, err = bulk.New(bulk.Defaults(), bulk.Deps{
		Users: a.cache, Book: a.store, Rulesets: a.live, Keys: a.keyring, Clock: a.clock, Logger: a.logger, Audiences: a.audiences, Requests: a.requests,
	})
	if err != nil {
		return err
	}
	if err := a.wirePrechecks(); err != nil {
		return err
	}
	a.ops, err = a.newOps()
	return err
}

// reloads passes on what concerns rulesets and keys. Neither call blocks: both only mark what is to be read again.
type reloads struct {
	rulesets *rules.Refresher
	keys     *access.Keyring
}

var _ events.Sink = reloads{}

// Apply notes changed rulesets and keys.
func (r reloads) Apply(changes []events.Change, _ hlc.Timestamp) {
	for i := range changes {
		switch changes[i].Table {
		case events.TableRuleset:
			r.rulesets.Changed(changes[i].Project)
		case events.TableAccessKey:
			r.keys.Refresh()
		}
	}
}

// Gap assumes that every ruleset and key changed.
func (r reloads) Gap(hlc.Timestamp) {
	r.rulesets.ChangedAll()
	r.keys.Refresh()
}

// applied tells the fleet which version this replica answers with.
func (a *App) applied(rs *rules.Ruleset) {
	a.fleet.Applied(rs.Project, rs.Version, len(rs.Quarantined))
	a.streams.Published(rs.Project)
	a.watch.Published(rs.Project)
}

// asker has the streams ask the decision plane, which is made after them.
type asker struct{ a *App }

func (q asker) Ask(ctx context.Context, s *stream.Subject) (stream.Outlook, error) {
	return q.a.decisions.Ask(ctx, s)
}

// lag is the freshness lag, negative while the watermark is unset.
func (a *App) lag() time.Duration {
	if state := a.cache.State(); !state.Watermark.IsZero() {
		return state.Lag
	}
	return -1
}

func (a *App) freshness() admin.Freshness {
	state := a.cache.State()
	return admin.Freshness{Known: !state.Watermark.IsZero(), Lag: state.Lag, Healthy: state.Healthy}
}
