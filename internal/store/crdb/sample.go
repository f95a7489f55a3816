package crdb

import (
	"context"

	"eligibility/internal/profile"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// drawUsers passes over all users of the project inside the database and sends back those that were drawn.
const drawUsers = `SELECT user_id, count(*) OVER () FROM profiles WHERE project_id = $1 ORDER BY random() LIMIT $2`

// Sample returns n users drawn from those who have a profile row, each n of them with the same chance and without repetition, all as of
// one stamp; and how many such users there were when they were drawn, an instant before. It costs a scan of the project's ids, within
// Config.SampleTimeout. A user who was erased in between is left out. profile.ErrUnavailable, ctx.Err().
func (s *Store) Sample(ctx context.Context, project string, n int) (users []*profile.Snapshot, total int, err error) {
	own, cancel := context.WithTimeout(ctx, s.cfg.SampleTimeout)
	defer cancel()
	var keys []profile.Key
	err = s.again(own, func(ctx context.Context, conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, drawUsers, project, max(n, 1))
		if err != nil {
			return err
		}
		keys = keys[:0]
		key := profile.Key{Project: project}
		_, err = pgx.ForEachRow(rows, []any{&key.User, &total}, func() error {
			keys = append(keys, key)
			return nil
		})
		return err
	})
	if err != nil {
		return nil, 0, outcome(ctx, "sample users", err)
	}
	loaded := make([]*profile.Snapshot, min(len(keys), max(n, 0)))
	if err := s.Load(ctx, keys[:len(loaded)], loaded); err != nil {
		return nil, 0, err
	}
	for _, u := range loaded {
		if u.Found {
			users = append(users, u)
		}
	}
	return users, total, nil
}
