package audience

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/precheck"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// Errors that a caller branches on.
var (
	ErrNotFound  = errors.New("the project has no such audience job here")
	ErrEnded     = errors.New("the audience job has ended")
	ErrTooMany   = errors.New("the project has as many audience jobs as it may have, and none of them has ended")
	ErrPromotion = errors.New("no published promotion has this id")
	ErrCountBy   = errors.New("no attribute of one value has this name")
	ErrNoRules   = errors.New("the project's rules are not loaded")
	ErrNoBus     = errors.New("results are not published here")
)

// Users is where users are read; a store is one.
type Users interface {
	profile.PartialSource
	UserIDs(ctx context.Context, project, after string, limit int) ([]string, error)
}

// Rulesets is where the ruleset in force comes from; rules.Live is one.
type Rulesets interface {
	Load(project string) *rules.Ruleset // nil while none is loaded
}

// Config is what jobs may take. Start from Defaults.
type Config struct {
	Dir        string        // of results and checkpoints
	Jobs       int           // kept of one project; the oldest that ended make room
	KeepFor    time.Duration // how long a job that ended is kept
	PageUsers  int           // listed at one time
	Ranges     int           // that the users are split into, by their ids, at most
	Workers    int           // ranges of one job that are worked on at one time
	Checkpoint time.Duration // between two of them
	Patience   time.Duration // how long the store may fail before a job is paused
}

// Defaults keeps 50 jobs of a project for a week.
func Defaults(dir string) Config {
	return Config{Dir: dir, Jobs: 50, KeepFor: 7 * 24 * time.Hour, PageUsers: 256, Ranges: 16, Workers: 4, Checkpoint: time.Second, Patience: time.Minute}
}

// Deps is what jobs work with. Sampler, Turn and Publisher may be nil.
type Deps struct {
	Users    Users
	Rulesets Rulesets
	Sampler  rules.Sampler // says how many users there are
	Turn     precheck.Turn // is waited for before each slice: it shares a processor with others
	Clock    *hlc.Estimate // the database's clock
	Logger   *slog.Logger

	Publisher Publisher // where jobs that ask for it publish their results; without one they are refused
}

// Manager keeps the jobs of all projects and works on one at a time. It is safe for concurrent use. Make it with New, Start it once, Stop it once.
type Manager struct {
	cfg  Config
	deps Deps
	keep keep
	open func(j *Job, part int) (sink, error) // keep.append, but for tests of disks that are full

	cancel  context.CancelFunc
	working sync.WaitGroup
	wake    chan struct{} // holds one

	mu   sync.Mutex
	jobs map[string]*entry // by id; guarded by mu
}

// entry is a job and what is not written down of it.
type entry struct {
	job    Job            // as of its last checkpoint
	active bool           // the worker has it
	wish   State          // of an active job: what it is to become
	rules  *rules.Ruleset // pinned; nil before it began, and after a restart
	accept bool           // rules other than those it began with are welcome
}

// New makes a manager that does not work yet.
func New(cfg Config, deps Deps) (*Manager, error) {
	if cfg.Dir == "" || cfg.Jobs < 1 || cfg.KeepFor <= 0 || cfg.PageUsers < 1 || cfg.Ranges < 1 || cfg.Workers < 1 || cfg.Checkpoint <= 0 || cfg.Patience <= 0 {
		return nil, errors.New("audience: every limit must be above 0, and the directory named")
	}
	if deps.Users == nil || deps.Rulesets == nil || deps.Clock == nil || deps.Logger == nil {
		return nil, errors.New("audience: users, rulesets, clock and logger are required")
	}
	m := &Manager{cfg: cfg, deps: deps, keep: keep{dir: cfg.Dir}, wake: make(chan struct{}, 1), jobs: make(map[string]*entry)}
	m.open = m.keep.append
	return m, nil
}

// Start takes up the jobs that an earlier process left, and works until Stop.
func (m *Manager) Start(ctx context.Context) error {
	left, err := m.keep.all()
	if err != nil {
		return fmt.Errorf("read audience jobs: %w", err)
	}
	m.mu.Lock()
	for _, j := range left {
		if j.State == Running {
			j.State = Queued
		}
		m.jobs[j.ID] = &entry{job: *j}
	}
	m.forget(time.Now())
	m.mu.Unlock()
	ctx, m.cancel = context.WithCancel(ctx)
	m.working.Go(func() { m.work(ctx) })
	return nil
}

// Stop writes a checkpoint of the job at work, which goes on at the next Start, and waits for that.
func (m *Manager) Stop() {
	if m.cancel != nil {
		m.cancel()
	}
	m.working.Wait()
}

