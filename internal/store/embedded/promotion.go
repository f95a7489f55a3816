package embedded

import (
	"context"
	"encoding/json"
	"fmt"

	"eligibility/internal/rules"
)

// Head returns where the promotion stands.
func (s *Store) Head(ctx context.Context, project, id string) (*rules.Head, error) {
	head := new(rules.Head)
	err := s.reading(ctx, "read head", func(v view) error {
		ok, err := getJSON(v, namedKey(tableHead, project, id), head)
		return found(ok, err, "promotion", id)
	})
	if err != nil {
		return nil, err
	}
	return head, nil
}

// Revision returns one numbered version of the promotion.
func (s *Store) Revision(ctx context.Context, project, id string, number int) (*rules.Revision, error) {
	revision := new(rules.Revision)
	err := s.reading(ctx, "read revision", func(v view) error {
		ok, err := getJSON(v, revisionKey(project, id, number), revision)
		return found(ok, err, "revision of promotion", id)
	})
	if err != nil {
		return nil, err
	}
	return revision, nil
}

// Heads lists promotions by ascending bytes of their id, after the given one.
func (s *Store) Heads(ctx context.Context, project, after string, limit int) ([]rules.Head, error) {
	var heads []rules.Head
	err := s.reading(ctx, "list promotions", func(v view) error {
		prefix := projectPrefix(tableHead, project)
		from := prefix
		if after != "" {
			from = following(namedKey(tableHead, project, after))
		}
		return scan(v, from, following(prefix), func(_, value []byte) (bool, error) {
			if len(heads) >= limit {
				return false, nil
			}
			heads = append(heads, rules.Head{})
			return true, json.Unmarshal(value, &heads[len(heads)-1])
		})
	})
	return heads, err
}

// Revisions lists all revisions of the promotion, newest first; none for an unknown one.
func (s *Store) Revisions(ctx context.Context, project, id string) ([]rules.Revision, error) {
	var revisions []rules.Revision
	err := s.reading(ctx, "list revisions", func(v view) error {
		prefix := namedKey(tableRevision, project, id)
		return scan(v, prefix, following(prefix), func(_, value []byte) (bool, error) {
			revisions = append(revisions, rules.Revision{})
			return true, json.Unmarshal(value, &revisions[len(revisions)-1])
		})
	})
	return revisions, err
}

func found(ok bool, err error, what, id string) error {
	if err == nil && !ok {
		return fmt.Errorf("%s %q: %w", what, id, rules.ErrNotFound)
	}
	return err
}
