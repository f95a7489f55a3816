package rules

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Refresher keeps Live at the store's versions. It re-reads and compiles a project when told that its ruleset changed, and compares
// every project's version with the store's each CheckEvery, so that a lost message costs seconds and never a wrong answer for good.
type Refresher struct {
	repo     Repo
	live     *Live
	compiler *Compiler
	logger   *slog.Logger
	applied  func(rs *Ruleset)

	wake   chan struct{}
	mu     sync.Mutex
	dirty  map[string]bool // guarded by mu
	cancel context.CancelFunc
	done   chan struct{}
}

// CheckEvery is the period of the anti-entropy comparison.
const CheckEvery = 5 * time.Second

// readTimeout bounds one read of the store.
const readTimeout = 3 * time.Second

// NewRefresher makes a Refresher; applied is called after each swap with the ruleset now in force.
func NewRefresher(repo Repo, live *Live, compiler *Compiler, logger *slog.Logger, applied func(*Ruleset)) *Refresher {
	return &Refresher{
		repo: repo, live: live, compiler: compiler, logger: logger, applied: applied,
		wake: make(chan struct{}, 1), dirty: make(map[string]bool),
	}
}

// Start loads every project once, which must succeed, and then keeps them fresh in the background.
func (r *Refresher) Start(ctx context.Context) error {
	if err := r.checkAll(ctx); err != nil {
		return err
	}
	ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	r.done = make(chan struct{})
	go r.run(ctx)
	return nil
}

// Stop ends the background work and waits for it. It may be called more than once and without Start.
func (r *Refresher) Stop() {
	if r.cancel == nil {
		return
	}
	r.cancel()
	<-r.done
}

// Changed asks for a re-read of the project. It never blocks; many calls before the read are one.
func (r *Refresher) Changed(project string) {
	r.mu.Lock()
	r.dirty[project] = true
	r.mu.Unlock()
	r.signal()
}

// ChangedAll asks for a comparison of all projects: an unknown number of changes was lost.
func (r *Refresher) ChangedAll() { r.Changed("") }

func (r *Refresher) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *Refresher) run(ctx context.Context) {
	defer close(r.done)
	ticker := time.NewTicker(CheckEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
			r.drain(ctx)
		case <-ticker.C:
			if err := r.checkAll(ctx); err != nil && ctx.Err() == nil {
				r.logger.Warn("ruleset check failed", "error", err)
			}
		}
	}
}

func (r *Refresher) drain(ctx context.Context) {
	r.mu.Lock()
	dirty := r.dirty
	r.dirty = make(map[string]bool)
	r.mu.Unlock()
	if dirty[""] {
		if err := r.checkAll(ctx); err != nil && ctx.Err() == nil {
			r.logger.Warn("ruleset check failed", "error", err)
		}
		return
	}
	for project := range dirty {
		if err := r.Refresh(ctx, project); err != nil && ctx.Err() == nil {
			r.logger.Warn("ruleset refresh failed", "project", project, "error", err)
		}
	}
}

func (r *Refresher) checkAll(ctx context.Context) error {
	read, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	projects, err := r.repo.Projects(read)
	if err != nil {
		return err
	}
	var faults []error
	for _, project := range projects {
		faults = append(faults, r.check(ctx, project))
	}
	return errors.Join(faults...)
}

func (r *Refresher) check(ctx context.Context, project string) error {
	read, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	version, err := r.repo.Version(read, project)
	if err != nil {
		return err
	}
	if rs := r.live.Load(project); rs != nil && rs.Version >= version {
		r.live.Checked(project)
		return nil
	}
	return r.Refresh(ctx, project)
}

// Refresh re-reads and compiles one project now and puts it into force.
func (r *Refresher) Refresh(ctx context.Context, project string) error {
	read, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	spec, err := r.repo.Spec(read, project)
	if err != nil {
		return err
	}
	rs, err := r.compiler.Compile(spec, r.live.Load(project))
	if err != nil {
		return err
	}
	if r.live.Swap(rs) {
		for _, q := range rs.Quarantined {
			r.logger.Error("promotion quarantined", "project", project, "promotion", q.Promotion, "revision", q.Revision,
				"kept_revision", q.KeptOld)
		}
		r.logger.Info("ruleset applied", "project", project, "version", rs.Version, "promotions", rs.Promotions.Len())
		r.applied(rs)
	}
	r.live.Checked(project)
	return nil
}
