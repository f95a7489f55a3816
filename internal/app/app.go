package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"

	"eligibility/internal/access"
	"eligibility/internal/admin"
	"eligibility/internal/audience"
	"eligibility/internal/auditor"
	"eligibility/internal/bulk"
	"eligibility/internal/cache"
	"eligibility/internal/events"
	"eligibility/internal/events/natsbus"
	"eligibility/internal/hlc"
	"eligibility/internal/ops"
	"eligibility/internal/pushhook"
	"eligibility/internal/rules"
	"eligibility/internal/server"
	"eligibility/internal/stream"
)

// App is one replica with everything inside.
type App struct {
	lifecycle
	cfg    Config
	logger *slog.Logger
	id     string // of this replica in the fleet

	store     *opened
	authoring *rules.Service
	clock     *hlc.Estimate
	cache     *cache.Cache
	auditor   *auditor.Auditor
	streams   *stream.Hub
	pushes    *pushhook.Sender
	watch     *pushhook.Watch
	live      *rules.Live
	keyring   *access.Keyring
	bus       *natsbus.Bus
	relay     *conveyor // nil when this replica is not to relay
	follower  *events.Follower
	fleet     *events.Fleet
	refresher *rules.Refresher
	decisions *server.Server
	control   *admin.Server
	bulk      *bulk.Server
	prechecks *busPrechecks     // nil when they are turned off
	audiences *audience.Manager // nil where there is no directory for jobs
	ops       *ops.Server

	listeners listeners
}

// listeners are the bound addresses, known once Start has returned.
type listeners struct{ decision, control, ops, bulk net.Listener }

// ErrDemoKeys: the data directory holds the demo's well-known keys, which must never guard real data.
var ErrDemoKeys = errors.New("the data directory belongs to the demo: its keys are known to everybody; choose another --data-dir")

// New opens the store, which takes the data directory's lock or connects to the database, and reads or makes the secrets. Nothing runs and nothing listens yet, so that a
// caller can put data into Store and Authoring first. After an error or without Start, Stop releases what New took.
func New(cfg Config, logger *slog.Logger) (*App, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	a := &App{lifecycle: newLifecycle(), cfg: cfg, logger: logger, id: processID(), clock: &hlc.Estimate{}, live: &rules.Live{}}
	if limit := memoryLimit(); crowded(cfg.CacheBytes, limit) {
		logger.Warn("the cache may take more than 80 % of the memory limit", "cache_bytes", cfg.CacheBytes, "limit_bytes", limit)
	}
	if err := a.build(); err != nil {
		return nil, errors.Join(err, a.Stop(context.Background()))
	}
	return a, nil
}

// processID is unique among the processes of one cluster at one time.
func processID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "replica"
	}
	return fmt.Sprintf("%.64s-%d-%s", host, os.Getpid(), access.NewID())
}

func (a *App) build() error {
	store, err := openStore(&a.cfg, a.logger)
	if err != nil {
		return err
	}
	a.store = store
	a.onStop("store", func(context.Context) error { return store.Close() })
	if err := a.refuseDemoKeys(); err != nil {
		return err
	}
	a.authoring = rules.NewService(store, rules.ServiceConfig{Retention: a.cfg.Retention, Sampler: store})
	secret, _, err := access.LoadOrCreateSecretKey(a.cfg.secretKeyFile())
	if err != nil {
		return err
	}
	sealer, err := access.NewSealer(secret)
	if err != nil {
		return err
	}
	root, created, err := access.LoadOrCreateRootKey(a.cfg.rootKeyFile())
	if err != nil {
		return err
	}
	if created {
		a.logger.Info("root key written", "file", a.cfg.rootKeyFile())
	}
	return a.wire(sealer, access.NewRootKey(root))
}

func (a *App) refuseDemoKeys() error {
	if a.cfg.Demo {
		return nil
	}
	keys, _, err := a.store.Credentials(context.Background())
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	for i := range keys {
		if keys[i].Demo {
			return ErrDemoKeys
		}
	}
	return nil
}

// Store is the replica's store, for filling it before Start.
func (a *App) Store() Store { return a.store }

// Version is the ruleset version by which the replica decides for the project; 0 before it has one.
func (a *App) Version(project string) uint64 {
	if rs := a.live.Load(project); rs != nil {
		return rs.Version
	}
	return 0
}

// Authoring is the life cycle of the replica's promotions, schema and settings.
func (a *App) Authoring() *rules.Service { return a.authoring }

// Addrs are the addresses of the decision, control and ops plane, with the ports that were picked. Valid after Start.
func (a *App) Addrs() (decision, control, ops string) {
	return a.listeners.decision.Addr().String(), a.listeners.control.Addr().String(), a.listeners.ops.Addr().String()
}
