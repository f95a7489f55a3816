package bootstrap

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"eligibility/internal/store/crdb/release"
)

func (c *comparison) settings() {
	for _, name := range slices.Sorted(maps.Keys(c.doc.Settings)) {
		want := c.doc.Settings[name]
		actual, there := c.state.Settings[name]
		switch object := "setting " + name; {
		case !there:
			c.add(Item{Action: Blocked, Object: object, Declared: string(want), Note: c.state.Release.String() + " has no such setting"})
		case equalValue(string(want), actual):
			c.same()
		default:
			c.add(Item{
				Action: Change, Object: object, Declared: string(want), Actual: actual, run: "SET CLUSTER SETTING " + name + " = " + want.sql(),
			})
		}
	}
}

// sql is the value as a constant.
func (v Value) sql() string {
	switch v {
	case "on":
		return "true"
	case "off":
		return "false"
	}
	if v.bare() {
		return string(v)
	}
	return literal(string(v))
}

// equalValue reports whether two texts say the same: the cluster prints durations, sizes and truth values in forms of its own.
func equalValue(a, b string) bool {
	a, b = canonical(a), canonical(b)
	if a == b {
		return true
	}
	if x, err := time.ParseDuration(a); err == nil {
		if y, err := time.ParseDuration(b); err == nil {
			return x == y
		}
	}
	x, errA := strconv.ParseFloat(a, 64)
	y, errB := strconv.ParseFloat(b, 64)
	return errA == nil && errB == nil && x == y
}

// canonical folds the spellings of one value.
func canonical(text string) string {
	text = strings.ReplaceAll(strings.TrimSpace(text), " ", "")
	switch text {
	case "on":
		return "true"
	case "off":
		return "false"
	}
	var hours, minutes int
	var seconds float64
	if n, err := fmt.Sscanf(text, "%d:%d:%g", &hours, &minutes, &seconds); err == nil && n == 3 { // an INTERVAL: 00:00:01
		return (time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute + time.Duration(seconds*float64(time.Second))).String()
	}
	return text
}

// auditUsers keeps the lines of users that the document does not name.
func (c *comparison) auditUsers() {
	if len(c.doc.Audit.Users) == 0 {
		return
	}
	const object = "audit of users"
	if !c.state.Release.Has(release.UserAudit) {
		c.add(Item{
			Action: Blocked, Object: object, Declared: strings.Join(c.doc.Audit.Users, ", "),
			Note: c.state.Release.String() + " audits no single users: declare audit.tables instead",
		})
		return
	}
	var lines, missing []string
	audited := make(map[string]bool)
	for line := range strings.Lines(c.state.Audited) {
		line = strings.TrimSpace(line)
		who, what, _ := strings.Cut(line, " ")
		declared := slices.Contains(c.doc.Audit.Users, who)
		if line == "" || declared && !strings.EqualFold(strings.TrimSpace(what), "ALL") {
			continue // a line of NONE is replaced
		}
		lines = append(lines, line)
		audited[who] = true
		if !declared && !strings.HasPrefix(line, "#") {
			c.add(Item{Action: Undeclared, Object: object, Actual: line})
		}
	}
	for _, who := range c.doc.Audit.Users {
		if audited[who] {
			c.same()
			continue
		}
		missing, lines = append(missing, who), append(lines, who+" ALL")
	}
	if len(missing) > 0 {
		c.add(Item{
			Action: Change, Object: object, Declared: strings.Join(missing, ", ") + ": ALL", Actual: "not audited",
			run: "SET CLUSTER SETTING " + auditSetting + " = " + literal(strings.Join(lines, "\n")),
		})
	}
}

// grants are those of duties and those that roles declare by themselves.
func (c *comparison) grants() {
	for i := range c.doc.Roles {
		role := &c.doc.Roles[i]
		if role.Duty != "" {
			database, schema := []string{"CONNECT"}, []string{"USAGE"}
			if role.Duty == Migrator {
				database, schema = []string{"CONNECT", "CREATE"}, []string{"CREATE", "USAGE"}
			}
			c.grant(role.Name, Object{"database", c.doc.Database}, database)
			c.grant(role.Name, Object{"schema", "public"}, schema)
		}
		for _, grant := range role.tableGrants(c.state.Release) {
			c.grant(role.Name, Object{"table", grant.On}, grant.Privileges)
		}
	}
}

