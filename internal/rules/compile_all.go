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
	each(workersBeside(prev), len(out), func(i int) { out[i] = c.promotion(env, &live[i], prev, same) })
	return out
}

// workersBeside is on how many goroutines a ruleset is made while decisions are made by prev.
func workersBeside(prev *Ruleset) int {
	if prev == nil {
		return runtime.GOMAXPROCS(0)
	}
	return 1
}

// each calls do with every number below n, on so many goroutines; a single one lets others run now and then.
func each(workers, n int, do func(i int)) {
	if workers == 1 {
		for i := range n {
			do(i)
			if i%compileTurn == compileTurn-1 {
				runtime.Gosched()
			}
		}
		return
	}
	var next atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				do(int(i))
			}
		})
	}
	group.Wait()
}
