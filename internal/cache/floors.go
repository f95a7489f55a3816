package cache

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
)

// floors holds, for every slot of a hash of keys, the least AsOf that a copy of such a key must have, in wall nanoseconds. Floors only
// grow. Nothing here ever waits: a raise is one atomic maximum.
type floors struct {
	seed   maphash.Seed
	shift  int
	global atomic.Int64
	slots  []atomic.Int64
	// raisers remembers of each slot a tag of the key that raised it last. It only serves to estimate how many refusals are owed to
	// sharing, so it may disagree with the slot for a moment.
	raisers []atomic.Uint32
}

// newFloors makes n floors; n is a power of two. The seed differs in every process: callers choose user ids, and could otherwise aim at
// the slot of another.
func newFloors(n int) *floors {
	return &floors{
		seed:    maphash.MakeSeed(),
		shift:   64 - bits.TrailingZeros(uint(n)),
		slots:   make([]atomic.Int64, n),
		raisers: make([]atomic.Uint32, n),
	}
}

// hash is the process's own hash of a row. The length that separates project and key keeps ("a", "bc") apart from ("ab", "c").
func (f *floors) hash(table events.Table, project, key string) uint64 {
	var h maphash.Hash
	h.SetSeed(f.seed)
	_ = h.WriteByte(byte(table)) // never fails, by its documentation
	_ = h.WriteByte(byte(len(project)))
	_, _ = h.WriteString(project)
	_, _ = h.WriteString(key)
	return h.Sum64()
}

// index uses the high bits: ristretto shards by the low ones.
func (f *floors) index(hash uint64) uint64 { return hash >> f.shift }

// tag is a part of the hash that index does not use.
func tag(hash uint64) uint32 { return uint32(hash) }

// at is the floor of the slot.
func (f *floors) at(hash uint64) int64 { return f.slots[f.index(hash)].Load() }

// highest is the floor that holds for the key, the global one included.
func (f *floors) highest(hash uint64) int64 { return max(f.global.Load(), f.at(hash)) }

// raise demands that copies of the key be read at or after the stamp.
func (f *floors) raise(hash uint64, at hlc.Timestamp) {
	i := f.index(hash)
	if raise(&f.slots[i], at.CeilWall()) {
		f.raisers[i].Store(tag(hash))
	}
}

// raiseAll demands that every copy be read at or after the stamp.
func (f *floors) raiseAll(at hlc.Timestamp) { raise(&f.global, at.CeilWall()) }

// raisedByAnother reports whether the slot was last raised by another key than the one of this hash.
func (f *floors) raisedByAnother(hash uint64) bool {
	return f.raisers[f.index(hash)].Load() != tag(hash)
}

// raise makes p at least to and reports whether that changed it. A lost race means that another raise went through, so it ends.
func raise(p *atomic.Int64, to int64) bool {
	for {
		old := p.Load()
		if to <= old {
			return false
		}
		if p.CompareAndSwap(old, to) {
			return true
		}
	}
}
