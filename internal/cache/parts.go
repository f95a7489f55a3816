package cache

import (
	"hash/maphash"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

// Parts are what a simulation puts in place of what it could not repeat: the chance in a cache. All must be set.
type Parts struct {
	// Hints keep the entries, in place of ristretto.
	Hints Hints
	// Seed is that of the slot hash.
	Seed maphash.Seed
	// Random draws from [0, n), in place of the global source.
	Random func(n int64) int64
}

// Hints keep entries by the hash of their key and promise nothing: an entry may vanish, never appear, be replaced by an older one, come
// back or be given out for another hash. Called by many goroutines at once.
type Hints interface {
	Get(hash uint64) (*Entry, bool)
	Put(hash uint64, e *Entry)
}

// Entry is a cached snapshot as Hints hold it.
type Entry = entry

// Snapshot is what the entry holds.
func (e *entry) Snapshot() *profile.Snapshot { return e.snap }

// Assemble makes a cache like New, of the given parts.
func Assemble(cfg Config, src profile.Source, clock *hlc.Estimate, parts Parts) (*Cache, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.random = parts.Random
	c := newCache(cfg, src, clock, foreign{parts.Hints})
	c.floors.seed = parts.Seed
	return c, nil
}

// Apart reports whether each of the users has a floor of his own under this seed, in a cache of so many slots.
func (p *Parts) Apart(slots int, users []profile.Key) bool {
	f := newFloors(slots)
	f.seed = p.Seed
	taken := make(map[uint64]bool)
	for _, key := range users {
		i := f.index(f.hash(events.TableProfile, key.Project, key.User))
		if taken[i] {
			return false
		}
		taken[i] = true
	}
	return true
}

// foreign are Hints from outside this package.
type foreign struct{ from Hints }

func (f foreign) get(hash uint64) (*entry, bool)                 { return f.from.Get(hash) }
func (f foreign) put(hash uint64, e *entry)                      { f.from.Put(hash, e) }
func (f foreign) settle()                                        {}
func (f foreign) size() (entries, bytes int64, evictions uint64) { return 0, 0, 0 }
func (f foreign) close()                                         {}