// grant wants privileges on an object and mends what lacks.
func (c *comparison) grant(role string, on Object, privileges []string) {
	if on.Kind == "table" && !c.there(on.Name) {
		return
	}
	var lacking []string
	for _, privilege := range privileges {
		c.wanted[GrantState{role, privilege, on}] = true
		switch {
		case c.state.has(role, on, privilege):
			c.same()
		case privilege == "CHANGEFEED" && !c.state.Release.Has(release.ChangefeedGrant):
			c.add(Item{Action: Blocked, Object: on.String(), Declared: role + ": CHANGEFEED", Note: c.state.Release.String() + " has no such privilege"})
		default:
			lacking = append(lacking, privilege)
		}
	}
	if len(lacking) == 0 {
		return
	}
	list := strings.Join(lacking, ", ")
	c.add(Item{
		Action: Create, Object: on.String(), Declared: role + ": " + list, inDatabase: true,
		run: "GRANT " + list + " ON " + on.sql() + " TO " + ident(role),
	})
}

// there reports whether a table is, and says once that it is not.
func (c *comparison) there(table string) bool {
	_, there := c.state.Tables[table]
	if !there && !c.missing[table] {
		c.missing[table] = true
		c.add(Item{
			Action: Blocked, Object: "table " + table, Declared: "grants and settings",
			Note: `the table is not there yet: run "eligibility migrate up" as a user with the migrator role, then apply again`,
		})
	}
	return there
}

func (c *comparison) tables() {
	for i := range c.doc.Tables {
		table := &c.doc.Tables[i]
		if !c.there(table.Name) {
			continue
		}
		actual, object := c.state.Tables[table.Name], Object{"table", table.Name}
		for _, name := range slices.Sorted(maps.Keys(table.Options)) {
			want := table.Options[name]
			if value, set := actual.Options[name]; set && equalValue(string(want), value) {
				c.same()
				continue
			}
			c.add(Item{
				Action: Change, Object: object.String(), Declared: name + " = " + string(want), Actual: actual.Options[name], inDatabase: true,
				run: "ALTER " + object.sql() + " SET (" + name + " = " + want.sql() + ")",
			})
		}
		c.garbage(table, actual, object)
	}
}

func (c *comparison) garbage(table *Table, actual TableState, object Object) {
	want := table.GCTTL.seconds()
	switch {
	case want == 0:
	case c.state.Release.Dialect != release.CockroachDB:
		c.add(Item{Action: Blocked, Object: object.String(), Declared: "gcTTL " + table.GCTTL.String(), Note: "zones are CockroachDB's"})
	case want == actual.GCSeconds:
		c.same()
	default:
		c.add(Item{
			Action: Change, Object: object.String(), Declared: "gcTTL " + table.GCTTL.String(),
			Actual: (time.Duration(actual.GCSeconds) * time.Second).String(), inDatabase: true,
			run: fmt.Sprintf("ALTER %s CONFIGURE ZONE USING gc.ttlseconds = %d", object.sql(), want),
		})
	}
}

func (c *comparison) auditTables() {
	for _, name := range c.doc.Audit.Tables {
		object := Object{"table", name}
		switch {
		case !c.there(name):
		case c.state.Release.Dialect != release.CockroachDB:
			c.add(Item{Action: Blocked, Object: object.String(), Declared: "audited", Note: "the audit of tables is CockroachDB's"})
		case c.state.Tables[name].Audited:
			c.same()
		default:
			c.add(Item{
				Action: Change, Object: object.String(), Declared: "audited", Actual: "not audited", inDatabase: true,
				run: "ALTER " + object.sql() + " EXPERIMENTAL_AUDIT SET READ WRITE",
			})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.state.Tables)) {
		if c.state.Tables[name].Audited && !slices.Contains(c.doc.Audit.Tables, name) {
			c.add(Item{Action: Undeclared, Object: "table " + name, Actual: "audited"})
		}
	}
}
