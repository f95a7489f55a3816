package cache

import (
	"math/rand/v2"
	"sync"
)

// hostile hints do what a cache must never be trusted not to do: they drop entries, keep the older of two, bring back what was replaced
// long ago and hand out the entry of another user. Everything follows from the seed.
type hostile struct {
	mu   sync.Mutex
	rng  *rand.Rand
	past map[uint64][]*entry
	all  []*entry
}

func newHostile(seed uint64) *hostile {
	return &hostile{rng: rand.New(rand.NewPCG(seed, 0)), past: make(map[uint64][]*entry)}
}

func (h *hostile) put(hash uint64, e *entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, e)
	if h.rng.IntN(5) > 0 {
		h.past[hash] = append(h.past[hash], e)
	}
}

func (h *hostile) get(hash uint64) (*entry, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	past := h.past[hash]
	switch n := h.rng.IntN(10); {
	case n == 0 && len(h.all) > 0:
		return h.all[h.rng.IntN(len(h.all))], true
	case n == 1 || len(past) == 0:
		return nil, false
	case n < 5:
		return past[h.rng.IntN(len(past))], true
	default:
		return past[len(past)-1], true
	}
}

func (h *hostile) size() (entries, bytes int64, evictions uint64) { return int64(len(h.all)), 0, 0 }

func (h *hostile) settle() {}

func (h *hostile) close() {}
