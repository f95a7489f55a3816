package embedded

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"eligibility/internal/profile"

	"github.com/cockroachdb/pebble/v2"
)

// maxObserved bounds the names noted for one project: what callers send is theirs to choose.
const maxObserved = 2000

// observations is every undeclared name that was noted, by project. What is in here is in the store, or on its way there.
type observations struct {
	mu       sync.RWMutex
	projects map[string]map[observed]string // → inferred type
}

type observed struct{ what, name string }

// loadObservations reads what was noted before the opening.
func (s *Store) loadObservations() error {
	s.observed.projects = make(map[string]map[observed]string)
	return scan(s.db, []byte{tableObserved}, []byte{tableObserved + 1}, func(key, value []byte) (bool, error) {
		project, rest, err := cutText(key[1:])
		if err != nil {
			return false, err
		}
		what, rest, err := cutText(rest)
		if err != nil {
			return false, err
		}
		name, _, err := cutText(rest)
		if err != nil {
			return false, err
		}
		s.observed.note(string(project), observed{string(what), string(name)}, string(value))
		return true, nil
	})
}

// news returns what of seen changes what is known.
func (o *observations) news(project string, seen []profile.Observed) (fresh []profile.Observed) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	known := o.projects[project]
	for _, item := range seen {
		old, ok := known[observed{item.What, item.Name}]
		if !ok && len(known) >= maxObserved {
			continue
		}
		if item.Type = unite(old, item.Type); ok && item.Type == old || len(item.Name) > 2*profile.MaxNameBytes+1 {
			continue
		}
		fresh = append(fresh, item)
	}
	return fresh
}

// note adds one observation and returns its type with all that came before; ok is false when the project has no room. mu is held.
func (o *observations) note(project string, key observed, kind string) (united string, ok bool) {
	known := o.projects[project]
	if known == nil {
		known = make(map[observed]string)
		o.projects[project] = known
	}
	old, ok := known[key]
	if !ok && len(known) >= maxObserved {
		return "", false
	}
	known[key] = unite(old, kind)
	return known[key], true
}

// unite is the type that fits two values: a null says nothing, an int is a double as well, anything else is mixed.
func unite(old, seen string) string {
	switch {
	case old == "" || old == seen:
		return seen
	case seen == "":
		return old
	case old == "int" && seen == "double" || old == "double" && seen == "int":
		return "double"
	}
	return "mixed"
}

// Observe notes undeclared names with their types, at most 2,000 for a project; later ones are passed over. The note is not synced to disk
// on its own: it is lost in a crash and made again by the next value that arrives. What was noted before costs a look-up in memory.
func (s *Store) Observe(ctx context.Context, project string, seen []profile.Observed) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	fresh := s.observed.news(project, seen)
	if len(fresh) == 0 {
		return nil
	}
	if err := s.writable(); err != nil {
		return err
	}
	s.observed.mu.Lock()
	defer s.observed.mu.Unlock()
	b := s.db.NewBatch()
	for _, item := range fresh {
		kind, ok := s.observed.note(project, observed{item.What, item.Name}, item.Type)
		if !ok {
			continue
		}
		if err := b.Set(observedKey(project, item.What, item.Name), []byte(kind), nil); err != nil {
			return fmt.Errorf("observe: %w", err)
		}
	}
	if err := s.write(b, pebble.NoSync); err != nil {
		return fmt.Errorf("observe: %w", notDurable(err))
	}
	return b.Close()
}

// Observations lists what Observe noted, attributes before event types before properties, each by name.
func (s *Store) Observations(ctx context.Context, project string) ([]profile.Observed, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	s.observed.mu.RLock()
	defer s.observed.mu.RUnlock()
	list := make([]profile.Observed, 0, len(s.observed.projects[project]))
	for key, kind := range s.observed.projects[project] {
		list = append(list, profile.Observed{What: key.what, Name: key.name, Type: kind})
	}
	slices.SortFunc(list, func(a, b profile.Observed) int {
		return strings.Compare(a.What+"\x00"+a.Name, b.What+"\x00"+b.Name)
	})
	return list, nil
}
