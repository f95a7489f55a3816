package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"eligibility/internal/app"
)

// migrateCmd makes and renews the tables of a database.
type migrateCmd struct {
	Up     migrateUpCmd     `cmd:"" help:"Make the tables, or bring them up to what this build needs."`
	Status migrateStatusCmd `cmd:"" help:"List the steps, and which of them the database has."`
}

// Help is the long help.
func (*migrateCmd) Help() string {
	return `Replicas make no tables: run this before the first of a new version starts. Several at once do no harm, one works and the others wait.
Steps only add, so that replicas of the version before go on meanwhile. It needs a user that may create tables:

    ELIGIBILITY_CRDB_URL='postgresql://migrator@crdb:26257/eligibility?sslmode=verify-full' eligibility migrate up`
}

// migrateUpCmd applies what is missing.
type migrateUpCmd struct {
	databaseFlags
	Timeout time.Duration `help:"How long all of it may take." default:"10m" env:"ELIGIBILITY_MIGRATE_TIMEOUT"`
}

// Run is called by the parser.
func (c *migrateUpCmd) Run(g *Globals, std streams) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	logger := g.logger(std.err)
	ctx, stop := onSignal(context.Background(), logger, func() { os.Exit(exitFailure) })
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	done, err := cfg.MigrateUp(ctx, logger)
	if err != nil {
		return err
	}
	return printMigrations(g, std.out, done, "nothing to do")
}

// migrateStatusCmd lists the steps.
type migrateStatusCmd struct {
	databaseFlags
}

// Run is called by the parser. A step that is missing makes it a failure, so that scripts can branch on it.
func (c *migrateStatusCmd) Run(g *Globals, std streams) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	all, err := cfg.MigrationStatus(ctx)
	if err != nil {
		return err
	}
	if err := printMigrations(g, std.out, all, "no steps"); err != nil {
		return err
	}
	for i := range all {
		if all[i].AppliedAt == nil {
			return app.ErrSchema
		}
	}
	return nil
}

// config is the flags as the engine takes them.
func (f *databaseFlags) config() (*app.Config, error) {
	cfg := app.Defaults()
	f.fill(&cfg)
	if err := cfg.ValidateDatabase(); err != nil {
		return nil, usage{err}
	}
	return &cfg, nil
}

// printMigrations lists steps with the time at which each was applied; none is what it says when there are no steps.
func printMigrations(g *Globals, out *os.File, list []app.Migration, none string) error {
	if g.json() {
		return printJSON(out, list)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, none)
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i := range list {
		applied := "missing"
		if at := list[i].AppliedAt; at != nil {
			applied = at.UTC().Format(time.RFC3339)
		}
		if _, err := fmt.Fprintf(table, "%04d\t%s\t%s\n", list[i].Version, list[i].Name, applied); err != nil {
			return err
		}
	}
	return table.Flush()
}