// Add makes a job. An instant of zero becomes the present. ErrPromotion, ErrCountBy, ErrNoRules, ErrNoBus, ErrTooMany, or the files' error.
func (m *Manager) Add(project string, ask Ask) (Job, error) {
	rs := m.deps.Rulesets.Load(project)
	if rs == nil {
		return Job{}, ErrNoRules
	}
	if _, found := rs.Promotion(ask.Promotion); !found {
		return Job{}, ErrPromotion
	}
	if ask.CountBy != "" {
		if attribute, found := rs.Schema.Attribute(ask.CountBy); !found || attribute.Type.Shape != profile.Scalar {
			return Job{}, ErrCountBy
		}
	}
	if ask.Publish && m.deps.Publisher == nil {
		return Job{}, ErrNoBus
	}
	now := time.Now().UTC()
	if ask.At.IsZero() {
		ask.At = time.Unix(0, m.deps.Clock.Now().Wall).UTC()
	}
	var random [10]byte
	_, _ = rand.Read(random[:]) // never fails
	j := Job{ID: hex.EncodeToString(random[:8]), Project: project, Ask: ask, State: Queued, Created: now, Begins: now, Reasons: map[rules.Reason]int64{}}
	if ask.Publish {
		j.Subject = m.deps.Publisher.Subject(project, j.ID)
	}
	if ask.SpreadOver > 0 {
		share := float64(uint16(random[8])<<8|uint16(random[9])) / (1 << 16)
		j.Begins = now.Add(time.Duration(share * float64(ask.SpreadOver) * float64(time.Second)))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(now)
	if err := m.room(project); err != nil {
		return Job{}, err
	}
	if err := m.keep.save(&j); err != nil {
		return Job{}, err
	}
	m.jobs[j.ID] = &entry{job: j}
	m.nudge()
	return j.clone(), nil
}

// room makes place for one more job of the project. The caller holds mu.
func (m *Manager) room(project string) error {
	var oldest *entry
	n := 0
	for _, e := range m.jobs {
		if e.job.Project != project {
			continue
		}
		n++
		if e.job.State.Ended() && (oldest == nil || e.job.Created.Before(oldest.job.Created)) {
			oldest = e
		}
	}
	switch {
	case n < m.cfg.Jobs:
		return nil
	case oldest == nil:
		return ErrTooMany
	}
	delete(m.jobs, oldest.job.ID)
	return m.keep.remove(&oldest.job)
}

// forget removes jobs that ended long ago. The caller holds mu.
func (m *Manager) forget(now time.Time) {
	for id, e := range m.jobs {
		if e.job.State.Ended() && now.Sub(e.job.Ended) > m.cfg.KeepFor {
			delete(m.jobs, id)
			if err := m.keep.remove(&e.job); err != nil {
				m.deps.Logger.Warn("files of an old audience job are left", "project", e.job.Project, "job", id, "error", err)
			}
		}
	}
}

// List is the project's jobs, the newest first.
func (m *Manager) List(project string) []Job {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := []Job{}
	for _, e := range m.jobs {
		if e.job.Project == project {
			list = append(list, e.job.clone())
		}
	}
	slices.SortFunc(list, func(a, b Job) int { return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID)) })
	return list
}

// Get is one job. ErrNotFound.
func (m *Manager) Get(project, id string) (Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, err := m.find(project, id)
	if err != nil {
		return Job{}, err
	}
	return e.job.clone(), nil
}

// find looks a job up. The caller holds mu.
func (m *Manager) find(project, id string) (*entry, error) {
	e, found := m.jobs[id]
	if !found || e.job.Project != project {
		return nil, ErrNotFound
	}
	return e, nil
}

// Become asks a job to be Paused, Queued (resumed) or Cancelled. A job at work follows before its next page; the Job that is returned is the one before. What it is
// already, it stays. ErrNotFound, ErrEnded, or the files' error.
func (m *Manager) Become(project, id string, state State) (Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, err := m.find(project, id)
	switch {
	case err != nil:
		return Job{}, err
	case e.job.State == state:
		return e.job.clone(), nil
	case e.job.State.Ended():
		return Job{}, ErrEnded
	case e.active:
		e.wish = state
		if state == Queued {
			e.wish = "" // it had not paused yet
		}
		return e.job.clone(), nil
	}
	changed := e.job.clone()
	changed.State, changed.Why = state, ""
	if state.Ended() {
		changed.Ended = time.Now().UTC()
	}
	if err := m.keep.save(&changed); err != nil {
		return Job{}, err
	}
	e.accept = e.accept || e.job.Why == WhyRulesChanged && state == Queued
	e.job = changed
	m.nudge()
	return changed.clone(), nil
}

// Remove deletes a job that ended, with its results. ErrNotFound; ErrEnded of one that has not.
func (m *Manager) Remove(project, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, err := m.find(project, id)
	if err != nil {
		return err
	}
	if !e.job.State.Ended() {
		return ErrEnded
	}
	delete(m.jobs, id)
	return m.keep.remove(&e.job)
}

// Results opens what the last checkpoint knows of: whole lines, and the same bytes at the same place whenever it is asked. ErrNotFound, or the file's error. The
// caller closes file.
func (m *Manager) Results(project, id string) (job Job, lines *io.SectionReader, file io.Closer, err error) {
	if job, err = m.Get(project, id); err != nil {
		return Job{}, nil, nil, err
	}
	read, err := m.keep.read(&job)
	if err != nil {
		return Job{}, nil, nil, err
	}
	return job, io.NewSectionReader(read, 0, job.Bytes), read, nil
}

func (m *Manager) nudge() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}
