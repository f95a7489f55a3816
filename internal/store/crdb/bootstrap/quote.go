package bootstrap

import "strings"

// ident is a name as an identifier of SQL. Names were checked by validName; the quoting holds for any text without NUL, which no name may
// hold.
func ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal is a text as a string of SQL. Both dialects take quotes doubled and a backslash as it is (standard_conforming_strings, which
// cannot be turned off in CockroachDB and is set for the session on PostgreSQL).
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// idents is names as a list of identifiers.
func idents(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = ident(name)
	}
	return strings.Join(quoted, ", ")
}
