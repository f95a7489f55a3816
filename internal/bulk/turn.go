package bulk

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// Turn waits for a place among the chunks that are answered at one time, and gives it to the caller until done is called. Between two chunks the requests of apps,
// which wait for nobody, come first: while there are any, the plane rests after each chunk so long that it takes no more than its share.
func (s *Server) Turn(ctx context.Context) (done func(), err error) {
	runtime.Gosched()
	select {
	case s.chunks <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := s.pace.rest(ctx); err != nil {
		<-s.chunks
		return nil, err
	}
	began := time.Now()
	return func() {
		s.pace.worked(began, time.Now(), s.deps.requests())
		<-s.chunks
	}, nil
}

// quiet is how long no app has asked anything until the plane takes all it can.
const quiet = 100 * time.Millisecond

// maxRest bounds one rest, so that a chunk that waited for its store does not stop the plane.
const maxRest = 50 * time.Millisecond

// pace says when the next chunk may begin.
type pace struct {
	share float64 // of the time, while apps ask

	mu       sync.Mutex
	requests uint64    // seen last; guarded by mu
	asked    time.Time // when it last moved; guarded by mu
	next     time.Time // guarded by mu
}

// worked notes a chunk and how many requests apps have made by now.
func (p *pace) worked(began, ended time.Time, requests uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if requests != p.requests {
		p.requests, p.asked = requests, ended
	}
	if ended.Sub(p.asked) < quiet {
		p.next = ended.Add(min(maxRest, time.Duration(float64(ended.Sub(began))*(1/p.share-1))))
	}
}

func (p *pace) rest(ctx context.Context) error {
	p.mu.Lock()
	wait := time.Until(p.next)
	p.mu.Unlock()
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
