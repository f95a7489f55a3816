package events

import (
	"context"
	"errors"
	"sync"
)

// errStopped is returned by a Start that comes after Stop.
var errStopped = errors.New("stopped already")

// runner gives a type its Start and Stop: one goroutine, started once, stopped once and waited for. The zero value is ready.
type runner struct {
	mu      sync.Mutex
	cancel  context.CancelFunc
	done    chan struct{}
	stopped bool
}

// start runs run in a goroutine until ctx ends or stop is called. started is false when it runs already.
func (r *runner) start(ctx context.Context, run func(context.Context)) (started bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return false, errStopped
	}
	if r.done != nil {
		return false, nil
	}
	ctx, r.cancel = context.WithCancel(ctx)
	r.done = make(chan struct{})
	go func() {
		defer close(r.done)
		defer r.cancel()
		run(ctx)
	}()
	return true, nil
}

// stop ends the goroutine and waits for it. Further calls, and calls without a start, only wait.
func (r *runner) stop() {
	r.mu.Lock()
	r.stopped = true
	cancel, done := r.cancel, r.done
	r.mu.Unlock()
	if done != nil {
		cancel()
		<-done
	}
}
