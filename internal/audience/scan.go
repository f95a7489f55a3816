package audience

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"eligibility/internal/engine"
	"eligibility/internal/hlc"
	"eligibility/internal/precheck"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// report is what a worker says after each page.
type report struct {
	err     error
	written bool // err is of the results
}

// scan works on the ranges until all are whole and published, or the job is to rest.
func (r *runner) scan(ctx context.Context) (State, string) {
	var fault error
	why := r.publish(ctx)
	if why == "" {
		why, fault = r.collect(ctx)
	}
	if r.failed {
		return Paused, unwritten(fault)
	}
	if err := r.save(); err != nil {
		return Paused, unwritten(err)
	}
	if r.published != nil && why == "" && r.job.evaluated() && ctx.Err() == nil { // what is left of the results, now that a checkpoint says that they are complete
		why = r.publish(ctx)
		if err := r.save(); err != nil {
			return Paused, unwritten(err)
		}
	}
	switch wish := r.wish(); {
	case ctx.Err() != nil:
		return Running, ""
	case why == WhyResultsDamaged:
		return Failed, why
	case why != "":
		return Paused, why
	case r.job.evaluated() && (r.published == nil || r.job.Published.Whole) && wish != Cancelled:
		return Done, ""
	default:
		return cmp.Or(wish, Queued), "" // resumed before it had paused
	}
}

// collect has workers evaluate users until all are, or says why they came to an end before. Each waits until its page was taken note of, and thereby for checkpoints and
// for the bus. The error is of the results.
func (r *runner) collect(ctx context.Context) (why string, fault error) {
	working, cancel := context.WithCancel(ctx)
	defer cancel()
	saved, well := time.Now(), time.Now()
	for rep := range r.workers(working) {
		now := time.Now()
		switch {
		case working.Err() != nil: // the others come to an end
			continue
		case rep.written:
			fault = rep.err
			cancel()
			continue
		case rep.err != nil && now.Sub(well) > r.m.cfg.Patience:
			why = WhyStore
			cancel()
			continue
		case rep.err != nil:
			r.again(WhyStore, rep.err)
			continue
		}
		if well = now; now.Sub(saved) < r.m.cfg.Checkpoint {
			continue
		}
		if fault = r.save(); fault == nil {
			why = r.publish(ctx)
		}
		if fault != nil || why != "" {
			cancel()
		}
		saved, well = now, time.Now()
	}
	return why, fault
}

// workers begins the work on what is left of the ranges, by ascending id. The reports come to an end with it, and must be read until then.
func (r *runner) workers(ctx context.Context) <-chan report {
	queue := make(chan int, len(r.job.Ranges))
	for i := range r.job.Ranges {
		if !r.job.Ranges[i].Done {
			queue <- i
		}
	}
	close(queue)
	reports := make(chan report)
	var workers sync.WaitGroup
	for range min(r.m.cfg.Workers, len(queue)) {
		workers.Go(func() { r.work(ctx, queue, reports) })
	}
	go func() { // ends with the workers
		workers.Wait()
		close(reports)
	}()
	return reports
}

// again shows why a job that runs does not get on. The next checkpoint takes it back.
func (r *runner) again(why string, err error) {
	r.m.deps.Logger.Debug("audience job tries again", "job", r.job.ID, "why", why, "error", err)
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	r.e.job.Why = why
}

