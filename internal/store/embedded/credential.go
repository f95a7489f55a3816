package embedded

import (
	"context"
	"encoding/json"

	"eligibility/internal/access"
	"eligibility/internal/audit"
	"eligibility/internal/events"
	"eligibility/internal/hlc"
)

// Credentials returns all keys of all projects, revoked ones too, and the stamp at which they were read.
func (s *Store) Credentials(ctx context.Context) (all []access.Credential, at hlc.Timestamp, err error) {
	err = s.reading(ctx, "read credentials", func(v view) error {
		at = v.at
		return scan(v, []byte{tableCredential}, []byte{tableCredential + 1}, func(_, value []byte) (bool, error) {
			all = append(all, access.Credential{})
			return true, json.Unmarshal(value, &all[len(all)-1])
		})
	})
	return all, at, err
}

// PutCredential stores a key and the audit entry in one commit.
func (s *Store) PutCredential(ctx context.Context, key access.Credential, entry audit.Entry) (hlc.Timestamp, error) {
	return s.author(ctx, "put credential", func() (*commit, error) {
		c := s.newCommit()
		c.change(events.TableAccessKey, key.Project, key.ID)
		c.record(entry)
		return c, c.setJSON(namedKey(tableCredential, key.Project, key.ID), key)
	})
}
