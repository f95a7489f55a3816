package bootstrap

import (
	"maps"
	"slices"
	"strings"

	"eligibility/internal/store/crdb/release"
)

// comparison builds a plan.
type comparison struct {
	doc     *Document
	secrets Secrets
	state   *State
	plan    *Plan
	wanted  map[GrantState]bool
	missing map[string]bool // tables that were reported as not there
}

// Compare says what differs between the document and the state, in the order in which it is to be mended. It is pure.
func Compare(doc *Document, secrets Secrets, state *State) *Plan {
	c := &comparison{
		doc: doc, secrets: secrets, state: state, wanted: make(map[GrantState]bool), missing: make(map[string]bool),
		plan: &Plan{Database: doc.Database, Server: state.Release.String(), Items: []Item{}},
	}
	c.database()
	c.roles()
	c.users()
	c.members()
	c.settings()
	c.auditUsers()
	c.grants()
	c.tables()
	c.auditTables()
	c.strangers()
	return c.plan
}

func (c *comparison) add(item Item) {
	if item.Statement == "" {
		item.Statement = item.run
	}
	c.plan.Items = append(c.plan.Items, item)
}

func (c *comparison) same() { c.plan.Same++ }

func (c *comparison) database() {
	if c.state.Database {
		c.same()
		return
	}
	c.add(Item{Action: Create, Object: "database " + c.doc.Database, Declared: "present", run: "CREATE DATABASE " + ident(c.doc.Database)})
}

func (c *comparison) roles() {
	for i := range c.doc.Roles {
		role := &c.doc.Roles[i]
		actual, there := c.state.Roles[role.Name]
		switch object := "role " + role.Name; {
		case !there:
			c.add(Item{Action: Create, Object: object, Declared: "cannot log in", run: "CREATE ROLE " + ident(role.Name) + " WITH NOLOGIN"})
		case actual.Login:
			c.add(Item{
				Action: Change, Object: object, Declared: "cannot log in", Actual: "can log in", run: "ALTER ROLE " + ident(role.Name) + " WITH NOLOGIN",
			})
		default:
			c.same()
		}
	}
}

func (c *comparison) users() {
	for i := range c.doc.Users {
		user := &c.doc.Users[i]
		object := "user " + user.Name
		actual, there := c.state.Roles[user.Name]
		hash, secret := c.secrets[user.Name]
		item := Item{Object: object, run: "CREATE ROLE " + ident(user.Name) + " WITH LOGIN", Action: Create}
		if there {
			item.run, item.Action = "ALTER ROLE "+ident(user.Name)+" WITH LOGIN", Change
		}
		item.Declared, item.Actual = "can log in", loginText(actual.Login, there)
		item.Statement = item.run
		if secret && (!there || actual.hash != hash.text) {
			item.Declared, item.Statement = "can log in, password of "+user.PasswordFile, item.run+" PASSWORD '<"+user.PasswordFile+">'"
			item.run += " PASSWORD " + literal(hash.text)
			if there && actual.Login {
				item.Actual = "another password"
			}
		}
		switch {
		case secret && c.refusesHashes():
			c.add(Item{
				Action: Blocked, Object: object, Declared: "password of " + user.PasswordFile,
				Note: "the cluster hashes hashes again: declare " + preHashedSetting + ": true under settings, apply, and apply again",
			})
		case there && actual.Login && (!secret || actual.hash == hash.text):
			c.same()
		default:
			c.add(item)
		}
		c.controlChangefeed(user, actual)
	}
}

func loginText(login, there bool) string {
	switch {
	case !there:
		return ""
	case login:
		return "can log in"
	}
	return "cannot log in"
}

// preHashedSetting makes CockroachDB take a hash for what it is. It is on unless somebody turned it off.
const preHashedSetting = "server.user_login.store_client_pre_hashed_passwords.enabled"

func (c *comparison) refusesHashes() bool {
	return c.state.Release.Dialect == release.CockroachDB && c.state.Settings[preHashedSetting] == "false"
}

// controlChangefeed gives the users that follow the feed the role option which releases before the privilege ask for. Options are not
// inherited from roles.
func (c *comparison) controlChangefeed(user *User, actual RoleState) {
	follows := slices.ContainsFunc(c.doc.Roles, func(r Role) bool { return r.Duty == Relay && slices.Contains(user.Roles, r.Name) })
	if !follows || c.state.Release.Dialect != release.CockroachDB || c.state.Release.Has(release.ChangefeedGrant) {
		return
	}
	if actual.ControlChangefeed {
		c.same()
		return
	}
	c.add(Item{
		Action: Change, Object: "user " + user.Name, Declared: "option CONTROLCHANGEFEED", Note: "this release knows no CHANGEFEED privilege",
		run: "ALTER ROLE " + ident(user.Name) + " WITH CONTROLCHANGEFEED",
	})
}

func (c *comparison) members() {
	for i := range c.doc.Users {
		user := &c.doc.Users[i]
		for _, role := range user.Roles {
			if slices.Contains(c.state.Members[role], user.Name) {
				c.same()
				continue
			}
			c.add(Item{
				Action: Create, Object: "user " + user.Name, Declared: "member of " + role, run: "GRANT " + ident(role) + " TO " + ident(user.Name),
			})
		}
	}
	for i := range c.doc.Roles {
		role := c.doc.Roles[i].Name
		for _, member := range c.state.Members[role] {
			declared := slices.ContainsFunc(c.doc.Users, func(u User) bool { return u.Name == member && slices.Contains(u.Roles, role) })
			if !declared && !c.ignored(member) && member != c.state.Session { // who makes a role on PostgreSQL 16 is a member of it
				c.add(Item{
					Action: Undeclared, Object: "user " + member, Actual: "member of " + role, Note: "to take it away: REVOKE " + ident(role) + " FROM " + ident(member),
				})
			}
		}
	}
}

// ignored reports whether the privileges of a role are no matter of the document.
func (c *comparison) ignored(name string) bool {
	return slices.Contains(reserved, name) || strings.HasPrefix(name, "pg_") || slices.Contains(c.doc.Ignore, name)
}

// strangers reports what nobody declared: grants that somebody has on the database, its schema and its tables.
func (c *comparison) strangers() {
	type held struct {
		who string
		on  Object
	}
	extra := make(map[held][]string)
	for _, grant := range c.state.Grants {
		if !c.wanted[grant] && !c.ignored(grant.Grantee) {
			key := held{grant.Grantee, grant.On}
			extra[key] = append(extra[key], grant.Privilege)
		}
	}
	keys := slices.SortedFunc(maps.Keys(extra), func(a, b held) int {
		return strings.Compare(a.who+"\x00"+a.on.String(), b.who+"\x00"+b.on.String())
	})
	for _, key := range keys {
		privileges := strings.Join(slices.Sorted(slices.Values(extra[key])), ", ")
		c.add(Item{
			Action: Undeclared, Object: key.on.String(), Actual: key.who + ": " + privileges,
			Note: "to take it away: REVOKE " + privileges + " ON " + key.on.sql() + " FROM " + ident(key.who),
		})
	}
}