// work takes one range after the other.
func (r *runner) work(ctx context.Context, queue <-chan int, reports chan<- report) {
	p := page{runner: r}
	for part := range queue {
		for more := true; more; {
			if ctx.Err() != nil || r.wish() != "" {
				return
			}
			var rep report
			more, rep.written, rep.err = p.next(ctx, part)
			if ctx.Err() != nil && !rep.written {
				return
			}
			reports <- rep
			switch {
			case rep.written:
				return
			case rep.err != nil:
				more = true
				retry(ctx)
			}
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

func (r *runner) wish() State {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return r.e.wish
}

// page is what one worker reads and writes at one time.
type page struct {
	*runner
	slice   precheck.Slice
	checker engine.Checker
	keys    []profile.Key
	dst     []*profile.Snapshot
	only    *profile.Projection // what the question needs to know of a user; nil until somebody is read
	buf     []byte
	found   []answer
	stamps  []hlc.Timestamp // of the slices
}

// answer is what a page says of one user, until it counts.
type answer struct {
	reason   rules.Reason
	eligible bool
	text     string // of the attribute that is counted by
	present  bool
}

// next answers the next users of a range. It counts them once their lines are written: a page that fails half way is read again as a whole. written says that the
// error is of the results. Who was erased since the list of ids was read is left out.
func (p *page) next(ctx context.Context, part int) (more, written bool, err error) {
	at := p.part(part)
	ids, last, err := p.list(ctx, &at)
	if err != nil {
		return false, false, fmt.Errorf("list users: %w", err)
	}
	p.buf, p.found, p.stamps = p.buf[:0], p.found[:0], p.stamps[:0]
	for rest := ids; len(rest) > 0; {
		n, err := p.some(ctx, rest)
		if err != nil {
			return false, false, fmt.Errorf("load users: %w", err)
		}
		rest = rest[n:]
	}
	if n, err := p.outs[part].Write(p.buf); err != nil || n < len(p.buf) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.failed = true
		return false, true, errors.Join(err, errShort)
	}
	at.Bytes += int64(len(p.buf))
	if at.Done = last; len(ids) > 0 {
		at.After = ids[len(ids)-1]
	}
	p.count(part, at)
	return !last, false, nil
}

var errShort = errors.New("the results are not written whole")

func (r *runner) part(i int) Range {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.job.Ranges[i]
}

// list reads the ids of the next page, and whether they are the range's last.
func (p *page) list(ctx context.Context, at *Range) (ids []string, last bool, err error) {
	_, waited := p.turn(ctx, func(time.Duration) {
		ids, err = p.m.deps.Users.UserIDs(ctx, p.job.Project, at.After, p.m.cfg.PageUsers)
	})
	if err = cmp.Or(waited, err); err != nil {
		return nil, false, err
	}
	last = len(ids) < p.m.cfg.PageUsers
	for at.To != "" && len(ids) > 0 && ids[len(ids)-1] > at.To {
		ids, last = ids[:len(ids)-1], true
	}
	return ids, last, nil
}

func (p *page) turn(ctx context.Context, work func(time.Duration)) (time.Duration, error) {
	if p.m.deps.Turn == nil {
		work(time.Hour)
		return 0, nil
	}
	return p.m.deps.Turn(ctx, work)
}

// some answers as many of the users as fit a slice.
func (p *page) some(ctx context.Context, ids []string) (n int, err error) {
	spent, waited := p.turn(ctx, func(span time.Duration) {
		n = min(len(ids), p.slice.Users(span))
		err = p.read(ctx, ids[:n])
	})
	p.slice.Took(n, spent)
	return n, cmp.Or(waited, err)
}

func (p *page) read(ctx context.Context, ids []string) error {
	p.keys = p.keys[:0]
	for _, id := range ids {
		p.keys = append(p.keys, profile.Key{Project: p.job.Project, User: id})
	}
	p.dst = append(p.dst[:0], make([]*profile.Snapshot, len(ids))...)
	if p.only == nil {
		p.only = engine.Reads(p.rules, p.rule, p.job.Ask.Channel)
		if p.slot >= 0 {
			p.only.Attribute(p.slot)
		}
	}
	if err := p.m.deps.Users.LoadPart(ctx, p.only, p.keys, p.dst); err != nil {
		return err
	}
	p.stamps = append(p.stamps, p.dst[0].AsOf)
	for _, user := range p.dst {
		if user.Found {
			p.answer(user)
		}
	}
	clear(p.dst)
	return nil
}

// count adds a page that is written.
func (p *page) count(part int, at Range) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, at := range p.stamps {
		p.job.stamp(at)
	}
	for i := range p.found {
		one := &p.found[i]
		if p.job.add(one.eligible); !one.eligible {
			p.job.Reasons[one.reason]++
		}
		if p.slot >= 0 {
			p.job.value(one.text, one.present, one.eligible)
		}
	}
	p.job.Ranges[part] = at
}
