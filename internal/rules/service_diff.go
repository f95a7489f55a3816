package rules

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Difference is one place at which two revisions differ.
type Difference struct {
	Path string          `json:"path"`          // "rule", "placements[0].priority"
	Old  json.RawMessage `json:"old,omitempty"` // absent when the place is new
	New  json.RawMessage `json:"new,omitempty"` // absent when the place is gone
}

// Diff compares two revisions of a promotion, by path in the order of the names. 0 for from is the revision in force (else the first), 0
// for to is Newest. It returns the numbers compared. Errors: ErrNotFound, ErrRevision.
func (s *Service) Diff(ctx context.Context, project, id string, from, to int) (int, int, []Difference, error) {
	head, newer, err := s.Get(ctx, project, id, to)
	if err != nil {
		return 0, 0, nil, err
	}
	if from == 0 {
		from = max(head.Published, 1)
	}
	older, err := s.repo.Revision(ctx, project, id, from)
	if errors.Is(err, ErrNotFound) {
		return 0, 0, nil, fmt.Errorf("%w: the last one is %d", ErrRevision, head.Last)
	}
	if err != nil {
		return 0, 0, nil, err
	}
	found, err := Differences(&older.Promotion, &newer.Promotion)
	return older.Number, newer.Number, found, err
}

// Differences compares two documents as JSON, by path in the order of the names. It is empty, not nil, when they say the same.
func Differences(older, newer *Promotion) ([]Difference, error) {
	a, err := tree(older)
	if err != nil {
		return nil, err
	}
	b, err := tree(newer)
	if err != nil {
		return nil, err
	}
	return compare([]Difference{}, "", a, b), nil
}

// tree is v as maps, slices and scalars; numbers keep their digits.
func tree(v any) (any, error) {
	encoded, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode revision: %w", err)
	}
	var out any
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	if err := decoder.Decode(&out); err != nil {
		return nil, fmt.Errorf("decode revision: %w", err)
	}
	return out, nil
}

// absent stands for a place that one side does not have.
type absent struct{}

func compare(out []Difference, path string, older, newer any) []Difference {
	switch a := older.(type) {
	case map[string]any:
		if b, ok := newer.(map[string]any); ok {
			return compareObjects(out, path, a, b)
		}
	case []any:
		if b, ok := newer.([]any); ok {
			return compareLists(out, path, a, b)
		}
	default:
		if older == newer {
			return out
		}
	}
	return append(out, Difference{Path: path, Old: raw(older), New: raw(newer)})
}

func compareObjects(out []Difference, path string, older, newer map[string]any) []Difference {
	names := slices.Collect(maps.Keys(older))
	for name := range newer {
		if _, ok := older[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		place := name
		if path != "" {
			place = path + "." + name
		}
		out = compare(out, place, member(older, name), member(newer, name))
	}
	return out
}

func member(object map[string]any, name string) any {
	if v, ok := object[name]; ok {
		return v
	}
	return absent{}
}

func compareLists(out []Difference, path string, older, newer []any) []Difference {
	for i := range max(len(older), len(newer)) {
		var a, b any = absent{}, absent{}
		if i < len(older) {
			a = older[i]
		}
		if i < len(newer) {
			b = newer[i]
		}
		out = compare(out, fmt.Sprintf("%s[%d]", path, i), a, b)
	}
	return out
}

// raw is a decoded value as JSON again, nil for an absent one.
func raw(v any) json.RawMessage {
	if _, ok := v.(absent); ok {
		return nil
	}
	encoded, err := json.Marshal(v)
	if err != nil { // v was decoded from JSON
		return nil
	}
	return encoded
}
