package rules

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// compiledOrNot is what became of one promotion.
type compiledOrNot struct {
	compiled   *Compiled
	quarantine *Quarantine
}

// all compiles promotions, by their index. At a start nobody waits for a decision yet, and all processors compile; later one does, with turns.
func (c *Compiler) all(env *env, live []LivePromotion, prev *Ruleset, same bool) []compiledOrNot {
	out := make([]compiledOrNot, len(live))
	if prev != nil {
		for i := range out {
			if i%compileTurn == compileTurn-1 {
				runtime.Gosched()
			}
			out[i] = c.promotion(env, &live[i], prev, same)
		}
		return out
	}
	var next atomic.Int64
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(out)); i = next.Add(1) - 1 {
				out[i] = c.promotion(env, &live[i], nil, same)
			}
		})
	}
	group.Wait()
	return out
}
