package standin

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/jackc/pgx/v5"
)

//go:embed standin.sql
var overlay string

// Apply puts clock, triggers and outbox into the PostgreSQL at url, whose tables crdb.MigrateUp has made. It can be repeated.
func Apply(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("stand-in: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.PgConn().Exec(ctx, overlay).ReadAll(); err != nil {
		return fmt.Errorf("stand-in: %w", err)
	}
	return nil
}
