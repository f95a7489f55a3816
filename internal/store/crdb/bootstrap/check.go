package bootstrap

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Limits of what is declared; a document beyond them is a mistake.
const (
	maxNames   = 1000
	maxValue   = 4096
	minGCTTL   = 10 * time.Minute
	maxGCTTL   = 90 * 24 * time.Hour
	nameLength = 63 // of identifiers, in both dialects
)

// auditSetting holds who is audited, one "<user> ALL" a line.
const auditSetting = "sql.log.user_audit"

// check reports everything that is wrong with a decoded document.
func (d *decoder) check(doc *Document) {
	if doc.Version != documentVersion {
		d.at("version", "version: %d is not known; this build reads version: %d", doc.Version, documentVersion)
	}
	d.name("database", doc.Database)
	roles := d.roles(doc)
	d.users(doc, roles)
	d.settings(doc)
	d.tables(doc)
	d.list1000("audit.users", len(doc.Audit.Users))
	d.unique("audit.users", doc.Audit.Users)
	d.unique("audit.tables", doc.Audit.Tables)
	for i, name := range doc.Audit.Users {
		d.name(fmt.Sprintf("audit.users[%d]", i), name)
	}
	for i, name := range doc.Audit.Tables {
		d.name(fmt.Sprintf("audit.tables[%d]", i), name)
	}
	d.unique("ignore", doc.Ignore)
}

func (d *decoder) roles(doc *Document) map[string]bool {
	d.list1000("roles", len(doc.Roles))
	names := make(map[string]bool)
	for i, role := range doc.Roles {
		path := fmt.Sprintf("roles[%d]", i)
		d.name(path+".name", role.Name)
		if names[role.Name] {
			d.at(path+".name", "%q is declared twice", role.Name)
		}
		names[role.Name] = true
		if role.Duty == "" && len(role.Grants) == 0 {
			d.at(path, "role %q has neither a duty nor grants", role.Name)
		}
		for j, grant := range role.Grants {
			path := fmt.Sprintf("%s.grants[%d]", path, j)
			d.name(path+".on", grant.On)
			if len(grant.Privileges) == 0 {
				d.at(path, "a grant names privileges: %s", strings.Join(grantable, ", "))
			}
			for k, privilege := range grant.Privileges {
				if !slices.Contains(grantable, privilege) {
					d.at(fmt.Sprintf("%s.privileges[%d]", path, k), "%.60q is not granted here; the privileges are %s", privilege, strings.Join(grantable, ", "))
				}
			}
		}
	}
	return names
}

func (d *decoder) users(doc *Document, roles map[string]bool) {
	d.list1000("users", len(doc.Users))
	names := make(map[string]bool)
	for i, user := range doc.Users {
		path := fmt.Sprintf("users[%d]", i)
		d.name(path+".name", user.Name)
		if names[user.Name] || roles[user.Name] {
			d.at(path+".name", "%q is declared twice; users and roles share their names", user.Name)
		}
		names[user.Name] = true
		d.unique(path+".roles", user.Roles)
		for j, role := range user.Roles {
			if !roles[role] {
				d.at(fmt.Sprintf("%s.roles[%d]", path, j), "role %.60q is not declared under roles", role)
			}
		}
		if file := user.PasswordFile; file != "" && (strings.ContainsAny(file, `/\`) || strings.HasPrefix(file, ".")) {
			d.at(path+".passwordFile", "%.60q: name a file of the secrets directory, without a path", file)
		}
	}
}

func (d *decoder) settings(doc *Document) {
	d.list1000("settings", len(doc.Settings))
	for name, value := range doc.Settings {
		path := "settings." + name
		switch {
		case !wordPattern.MatchString(name):
			d.at(path, "%.60q is no name of a cluster setting", name)
		case name == auditSetting:
			d.at(path, "declare audit.users instead, so that the lines of others are kept")
		}
		d.plainValue(path, value)
	}
}

func (d *decoder) tables(doc *Document) {
	d.list1000("tables", len(doc.Tables))
	seen := make(map[string]bool)
	for i, table := range doc.Tables {
		path := fmt.Sprintf("tables[%d]", i)
		d.name(path+".name", table.Name)
		if seen[table.Name] {
			d.at(path+".name", "%q is declared twice", table.Name)
		}
		seen[table.Name] = true
		if ttl := time.Duration(table.GCTTL); ttl != 0 && (ttl < minGCTTL || ttl > maxGCTTL || ttl%time.Second != 0) {
			d.at(path+".gcTTL", "gcTTL %v is outside of %v to %v, or no whole seconds", ttl, minGCTTL, maxGCTTL)
		}
		for name, value := range table.Options {
			if !wordPattern.MatchString(name) {
				d.at(path+".options."+name, "%.60q is no name of a storage parameter", name)
			}
			d.plainValue(path+".options."+name, value)
		}
	}
}

var (
	namePattern = regexp.MustCompile(`^[a-z_][a-z0-9_.-]*$`)
	wordPattern = regexp.MustCompile(`^[a-z][a-z0-9_.]{0,127}$`)
	grantable   = []string{"SELECT", "INSERT", "UPDATE", "DELETE", "CHANGEFEED"}
	reserved    = []string{"public", "none", "root", "admin", "node", "postgres", "system", "crdb_internal", "information_schema"}
)

// name refuses what the databases would fold, refuse or take for their own.
func (d *decoder) name(path, name string) {
	switch {
	case name == "":
		d.at(path, "%s is missing", path[strings.LastIndexByte(path, '.')+1:])
	case len(name) > nameLength || !namePattern.MatchString(name):
		d.at(path, "%.80q is no name: lower-case letters, digits, _ . and -, at most %d of them", name, nameLength)
	case slices.Contains(reserved, name) || strings.HasPrefix(name, "pg_") || strings.HasPrefix(name, "crdb_internal_"):
		d.at(path, "%q belongs to the database itself", name)
	}
}

func (d *decoder) plainValue(path string, value Value) {
	if len(value) > maxValue || strings.ContainsFunc(string(value), unicode.IsControl) {
		d.at(path, "a value is one line of at most %d bytes", maxValue)
	}
}

func (d *decoder) list1000(path string, n int) {
	if n > maxNames {
		d.at(path, "%d entries: at most %d", n, maxNames)
	}
}

func (d *decoder) unique(path string, names []string) {
	seen := make(map[string]bool)
	for i, name := range names {
		if seen[name] {
			d.at(fmt.Sprintf("%s[%d]", path, i), "%.60q stands here twice", name)
		}
		seen[name] = true
	}
}
