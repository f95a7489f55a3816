package sim

import (
	"sync"

	"eligibility/internal/cache"
	"eligibility/internal/profile"
)

var _ cache.Hints = (*shelf)(nil)

// manner is how a shelf treats what it is given.
type manner int

const (
	faithful manner = iota
	lossy           // drops some of what it is given, and some of what it has
	hostile         // and brings back what was replaced, and confuses users
	manners
)

// shelf keeps entries in place of ristretto. What it does with one follows from the seed, the step, the user and how many times he was
// asked for in this step.
type shelf struct {
	h       *history
	replica *replica
	seed    uint64
	manner  manner

	mu    sync.Mutex
	past  map[uint64][]*cache.Entry
	all   []*cache.Entry
	step  uint64
	asked map[profile.Key]uint64 // in this step
}

func newShelf(h *history, r *replica, seed uint64) *shelf {
	return &shelf{
		h: h, replica: r, seed: seed, manner: h.plan.manner,
		past: make(map[uint64][]*cache.Entry), asked: make(map[profile.Key]uint64),
	}
}

// chance draws for one call about the user. The caller holds mu.
func (s *shelf) chance(key profile.Key) uint64 {
	if now := s.h.step.Load(); now != s.step {
		s.step = now
		clear(s.asked)
	}
	s.asked[key]++
	draw := mix(mix(s.seed, s.step), s.asked[key])
	for i := range len(key.User) {
		draw = mix(draw, uint64(key.User[i]))
	}
	return draw
}

// Put keeps the entry, or not. What a cache is given must be valid: it was checked before.
func (s *shelf) Put(hash uint64, e *cache.Entry) {
	s.h.stored(s.replica, e.Snapshot())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.manner != faithful && s.chance(e.Snapshot().Key)%5 == 0 {
		return
	}
	s.past[hash] = append(s.past[hash], e)
	s.all = append(s.all, e)
}

// Get gives an entry out, or not.
func (s *shelf) Get(hash uint64) (*cache.Entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	past := s.past[hash]
	if len(past) == 0 {
		return nil, false
	}
	newest := past[len(past)-1]
	if s.manner == faithful {
		return newest, true
	}
	draw := s.chance(newest.Snapshot().Key)
	choice := draw >> 8
	switch n := draw % 10; {
	case n == 0:
		return nil, false
	case n == 1 && s.manner == hostile:
		return s.all[choice%uint64(len(s.all))], true
	case n < 5 && s.manner == hostile:
		return past[choice%uint64(len(past))], true
	}
	return newest, true
}

// evict drops everything about the users, as a full cache may.
func (s *shelf) evict() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.past)
}
