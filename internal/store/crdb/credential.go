package crdb

import (
	"context"
	"encoding/json"
	"fmt"

	"eligibility/internal/access"
	"eligibility/internal/audit"
	"eligibility/internal/hlc"

	"github.com/jackc/pgx/v5"
)

// Credentials returns all keys of all projects, revoked ones too, and the stamp at which they were read. profile.ErrUnavailable, ctx.Err().
func (s *Store) Credentials(ctx context.Context) ([]access.Credential, hlc.Timestamp, error) {
	docs, at, err := s.atStamp(ctx, `SELECT doc FROM api_keys`)
	if err != nil {
		return nil, hlc.Timestamp{}, outcome(ctx, "read credentials", err)
	}
	all := make([]access.Credential, len(docs))
	for i, doc := range docs {
		if err := json.Unmarshal([]byte(doc), &all[i]); err != nil {
			return nil, hlc.Timestamp{}, outcome(ctx, "read credentials", fmt.Errorf("a key: %w", err))
		}
	}
	return all, at, nil
}

// PutCredential stores a key and the audit entry in one transaction. profile.ErrUnavailable, ErrAmbiguous, ctx.Err().
func (s *Store) PutCredential(ctx context.Context, key access.Credential, entry audit.Entry) (hlc.Timestamp, error) {
	return s.author(ctx, "put credential", func(_ context.Context, _ pgx.Tx, a *authored) error {
		a.put(`INSERT INTO api_keys (project_id, id, doc) VALUES ($1, $2, $3) ON CONFLICT (project_id, id) DO UPDATE SET doc = excluded.doc`,
			key.Project, key.ID, doc{key})
		a.record(entry)
		return nil
	})
}
