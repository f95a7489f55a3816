package embedded

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"eligibility/internal/profile"
	"eligibility/internal/rules"

	"github.com/cockroachdb/pebble/v2"
)

// projects is what every load needs of the projects: it is kept in memory and replaced in the critical section of the commit that changes
// it, so that a view's projects and its rows are of the same stamp. Immutable.
type projects struct {
	byName map[string]project
	empty  *profile.Schema // of projects that do not exist
}

type project struct {
	version uint64
	schema  *profile.Schema
	live    rules.Roll[rules.LivePromotion]
}

func (p *projects) schema(name string) *profile.Schema {
	if found, ok := p.byName[name]; ok {
		return found.schema
	}
	return p.empty
}

// with returns projects in which name is changed.
func (p *projects) with(name string, changed project) *projects {
	next := &projects{byName: maps.Clone(p.byName), empty: p.empty}
	next.byName[name] = changed
	return next
}

// loadProjects reads all projects at the opening.
func (s *Store) loadProjects() error {
	all := &projects{byName: make(map[string]project), empty: profile.NewSchema()}
	err := scan(s.db, []byte{tableProject}, []byte{tableProject + 1}, func(key, value []byte) (bool, error) {
		name, part, err := cutText(key[1:])
		if err != nil || len(part) != 1 {
			return false, errKey
		}
		found := all.byName[string(name)]
		switch part[0] {
		case partVersion:
			if len(value) != 8 {
				return false, fmt.Errorf("version of project %q: %w", name, errRow)
			}
			found.version = binary.BigEndian.Uint64(value)
		case partSchema:
			found.schema = new(profile.Schema)
			if err := json.Unmarshal(value, found.schema); err != nil {
				return false, fmt.Errorf("schema of project %q: %w", name, err)
			}
			found.schema.Index()
		default:
			return true, nil
		}
		all.byName[string(name)] = found
		return true, nil
	})
	for name, found := range all.byName {
		if err == nil {
			found.live, err = readLive(s.db, name)
			all.byName[name] = found
		}
	}
	s.projects.Store(all)
	return err
}

// Projects lists all project names in order.
func (s *Store) Projects(ctx context.Context) ([]string, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	return slices.Sorted(maps.Keys(s.projects.Load().byName)), nil
}

// Version returns the project's ruleset version.
func (s *Store) Version(ctx context.Context, name string) (uint64, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	found, ok := s.projects.Load().byName[name]
	if !ok {
		return 0, fmt.Errorf("project %q: %w", name, rules.ErrNotFound)
	}
	return found.version, nil
}

// Spec reads everything that the project's ruleset is made from, at one stamp.
func (s *Store) Spec(ctx context.Context, name string) (*rules.Spec, error) {
	spec := &rules.Spec{Project: name}
	err := s.reading(ctx, "read spec", func(v view) error {
		found, ok := v.projects.byName[name]
		if !ok {
			return fmt.Errorf("project %q: %w", name, rules.ErrNotFound)
		}
		spec.Version, spec.Schema, spec.Promotions, spec.AsOf = found.version, found.schema, found.live, v.at
		for part, into := range map[byte]any{partSettings: &spec.Settings, partContext: &spec.Context, partPlacements: &spec.Placements} {
			if _, err := getJSON(v, projectKey(name, part), into); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return spec, nil
}

// getJSON decodes the row at key into v, if there is one.
func getJSON(r pebble.Reader, key []byte, v any) (ok bool, err error) {
	value, ok, err := get(r, key)
	if err != nil || !ok {
		return false, err
	}
	if err := json.Unmarshal(value, v); err != nil {
		return false, fmt.Errorf("stored document: %w", err)
	}
	return true, nil
}
