// Package changejson reads the JSON in which CockroachDB tells changes: the rows of a changefeed that is followed, and the requests of one that is
// sent to a webhook. It knows which tables are on the feed and how their keys are made, and never looks into a row.
package changejson

import (
	"strings"

	"eligibility/internal/events"
)

// Table is a table on the feed.
type Table struct {
	Name string // without database and schema
	Kind events.Table
	// Columns is the number of columns of the primary key. The first is the project, the second the user, the address or the id; a table with one
	// column has one row for each project.
	Columns int
}

// Tables is what the feed carries, in the order of the statement: everything that a replica keeps in memory is told by one of them. What is
// authored is told by the row of its project in rulesets, which changes with every version.
func Tables() []Table {
	return []Table{
		{"profiles", events.TableProfile, 2},
		{"user_events", events.TableProfile, 3},
		{"emails", events.TableEmail, 2},
		{"rulesets", events.TableRuleset, 1},
		{"api_keys", events.TableAccessKey, 2},
	}
}

// Names is the names of Tables.
func Names() []string {
	tables := Tables()
	names := make([]string, len(tables))
	for i := range tables {
		names[i] = tables[i].Name
	}
	return names
}

// bare is a table's name without database and schema: some releases and options print "eligibility.public.profiles".
func bare(name string) string {
	return name[strings.LastIndexByte(name, '.')+1:]
}
