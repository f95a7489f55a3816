package bulk

import (
	"context"
	"runtime"
)

// turn waits for a place among the chunks that are answered at one time. Between two chunks the requests of apps, which wait for nobody, come first.
func (s *Server) turn(ctx context.Context) (done func(), err error) {
	runtime.Gosched()
	select {
	case s.chunks <- struct{}{}:
		return func() { <-s.chunks }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
