package audience

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"

	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// work takes one job after the other.
func (m *Manager) work(ctx context.Context) {
	for ctx.Err() == nil {
		e, wait := m.next(time.Now())
		if e != nil {
			m.attend(ctx, e)
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-m.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// next takes the job that is to begin first, or says how long nothing is.
func (m *Manager) next(now time.Time) (*entry, time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var first *entry
	for _, e := range m.jobs {
		if e.job.State == Queued && (first == nil || e.job.Begins.Before(first.job.Begins)) {
			first = e
		}
	}
	switch {
	case first == nil:
		return nil, time.Hour
	case first.job.Begins.After(now):
		return nil, first.job.Begins.Sub(now)
	}
	first.active, first.wish = true, ""
	return first, 0
}

// attend works on a job until it ends, pauses, or ctx does.
func (m *Manager) attend(ctx context.Context, e *entry) {
	r := &runner{m: m, e: e, job: e.job.clone(), began: time.Now()} // only the worker changes an active job
	state, why := r.run(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	e.active = false
	if r.failed { // the results hold what the checkpoint does not: it is the checkpoint that counts
		r.job = e.job.clone()
	}
	r.job.State, r.job.Why = state, why
	if state.Ended() {
		r.job.Ended = time.Now().UTC()
		e.rules = nil
	}
	m.deps.Logger.Info("audience job rests", "project", r.job.Project, "job", r.job.ID, "state", string(state), "why", why, "users", r.job.Users)
	if ctx.Err() != nil && state == Running { // the next process goes on from the last checkpoint
		e.job.State, e.job.Why = Queued, ""
		return
	}
	if err := m.keep.save(&r.job); err != nil { // shown, though not written down: after a restart it goes on from its last checkpoint
		m.deps.Logger.Warn("state of an audience job is not written down", "project", r.job.Project, "job", r.job.ID, "error", err)
	}
	e.job = r.job
}

// runner is a job at work.
type runner struct {
	m     *Manager
	e     *entry
	began time.Time // since when the time has not been added to job.Worked
	rules *rules.Ruleset
	rule  *rules.Compiled
	slot  int // of the attribute that is counted by, -1 for none
	kind  profile.Kind
	outs  []sink // of the ranges; nil where one is whole

	mu     sync.Mutex
	job    Job  // guarded by mu while workers are there
	failed bool // job is ahead of what could be written; guarded likewise

	published *publication // of the goroutine that collects reports; nil when the results are not published
}

// run returns what becomes of the job, and why.
func (r *runner) run(ctx context.Context) (State, string) {
	if !r.job.evaluated() { // afterwards nothing depends on rules
		if state, why := r.pin(); why != "" {
			return state, why
		}
	}
	r.begin(ctx)
	if ctx.Err() != nil { // where to cut may not have been found out for that alone
		return Running, ""
	}
	defer func() {
		for _, out := range r.outs {
			if out != nil {
				_ = out.Close() // what counts was synced
			}
		}
	}()
	r.outs = make([]sink, len(r.job.Ranges))
	for i := range r.job.Ranges {
		if r.job.Ranges[i].Done {
			continue
		}
		var err error
		if r.outs[i], err = r.m.open(&r.job, i); err != nil {
			r.outs[i] = nil
			if errors.Is(err, errDamaged) {
				return Failed, WhyResultsDamaged
			}
			return Paused, unwritten(err)
		}
	}
	r.job.State, r.job.Why = Running, ""
	if r.job.Ask.Publish {
		r.published = &publication{to: r.m.deps.Publisher, keep: r.m.keep, job: &r.job, buf: make([]byte, messageBytes)}
		defer r.published.close()
	}
	if err := r.save(); err != nil {
		return Paused, unwritten(err)
	}
	return r.scan(ctx)
}

// pin chooses the rules for all of the job.
func (r *runner) pin() (State, string) {
	if r.e.rules == nil {
		r.e.rules = r.m.deps.Rulesets.Load(r.job.Project)
	}
	r.rules = r.e.rules
	if r.rules == nil {
		return Paused, WhyRulesUnavailable
	}
	rule, found := r.rules.Promotion(r.job.Ask.Promotion)
	if !found {
		r.e.rules = nil
		return Failed, WhyPromotionAbsent
	}
	switch n := len(r.job.RulesVersions); {
	case n > 0 && r.job.RulesVersions[n-1] == r.rules.Version:
	case n == 0 || r.e.accept:
		r.job.RulesVersions = append(r.job.RulesVersions, r.rules.Version)
	default:
		r.e.rules = nil
		return Paused, WhyRulesChanged
	}
	r.rule, r.slot, r.e.accept = rule, -1, false
	if attribute, found := r.rules.Schema.Attribute(r.job.Ask.CountBy); found && attribute.Type.Shape == profile.Scalar {
		r.slot, r.kind = attribute.Slot, attribute.Type.Kind
		if r.job.Values == nil {
			r.job.Values = make(map[string]Count)
		}
	}
	return Running, ""
}

// save makes the results durable, then the checkpoint that speaks of them, and shows it. Workers may go on meanwhile: what they write is beyond the checkpoint.
func (r *runner) save() error {
	r.mu.Lock()
	now := time.Now()
	r.job.Worked += now.Sub(r.began)
	r.began = now
	r.job.Bytes = r.job.visible()
	next := r.job.clone()
	r.mu.Unlock()
	var err error
	for i, out := range r.outs {
		if out == nil {
			continue
		}
		if err = out.Sync(); err != nil {
			break
		}
		if next.Ranges[i].Done { // nothing more is written to it
			r.outs[i], err = nil, out.Close()
		}
	}
	if err == nil {
		err = r.m.keep.save(&next)
	}
	if err != nil {
		r.mu.Lock()
		r.failed = true
		r.mu.Unlock()
		return err
	}
	if r.published != nil {
		r.published.durable(next)
	}
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	r.e.job = next
	return nil
}

func unwritten(err error) string {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return WhyDiskFull
	}
	return WhyNotWritten
}
