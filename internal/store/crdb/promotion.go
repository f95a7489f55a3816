package crdb

import (
	"context"
	"encoding/json"
	"fmt"

	"eligibility/internal/rules"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Head returns where the promotion stands. rules.ErrNotFound, profile.ErrUnavailable, ctx.Err().
func (s *Store) Head(ctx context.Context, project, id string) (*rules.Head, error) {
	return document[rules.Head](ctx, s, "promotion", id, `SELECT doc FROM heads WHERE project_id = $1 AND id = $2`, project, id)
}

// Revision returns one numbered version of the promotion. rules.ErrNotFound, profile.ErrUnavailable, ctx.Err().
func (s *Store) Revision(ctx context.Context, project, id string, number int) (*rules.Revision, error) {
	return document[rules.Revision](ctx, s, "revision of promotion", id,
		`SELECT doc FROM revisions WHERE project_id = $1 AND id = $2 AND number = $3`, project, id, number)
}

// Heads lists promotions by ascending bytes of their id, after the given one. profile.ErrUnavailable, ctx.Err().
func (s *Store) Heads(ctx context.Context, project, after string, limit int) ([]rules.Head, error) {
	return documents[rules.Head](ctx, s, "list promotions",
		`SELECT doc FROM heads WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT $3`, project, after, max(limit, 0))
}

// Revisions lists all revisions of the promotion, newest first; none for an unknown one. profile.ErrUnavailable, ctx.Err().
func (s *Store) Revisions(ctx context.Context, project, id string) ([]rules.Revision, error) {
	return documents[rules.Revision](ctx, s, "list revisions", `SELECT doc FROM revisions WHERE project_id = $1 AND id = $2
			ORDER BY number DESC`, project, id)
}

// Receipt returns what the request under the idempotency key came to. rules.ErrNotFound when there was none, or long ago;
// profile.ErrUnavailable, ctx.Err().
func (s *Store) Receipt(ctx context.Context, project, key string) (*rules.Receipt, error) {
	notFound := fmt.Errorf("read receipt: receipt %.64q: %w", key, rules.ErrNotFound)
	if !storableText(key) {
		return nil, notFound
	}
	docs, at, err := s.atStamp(ctx, `SELECT doc FROM receipts WHERE project_id = $1 AND id = $2`, project, key)
	if err != nil {
		return nil, outcome(ctx, "read receipt", err)
	}
	if len(docs) == 0 {
		return nil, notFound
	}
	receipt := new(rules.Receipt)
	if err := json.Unmarshal([]byte(docs[0]), receipt); err != nil {
		return nil, outcome(ctx, "read receipt", err)
	}
	if receipt.Expired(at) {
		return nil, notFound
	}
	return receipt, nil
}

// document reads one stored document. A name that cannot be stored is not found.
func document[T any](ctx context.Context, s *Store, what, id, statement string, args ...any) (*T, error) {
	doc := new(T)
	for _, arg := range args {
		if name, ok := arg.(string); ok && !storableText(name) {
			return nil, fmt.Errorf("%s %.64q: %w", what, id, rules.ErrNotFound)
		}
	}
	err := s.read(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		var text string
		if err := conn.QueryRow(ctx, statement, args...).Scan(&text); err != nil {
			return found(err, what, id)
		}
		return json.Unmarshal([]byte(text), doc)
	})
	if err != nil {
		return nil, outcome(ctx, "read "+what, err)
	}
	return doc, nil
}

// documents reads several.
func documents[T any](ctx context.Context, s *Store, what, statement string, args ...any) ([]T, error) {
	for _, arg := range args {
		if name, ok := arg.(string); ok && !storableText(name) {
			return nil, nil
		}
	}
	texts, err := list[string](ctx, s, what, statement, args...)
	if err != nil || len(texts) == 0 {
		return nil, err
	}
	docs := make([]T, len(texts))
	for i, text := range texts {
		if err := json.Unmarshal([]byte(text), &docs[i]); err != nil {
			return nil, outcome(ctx, what, err)
		}
	}
	return docs, nil
}
