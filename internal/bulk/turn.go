package bulk

import (
	"context"
	"time"
)

// Turn has work done by a lane: a goroutine on a thread of low priority, of which there are as many as the plane may work on at one time. Between two pieces of work the
// requests of apps, which wait for nobody, come first: while there are any, a lane rests after each piece so long that it takes no more than its share. It returns
// when the work is done, or cannot be done any more: with the error of ctx, or errStopped.
func (s *Server) Turn(ctx context.Context, work func(span time.Duration)) (spent time.Duration, err error) {
	t := piece{ctx: ctx, work: work, done: make(chan done, 1)}
	select {
	case s.lanes <- t:
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-s.base.Done():
		return 0, errStopped
	}
	d := <-t.done
	if d.cause != nil {
		panic(d.cause) // here, where a server keeps it from ending the process, and not on the lane, where nobody would
	}
	return d.spent, d.err
}

// piece is what a lane is asked to do, and done its answer.
type piece struct {
	ctx  context.Context
	work func(span time.Duration)
	done chan done
}

type done struct {
	spent time.Duration
	err   error
	cause any // of a panic of the work
}

// lane works until the plane stops.
func (s *Server) lane() {
	defer lowered()()
	p := pace{share: s.cfg.Share}
	for {
		select {
		case <-s.base.Done():
			return
		case t := <-s.lanes:
			t.done <- s.do(&p, t)
		}
	}
}

func (s *Server) do(p *pace, t piece) (d done) {
	defer func() { d.cause = recover() }()
	if d.err = p.rest(t.ctx); d.err != nil {
		return d
	}
	span := quietSlice
	if p.asked(time.Now(), s.deps.requests()) {
		span = s.cfg.Slice
	}
	before := spentHere()
	t.work(span)
	d.spent = spentHere() - before
	p.worked(time.Now(), d.spent, s.deps.requests())
	return d
}

// quiet is how long no app has asked anything until the plane takes all it can, and quietSlice is how long it then works until it looks again.
const (
	quiet      = 100 * time.Millisecond
	quietSlice = 2 * time.Millisecond
)

// maxRest bounds one rest.
const maxRest = 50 * time.Millisecond

// pace says when a lane may go on.
type pace struct {
	share    float64 // of the time, while apps ask
	requests uint64  // seen last
	moved    time.Time
	next     time.Time
}

// asked notes how many requests apps have made by now, and reports whether any of them was of late.
func (p *pace) asked(now time.Time, requests uint64) bool {
	if requests != p.requests {
		p.requests, p.moved = requests, now
	}
	return now.Sub(p.moved) < quiet
}

// worked notes what was spent.
func (p *pace) worked(now time.Time, spent time.Duration, requests uint64) {
	if p.asked(now, requests) {
		p.next = now.Add(min(maxRest, time.Duration(float64(spent)*(1/p.share-1))))
	}
}

func (p *pace) rest(ctx context.Context) error {
	wait := time.Until(p.next)
	if wait <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
