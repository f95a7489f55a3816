package main

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"os"
	"path/filepath"

	"eligibility/internal/store/crdb/standin"
	"eligibility/internal/store/pgtest"
)

// exitNoSQL is how an engine ends that was to work on PostgreSQL where none is installed.
const exitNoSQL = 3

// openSQL starts a PostgreSQL that stands in for CockroachDB and makes the tables. No feed follows it: what is measured there is read anew each time.
func openSQL(dir string, told *world) (end func(), err error) {
	server, err := pgtest.Open()
	if errors.Is(err, pgtest.ErrAbsent) {
		os.Exit(exitNoSQL)
	}
	if err != nil {
		return nil, err
	}
	if told.url, err = server.Make(); err == nil {
		for _, name := range []string{"root.key", "secret.key"} {
			if err == nil {
				text := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
				err = os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600)
			}
		}
	}
	if err == nil {
		cfg := config(dir, told)
		_, err = cfg.MigrateUp(context.Background(), slog.New(slog.DiscardHandler))
	}
	if err == nil {
		err = standin.Apply(context.Background(), told.url)
	}
	if err != nil {
		server.Close()
		return nil, err
	}
	return server.Close, nil
}
