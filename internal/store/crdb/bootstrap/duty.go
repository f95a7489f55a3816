package bootstrap

import (
	"fmt"
	"slices"
	"strings"

	"eligibility/internal/store/crdb/release"
)

// Duty is a part of the engine that has a role of its own.
type Duty string

// The duties.
const (
	Reader   Duty = "reader"   // reads everything that a decision needs; writes nothing
	Writer   Duty = "writer"   // a replica that ingests and publishes: what serve needs
	Migrator Duty = "migrator" // makes and alters tables
	Relay    Duty = "relay"    // follows the changefeed and keeps its cursor
)

// Duties lists them.
func Duties() []Duty { return []Duty{Reader, Writer, Migrator, Relay} }

// UnmarshalText reads a duty.
func (d *Duty) UnmarshalText(text []byte) error {
	if !slices.Contains(Duties(), Duty(text)) {
		names := make([]string, 0, len(Duties()))
		for _, known := range Duties() {
			names = append(names, string(known))
		}
		return fmt.Errorf("the duties are %s", strings.Join(names, ", "))
	}
	*d = Duty(text)
	return nil
}

// access is what the duties may do with one table.
type access struct {
	table                 string
	reader, writer, relay string // privileges, separated by spaces
	fed                   bool   // on the changefeed
}

// accesses says table by table what each duty needs, and no more.
func accesses() []access {
	const read, all = "SELECT", "SELECT INSERT UPDATE DELETE"
	return []access{
		{table: "profiles", reader: read, writer: all, relay: read, fed: true},
		{table: "user_events", reader: read, writer: all, relay: read, fed: true},
		{table: "emails", reader: read, writer: all, relay: read, fed: true},
		{table: "rulesets", reader: read, writer: all, relay: read, fed: true},
		{table: "api_keys", reader: read, writer: all, relay: read, fed: true},
		{table: "projects", reader: read, writer: all},
		{table: "heads", reader: read, writer: all},
		{table: "revisions", reader: read, writer: all},
		{table: "observed", reader: read, writer: all},
		{table: "receipts", writer: all},
		{table: "commit_marks", writer: all},
		{table: "send_ledgers", writer: all},
		{table: "send_limits", writer: all},
		{table: "audit_log", writer: "SELECT INSERT"}, // nobody alters what was noted
		{table: "relay_state", relay: "SELECT UPDATE"},
		{table: "schema_migrations", reader: read, writer: read, relay: read}, // what a process looks at before it starts
	}
}

// tableGrants are the privileges of a role on tables: those of its duty, then its own.
func (r *Role) tableGrants(on release.Release) []Grant {
	var grants []Grant
	for _, a := range accesses() {
		var words string
		switch r.Duty {
		case Reader:
			words = a.reader
		case Writer:
			words = a.writer
		case Relay:
			words = a.relay
			if a.fed && on.Has(release.ChangefeedGrant) {
				words += " CHANGEFEED"
			}
		case Migrator: // owns the tables that it makes
		}
		if words != "" {
			grants = append(grants, Grant{On: a.table, Privileges: strings.Fields(words)})
		}
	}
	return append(grants, r.Grants...)
}
