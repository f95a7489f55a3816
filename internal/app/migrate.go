package app

import (
	"context"
	"log/slog"
	"time"

	"eligibility/internal/store/crdb"
)

// Migration is one step of the database's tables, as people see it.
type Migration struct {
	Version   int        `json:"version"`
	Name      string     `json:"name"`
	AppliedAt *time.Time `json:"appliedAt,omitempty"` // nil: it is missing
}

// MigrateUp brings the database's tables up to what this build needs, and returns the steps that were missing. Of c it uses where the database is.
// Several processes may do it at once.
func (c *Config) MigrateUp(ctx context.Context, logger *slog.Logger) ([]Migration, error) {
	address, err := c.crdbURL()
	if err != nil {
		return nil, err
	}
	done, err := crdb.MigrateUp(ctx, address, logger)
	return shown(done), err
}

// MigrationStatus lists the steps that this build needs, and which of them the database has.
func (c *Config) MigrationStatus(ctx context.Context) ([]Migration, error) {
	address, err := c.crdbURL()
	if err != nil {
		return nil, err
	}
	all, err := crdb.MigrationStatus(ctx, address)
	return shown(all), err
}

// ValidateDatabase reports what keeps the database from being found.
func (c *Config) ValidateDatabase() error {
	var faults faultList
	c.database(faults.add)
	return faults.joined()
}

func shown(steps []crdb.Migration) []Migration {
	list := make([]Migration, len(steps))
	for i := range steps {
		list[i] = Migration{Version: steps[i].Version, Name: steps[i].Name, AppliedAt: steps[i].AppliedAt}
	}
	return list
}
