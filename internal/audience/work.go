package audience

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"eligibility/internal/engine"
	"eligibility/internal/precheck"
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
	m      *Manager
	e      *entry
	job    Job
	began  time.Time // since when the time has not been added to job.Worked
	rules  *rules.Ruleset
	rule   *rules.Compiled
	slot   int // of the attribute that is counted by, -1 for none
	kind   profile.Kind
	out    sink
	buf    []byte
	failed bool // job is ahead of what could be written

	published *publication // nil when the results are not published
}

// run returns what becomes of the job, and why.
func (r *runner) run(ctx context.Context) (State, string) {
	if !r.job.Evaluated { // afterwards nothing depends on rules
		if state, why := r.pin(); why != "" {
			return state, why
		}
	}
	var err error
	if r.out, err = r.m.open(&r.job); err != nil {
		if errors.Is(err, errDamaged) {
			return Failed, WhyResultsDamaged
		}
		return Paused, unwritten(err)
	}
	defer func() { _ = r.out.Close() }() // what counts was synced
	if r.job.Users == 0 && r.m.deps.Sampler != nil {
		if _, total, err := r.m.deps.Sampler.Sample(ctx, r.job.Project, 0); err == nil {
			r.job.Expected = int64(total)
		}
	}
	r.job.State, r.job.Why = Running, ""
	var end func()
	if r.published, end, err = r.publishing(); err != nil {
		return Paused, unwritten(err)
	}
	defer end()
	if err := r.save(); err != nil {
		return Paused, unwritten(err)
	}
	return r.pages(ctx)
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

func (r *runner) pages(ctx context.Context) (State, string) {
	dst := make([]*profile.Snapshot, r.m.cfg.PageUsers)
	keys := make([]profile.Key, 0, r.m.cfg.PageUsers)
	saved, well := time.Now(), time.Now()
	for {
		wish := r.wish()
		more, err, why := false, ctx.Err(), WhyStore
		if wish == "" && err == nil && r.published != nil { // before the next page, so that a bus that takes nothing has the job wait
			if err = r.published.advance(ctx); err != nil {
				why = unpublished(err)
			}
		}
		if wish == "" && err == nil && !r.job.Evaluated {
			more, err = r.page(ctx, keys, dst)
		}
		now := time.Now()
		switch {
		case r.failed:
			return Paused, unwritten(err)
		case ctx.Err() != nil:
			wish = Running
		case errors.Is(err, errDamaged):
			return Failed, WhyResultsDamaged
		case err != nil && now.Sub(well) > r.m.cfg.Patience:
			wish = Paused
		case err != nil:
			r.m.deps.Logger.Debug("audience job tries again", "job", r.job.ID, "why", why, "error", err)
			r.stuck(why)
			retry(ctx)
			continue
		case wish == "" && !more && r.published != nil && !r.job.Published.Whole:
			r.job.Evaluated = true // what is left of the results is published once a checkpoint says so
		case wish == "" && !more:
			wish = Done
		case wish == "" && now.Sub(saved) < r.m.cfg.Checkpoint:
			well = now
			continue
		}
		if failure := r.save(); failure != nil {
			return Paused, unwritten(failure)
		}
		if saved, well = now, now; wish == Paused && err != nil {
			return Paused, why
		}
		if wish != "" {
			return wish, ""
		}
	}
}

// retryAfter is between two attempts to read a page.
const retryAfter = 200 * time.Millisecond

func retry(ctx context.Context) {
	timer := time.NewTimer(retryAfter)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// stuck shows why a job that runs does not get on. The next checkpoint takes it back.
func (r *runner) stuck(why string) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	r.e.job.Why = why
}

func (r *runner) wish() State {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return r.e.wish
}

// page answers the next users. Who was erased since the list of ids was read is left out.
func (r *runner) page(ctx context.Context, keys []profile.Key, dst []*profile.Snapshot) (more bool, err error) {
	if r.m.deps.Turn != nil {
		done, err := r.m.deps.Turn(ctx)
		if err != nil {
			return false, err
		}
		defer done()
	}
	ids, err := r.m.deps.Users.UserIDs(ctx, r.job.Project, r.job.After, r.m.cfg.PageUsers)
	if err != nil {
		return false, fmt.Errorf("list users: %w", err)
	}
	if len(ids) == 0 {
		return false, nil
	}
	for _, id := range ids {
		keys = append(keys, profile.Key{Project: r.job.Project, User: id})
	}
	if err := r.m.deps.Users.Load(ctx, keys, dst[:len(keys)]); err != nil {
		return false, fmt.Errorf("load users: %w", err)
	}
	r.buf = r.buf[:0]
	r.job.stamp(dst[0].AsOf)
	for _, user := range dst[:len(keys)] {
		if user.Found {
			r.answer(user)
		}
	}
	clear(dst)
	if n, err := r.out.Write(r.buf); err != nil || n < len(r.buf) {
		r.failed = true
		return false, err
	}
	r.job.Bytes, r.job.After = r.job.Bytes+int64(len(r.buf)), ids[len(ids)-1]
	return true, nil
}

func (r *runner) answer(user *profile.Snapshot) {
	request := engine.Request{Channel: r.job.Ask.Channel, Now: r.job.Ask.At.UnixNano()}
	outcome := engine.Check(r.rules, user, &request, r.rule)
	r.job.add(outcome.Eligible)
	line := precheck.Line{UserID: user.Key.User, Eligible: outcome.Eligible, Reason: outcome.Reason, Warning: outcome.Warning, RetryAt: rules.Forever}
	if !outcome.Eligible {
		r.job.Reasons[outcome.Reason]++
		line.RetryAt = outcome.ValidUntil
	}
	if r.slot >= 0 {
		text, present := valueText(user, r.slot, r.kind)
		r.job.value(text, present, outcome.Eligible)
	}
	if outcome.Eligible || r.job.Ask.AllLines {
		r.buf = precheck.AppendLine(r.buf, &line)
	}
}

// maxValueBytes bounds a value that is counted by.
const maxValueBytes = 128

func valueText(user *profile.Snapshot, slot int, kind profile.Kind) (text string, present bool) {
	if user.State(slot) != profile.Present {
		return "", false
	}
	switch kind {
	case profile.Bool:
		return strconv.FormatBool(user.Bool(slot)), true
	case profile.Int:
		return strconv.FormatInt(user.Int(slot), 10), true
	case profile.Double:
		return strconv.FormatFloat(user.Double(slot), 'g', -1, 64), true
	case profile.Timestamp:
		return time.Unix(0, user.Timestamp(slot)).UTC().Format(time.DateOnly), true
	}
	if text = user.String(slot); len(text) > maxValueBytes {
		text = strings.ToValidUTF8(text[:maxValueBytes], "")
	}
	return strings.Clone(text), true // the snapshot's memory must not live as long as the job
}

// save makes the results durable, then the checkpoint that speaks of them, and shows it.
func (r *runner) save() error {
	now := time.Now()
	r.job.Worked += now.Sub(r.began)
	r.began = now
	err := r.out.Sync()
	if err == nil {
		err = r.m.keep.save(&r.job)
	}
	if err != nil {
		r.failed = true
		return err
	}
	if r.published != nil {
		r.published.durable = r.job.Bytes
	}
	shown := r.job.clone()
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	r.e.job = shown
	return nil
}

func unwritten(err error) string {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return WhyDiskFull
	}
	return WhyNotWritten
}
