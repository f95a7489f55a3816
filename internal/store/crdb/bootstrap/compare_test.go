package bootstrap

import (
	"slices"
	"testing"

	"eligibility/internal/store/crdb/release"
)

func TestValuesThatSayTheSame(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"true", "true", true},
		{"on", "true", true},
		{"off", "false", true},
		{"true", "false", false},
		{"1s", "1000ms", true},
		{"1s", "00:00:01", true},
		{"25h", "25:00:00", true},
		{"3s", "1s", false},
		{"64MiB", "64 MiB", true},
		{"64 MiB", "65 MiB", false},
		{"100", "100.0", true},
		{"0.1", "0.10", true},
		{"100", "101", false},
		{"", "", true},
		{"a b", "ab", true}, // spaces never tell two settings apart
	} {
		if got := equalValue(c.a, c.b); got != c.same {
			t.Errorf("%q and %q say the same: %v, want %v", c.a, c.b, got, c.same)
		}
	}
}

func TestConstants(t *testing.T) {
	for in, want := range map[Value]string{
		"true": "true", "on": "true", "off": "false", "100": "100", "-1": "-1", "0.5": "0.5", "1s": "'1s'", "1-2": "'1-2'", "": "''", "-": "'-'", "1e9": "'1e9'",
		"0x10": "'0x10'", "it's": "'it''s'", "inf": "'inf'", "1; DROP": "'1; DROP'",
	} {
		if got := in.sql(); got != want {
			t.Errorf("%q is written %s, want %s", in, got, want)
		}
	}
}

func TestComparison(t *testing.T) {
	crdb := release.Release{Dialect: release.CockroachDB, Major: 25, Minor: 4}
	const head = "version: 1\ndatabase: shop\n"
	for _, c := range []struct {
		name, doc string
		state     State
		secrets   Secrets
		want      []string
	}{
		{
			name: "nothing is there", doc: "roles: [{name: r, duty: migrator}]\nusers: [{name: u, roles: [r]}]",
			want: []string{
				"create database shop:  → present", "create role r:  → cannot log in", "create user u:  → can log in", "create user u:  → member of r",
				"create database shop:  → r: CONNECT, CREATE", "create schema public:  → r: CREATE, USAGE",
			},
		},
		{name: "all is there", state: State{Database: true}},
		{
			name: "unknown setting", doc: "settings: {kv.new.thing: 1}", state: State{Database: true, Settings: map[string]string{"kv.old.thing": "1"}},
			want: []string{"blocked setting kv.new.thing:  → 1"},
		},
		{
			name: "hashes would be hashed again", doc: "users: [{name: u, passwordFile: u.scram}]", secrets: Secrets{"u": {"SCRAM"}},
			state: State{Database: true, Settings: map[string]string{preHashedSetting: "false"}},
			want:  []string{"blocked user u:  → password of u.scram"},
		},
		{
			name: "the password is the one", doc: "users: [{name: u, passwordFile: u.scram}]", secrets: Secrets{"u": {"SCRAM"}},
			state: State{Database: true, Roles: map[string]RoleState{"u": {Login: true, hash: "SCRAM"}}},
		},
		{
			name: "a right beyond the declared ones", doc: "roles: [{name: r, grants: [{on: t, privileges: [SELECT]}]}]",
			state: State{
				Database: true, Roles: map[string]RoleState{"r": {}}, Tables: map[string]TableState{"t": {}},
				Grants: []GrantState{{"r", "ALL", Object{"table", "t"}}},
			},
			want: []string{"undeclared table t: r: ALL → "},
		},
		{
			name: "rights of the ignored and of the system", doc: "ignore: [backup]",
			state: State{Database: true, Grants: []GrantState{
				{"backup", "SELECT", Object{"table", "t"}}, {"root", "ALL", Object{"table", "t"}}, {"pg_monitor", "SELECT", Object{"table", "t"}},
			}},
		},
		{
			name: "a missing table is named once", doc: "roles: [{name: r, grants: [{on: t, privileges: [SELECT]}]}]\ntables: [{name: t, gcTTL: 1h}]\naudit: {tables: [t]}",
			state: State{Database: true, Roles: map[string]RoleState{"r": {}}},
			want:  []string{"blocked table t:  → grants and settings"},
		},
		{
			name: "all users audited", doc: "audit: {users: [a, b]}", state: State{Database: true, Audited: "# people\na all\n\nb ALL"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.state.Release = crdb
			plan := Compare(declared(t, head+c.doc), c.secrets, &c.state)
			if got := lines(plan); !slices.Equal(got, c.want) {
				t.Errorf("plan %q, want %q", got, c.want)
			}
			if plan.Drift() != (len(c.want) > 0) {
				t.Errorf("drift %v with %d items", plan.Drift(), len(c.want))
			}
		})
	}
}
