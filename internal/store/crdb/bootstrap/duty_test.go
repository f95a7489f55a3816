package bootstrap

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"eligibility/internal/store/crdb/release"
)

// Every table that the migrations make is somebody's: one that is forgotten here would be refused in production.
func TestDutiesCoverTheMigrations(t *testing.T) {
	files, err := filepath.Glob("../migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("migrations: %v, %v", files, err)
	}
	tables := regexp.MustCompile(`(?i)CREATE TABLE (?:IF NOT EXISTS )?(\w+)`)
	made := []string{"schema_migrations"} // by migrating itself
	var known []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range tables.FindAllStringSubmatch(string(text), -1) {
			made = append(made, found[1])
		}
	}
	for _, a := range accesses() {
		known = append(known, a.table)
		if !slices.Contains(made, a.table) {
			t.Errorf("no migration makes table %s", a.table)
		}
		if a.writer == "" && a.relay == "" {
			t.Errorf("nobody writes table %s", a.table)
		}
	}
	for _, table := range made {
		if !slices.Contains(known, table) {
			t.Errorf("no duty knows table %s", table)
		}
	}
}

func TestRelayMayFollowOnlyWhatIsFed(t *testing.T) {
	role := Role{Name: "r", Duty: Relay}
	for _, c := range []struct {
		release release.Release
		want    bool
	}{
		{release.Release{Dialect: release.CockroachDB, Major: 22, Minor: 1}, false},
		{release.Release{Dialect: release.CockroachDB, Major: 22, Minor: 2}, true},
		{release.Release{Dialect: release.PostgreSQL, Major: 15}, false},
	} {
		for _, grant := range role.tableGrants(c.release) {
			own := slices.Contains([]string{"relay_state", "schema_migrations"}, grant.On)
			if got := slices.Contains(grant.Privileges, "CHANGEFEED"); got != (c.want && !own) {
				t.Errorf("%v: CHANGEFEED on %s: %v", c.release, grant.On, got)
			}
		}
	}
}
