package crdb

import (
	"context"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"

	"github.com/jackc/pgx/v5"
)

// DeleteUser erases the profile, the user events, the ledger of sends and the e-mail row in one transaction. Erasing an unknown user changes nothing.
// profile.ErrUnavailable, ErrAmbiguous, ctx.Err().
func (s *Store) DeleteUser(ctx context.Context, key profile.Key) (hlc.Timestamp, error) {
	own, cancel := context.WithTimeout(ctx, s.cfg.WriteTimeout)
	defer cancel()
	stamp, err := s.transaction(own, func(ctx context.Context, tx pgx.Tx) error {
		var batch pgx.Batch
		// The address is found by the profile; a row that names another user by now is that user's.
		batch.Queue(`DELETE FROM emails WHERE project_id = $1 AND user_id = $2
			AND email = (SELECT email FROM profiles WHERE project_id = $1 AND user_id = $2)`, key.Project, key.User)
		batch.Queue(`DELETE FROM user_events WHERE project_id = $1 AND user_id = $2`, key.Project, key.User)
		batch.Queue(`DELETE FROM send_ledgers WHERE project_id = $1 AND user_id = $2`, key.Project, key.User)
		batch.Queue(`DELETE FROM profiles WHERE project_id = $1 AND user_id = $2`, key.Project, key.User)
		return tx.SendBatch(ctx, &batch).Close()
	})
	if err != nil {
		return hlc.Timestamp{}, outcome(ctx, "delete user", err)
	}
	return parseStamp(stamp)
}
