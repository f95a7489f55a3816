package cache

import "eligibility/internal/profile"

// young holds, by key, entries that were loaded and given to the hints, where they may not be found yet: ristretto takes what is new out of
// a buffer, in its own time. Without it a crowd that asks for one cold user would load him once more each time that someone comes between
// the end of a load and that moment.
//
// It is looked at under the loader's lock and by misses alone. It cannot grow beyond the batches of all workers, since each takes its own
// entries back before it loads again. Like the hints it only holds what was found; what is taken from it is checked by law L1.
type young map[profile.Key]*entry

// ended answers from a load that has come to an end since the reader looked, if one did. Who finds no call under the lock finds what the last
// call brought: it is young, or settled and with the hints, if they kept it. The caller holds mu.
func (l *loader) ended(hash uint64, key profile.Key, d *Demand) (Read, bool) {
	if e := l.young[key]; e != nil {
		if r, why := l.cache.take(e, hash, key, d); why == fits {
			return r, true
		}
	}
	r, why := l.cache.look(hash, key, d)
	return r, why == fits
}

// settle ends the youth of a batch once the hints have decided about it. Those who waited for it are gone already, and the next load may
// have begun; only this worker waits.
func (l *loader) settle(batch []*call) {
	given := false
	for _, c := range batch {
		given = given || c.kept
	}
	if !given {
		return
	}
	l.cache.hints.settle()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range batch {
		if l.young[c.key] == c.entry {
			delete(l.young, c.key)
		}
	}
}
