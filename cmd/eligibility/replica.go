package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"syscall"

	"eligibility/internal/access"
	"eligibility/internal/app"
)

// openReplica makes a replica that does not run yet. What a person has to change before it can work is an error of usage.
func openReplica(cfg app.Config, logger *slog.Logger) (*app.App, error) {
	if err := cfg.Validate(); err != nil {
		return nil, usage{err}
	}
	replica, err := app.New(cfg, logger)
	for _, fault := range []error{app.ErrLocked, app.ErrDemoKeys, app.ErrSchema, access.ErrKeyFile, fs.ErrPermission, syscall.EROFS} {
		if errors.Is(err, fault) {
			return nil, usage{err}
		}
	}
	return replica, err
}

// stopReplica ends it however it was left; the requests in flight have their own bound.
func stopReplica(replica *app.App, err error) error {
	return errors.Join(err, replica.Stop(context.Background()))
}

// printJSON writes v as one line.
func printJSON(out io.Writer, v any) error {
	if err := json.NewEncoder(out).Encode(v); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

// scheme is how the planes are spoken to.
func scheme(cfg *app.Config) string {
	if cfg.TLSCert != "" {
		return "https://"
	}
	return "http://"
}
