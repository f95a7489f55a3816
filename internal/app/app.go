package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/admin"
	"eligibility/internal/auditor"
	"eligibility/internal/cache"
	"eligibility/internal/events"
	"eligibility/internal/events/natsbus"
	"eligibility/internal/hlc"
	"eligibility/internal/ops"
	"eligibility/internal/rules"
	"eligibility/internal/server"
	"eligibility/internal/store/embedded"
	"eligibility/internal/stream"
)

// App is one replica with everything inside.
type App struct {
	cfg    Config
	logger *slog.Logger
	id     string // of this replica in the fleet

	store     *embedded.Store
	authoring *rules.Service
	clock     *hlc.Estimate
	cache     *cache.Cache
	auditor   *auditor.Auditor
	streams   *stream.Hub
	live      *rules.Live
	keyring   *access.Keyring
	bus       *natsbus.Bus
	relay     *events.Relay
	follower  *events.Follower
	fleet     *events.Fleet
	refresher *rules.Refresher
	decisions *server.Server
	control   *admin.Server
	ops       *ops.Server

	listeners listeners
	phase     atomic.Int32 // of type phase
	fault     chan error
	started   time.Time

	stopOnce sync.Once
	stopErr  error
	stops    []stop // in the order of starting; run backwards
}

// listeners are the bound addresses, known once Start has returned.
type listeners struct{ decision, control, ops net.Listener }

// stop ends one part.
type stop struct {
	name string
	run  func(ctx context.Context) error
}

type phase int32

const (
	phaseStarting phase = iota
	phaseReady
	phaseDraining
)

// ErrDemoKeys: the data directory holds the demo's well-known keys, which must never guard real data.
var ErrDemoKeys = errors.New("the data directory belongs to the demo: its keys are known to everybody; choose another --data-dir")

// New opens the store, which takes the data directory's lock, and reads or makes the secrets. Nothing runs and nothing listens yet, so that a
// caller can put data into Store and Authoring first. After an error or without Start, Stop releases what New took.
func New(cfg Config, logger *slog.Logger) (*App, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	a := &App{cfg: cfg, logger: logger, id: replicaID(), clock: &hlc.Estimate{}, live: &rules.Live{}, fault: make(chan error, 1), started: time.Now()}
	if limit := memoryLimit(); crowded(cfg.CacheBytes, limit) {
		logger.Warn("the cache may take more than 80 % of the memory limit", "cache_bytes", cfg.CacheBytes, "limit_bytes", limit)
	}
	if err := a.build(); err != nil {
		return nil, errors.Join(err, a.Stop(context.Background()))
	}
	return a, nil
}

// replicaID is unique among the replicas of one cluster at one time.
func replicaID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "replica"
	}
	return fmt.Sprintf("%.64s-%d-%s", host, os.Getpid(), access.NewID())
}

func (a *App) build() error {
	storeCfg := embedded.Defaults(filepath.Join(a.cfg.DataDir, "store"))
	storeCfg.Retention, storeCfg.Logger = a.cfg.Retention, a.logger
	store, err := embedded.Open(storeCfg)
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
func (a *App) Store() *embedded.Store { return a.store }

// Authoring is the life cycle of the replica's promotions, schema and settings.
func (a *App) Authoring() *rules.Service { return a.authoring }

// Addrs are the addresses of the decision, control and ops plane, with the ports that were picked. Valid after Start.
func (a *App) Addrs() (decision, control, ops string) {
	return a.listeners.decision.Addr().String(), a.listeners.control.Addr().String(), a.listeners.ops.Addr().String()
}

func (a *App) onStop(name string, run func(context.Context) error) {
	a.stops = append(a.stops, stop{name, run})
}
