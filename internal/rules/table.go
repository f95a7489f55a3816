package rules

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
)

// table is a small map that is read in decisions and grows a few times in its life. A read is one atomic load and takes no lock (law L9); growing
// copies the map. Safe for concurrent use.
type table[V any] struct {
	most    int
	mu      sync.Mutex // serialises growing
	entries atomic.Pointer[map[string]V]
}

func (t *table[V]) get(key string) (V, bool) {
	if m := t.entries.Load(); m != nil {
		v, ok := (*m)[key]
		return v, ok
	}
	var none V
	return none, false
}

// put keeps the value unless the table is full. The key is copied: it may be part of a whole snapshot's text.
func (t *table[V]) put(key string, v V) {
	t.mu.Lock()
	defer t.mu.Unlock()
	grown := make(map[string]V)
	if m := t.entries.Load(); m != nil {
		if len(*m) >= t.most {
			return
		}
		maps.Copy(grown, *m)
	}
	grown[strings.Clone(key)] = v
	t.entries.Store(&grown)
}

func (t *table[V]) len() int {
	if m := t.entries.Load(); m != nil {
		return len(*m)
	}
	return 0
}
