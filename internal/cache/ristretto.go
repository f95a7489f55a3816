package cache

import (
	"fmt"
	"sync/atomic"

	"github.com/dgraph-io/ristretto/v2"
)

// ristrettoHints keeps entries in ristretto.
//
// Its key is our own seeded 64-bit hash of project and user: building a string key would allocate on every hit. ristretto does not check
// integer keys for collisions, and need not, since the full key is compared in the entry; two users whose hashes collide only evict each
// other. Its own metrics are off, they slow every hit; the few numbers kept here are counted when an entry comes or goes.
type ristrettoHints struct {
	store     *ristretto.Cache[uint64, *entry]
	entries   atomic.Int64
	bytes     atomic.Int64
	evictions atomic.Uint64
}

// countersPerKiB follows ristretto's advice of ten access counters for each entry of a full cache; an entry takes a kilobyte at least.
const countersPerKiB = 10

func newRistretto(maxBytes int64) (*ristrettoHints, error) {
	h := &ristrettoHints{}
	store, err := ristretto.NewCache(&ristretto.Config[uint64, *entry]{
		NumCounters:        max(1024, maxBytes/1024*countersPerKiB),
		MaxCost:            maxBytes,
		BufferItems:        64,
		IgnoreInternalCost: true, // the cost is in bytes and counts it already
		KeyToHash:          func(hash uint64) (uint64, uint64) { return hash, 0 },
		OnEvict:            func(*ristretto.Item[*entry]) { h.evictions.Add(1) },
		OnExit:             h.left,
	})
	if err != nil {
		return nil, fmt.Errorf("new ristretto: %w", err)
	}
	h.store = store
	return h, nil
}

func (h *ristrettoHints) get(hash uint64) (*entry, bool) { return h.store.Get(hash) }

// put gives the entry a time to live as well, so that the data of a user who does not come back, or was erased, leaves memory.
func (h *ristrettoHints) put(hash uint64, e *entry) {
	h.entries.Add(1)
	h.bytes.Add(e.cost)
	if !h.store.SetWithTTL(hash, e, e.cost, e.maxAge) {
		h.uncount(e)
	}
}

// settle waits for ristretto's own goroutine, which takes what is new out of a buffer and decides on it.
func (h *ristrettoHints) settle() { h.store.Wait() }

// left is called for every entry that was replaced, evicted or refused after put had returned.
func (h *ristrettoHints) left(e *entry) {
	if e != nil {
		h.uncount(e)
	}
}

func (h *ristrettoHints) uncount(e *entry) {
	h.entries.Add(-1)
	h.bytes.Add(-e.cost)
}

func (h *ristrettoHints) size() (entries, bytes int64, evictions uint64) {
	return h.entries.Load(), h.bytes.Load(), h.evictions.Load()
}

func (h *ristrettoHints) close() { h.store.Close() }
