package release

import "slices"

// Feature is something that only some releases of CockroachDB can do and that the engine or its operators use when it is there.
type Feature struct {
	ID           string // stable
	What         string // for people
	Major, Minor int    // first release that has it
	Without      string // what happens on releases before
}

// The features, by their IDs.
const (
	RoleOptions       = "viewclustersetting"
	PreHashed         = "pre_hashed_passwords"
	ChangefeedGrant   = "changefeed_privilege"
	SystemPrivileges  = "system_privileges"
	TTLExpression     = "ttl_expiration_expression"
	SchemaLocked      = "schema_locked"
	UserAudit         = "user_audit"
	TTLQuietFeed      = "ttl_disable_changefeed_replication"
	PlainSinks        = "sinks_without_licence"
	ShutdownNames     = "shutdown_setting_names"
	CreateChangefeed  = "create_changefeed_sinkless"
	firstKnownRelease = 22 // of the year; older ones were never looked at
)

// Features lists all of them, oldest first.
func Features() []Feature {
	return []Feature{
		{RoleOptions, "role option VIEWCLUSTERSETTING", 21, 2, "only an admin sees cluster settings"},
		{CreateChangefeed, "CREATE CHANGEFEED without a sink", 22, 1, "the feed is spelled EXPERIMENTAL CHANGEFEED"},
		{PreHashed, "passwords stored as SCRAM hashes", 22, 1, "users need certificates"},
		{ChangefeedGrant, "CHANGEFEED privilege on tables", 22, 2, "relay users need the role option CONTROLCHANGEFEED"},
		{SystemPrivileges, "system privileges (GRANT SYSTEM …)", 22, 2, "role options take their place"},
		{TTLExpression, "row-level TTL by an expression", 22, 2, "the engine sweeps expired events itself"},
		{UserAudit, "audit by user or role", 23, 1, "audit whole tables instead (audit.tables)"},
		{SchemaLocked, "schema_locked tables", 23, 1, "a change takes up to a second longer through the feed"},
		{ShutdownNames, "server.shutdown.*.timeout settings", 23, 1, "the same settings have their older names"},
		{TTLQuietFeed, "TTL deletes kept out of the feed", 24, 1, "expired rows pass through the feed; harmless"},
		{PlainSinks, "webhook sinks without a licence", 24, 3, "a webhook sink needs an enterprise licence; the sinkless feed does not"},
	}
}

// Has reports whether a release of CockroachDB has the feature. PostgreSQL has none of them, and an unknown ID is a programmer's error.
func (r Release) Has(id string) bool {
	all := Features()
	i := slices.IndexFunc(all, func(f Feature) bool { return f.ID == id })
	if i < 0 {
		panic("no such feature: " + id)
	}
	return r.Dialect == CockroachDB && r.AtLeast(all[i].Major, all[i].Minor)
}

// Known reports whether the release is one that the engine's statements were looked at for: older ones may refuse them.
func (r Release) Known() bool { return r.Dialect == CockroachDB && r.Major >= firstKnownRelease }
