package bootstrap

import (
	"slices"

	"eligibility/internal/store/crdb/release"
)

// State is what a cluster has of what a document can declare. What a release or dialect lacks is empty.
type State struct {
	Release  release.Release
	Session  string // the user that reads and applies
	Database bool   // the declared database is there
	Roles    map[string]RoleState
	Members  map[string][]string // role → who is a member of it, both by name
	Settings map[string]string   // the declared ones and those that the engine must know
	Audited  string              // what audits users: lines of "<user> <what>"

	// Of the declared database; empty until it is there.
	Grants []GrantState
	Tables map[string]TableState
}

// RoleState is a role or user.
type RoleState struct {
	Login             bool
	ControlChangefeed bool // the role option of old releases
	hash              string
}

// GrantState is one privilege that somebody has.
type GrantState struct {
	Grantee, Privilege string
	On                 Object
}

// TableState is how a table is kept.
type TableState struct {
	GCSeconds int64 // 0: not known
	Options   map[string]string
	Audited   bool
}

// Object is what a privilege is on.
type Object struct {
	Kind string // "database", "schema" or "table"
	Name string
}

// String is the object as SQL and people write it.
func (o Object) String() string { return o.Kind + " " + o.Name }

// sql is the object as an identifier.
func (o Object) sql() string {
	if o.Kind == "table" {
		return "TABLE " + ident("public") + "." + ident(o.Name)
	}
	if o.Kind == "schema" {
		return "SCHEMA " + ident(o.Name)
	}
	return "DATABASE " + ident(o.Name)
}

func (s *State) has(grantee string, on Object, privilege string) bool {
	return slices.ContainsFunc(s.Grants, func(g GrantState) bool {
		return g.Grantee == grantee && g.On == on && (g.Privilege == privilege || g.Privilege == "ALL")
	})
}
