package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"eligibility/internal/store/pgtest"
)

func TestBootstrapInvocations(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"bad.yaml":   "version: 1\ndatabase: shop\nrole: []\n",
		"good.yaml":  "version: 1\ndatabase: shop\n",
		"users.yaml": "version: 1\ndatabase: shop\nusers: [{name: app, passwordFile: app.scram}]\n",
		"app.scram":  "hunter2hunter2",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const nobody = "ELIGIBILITY_CRDB_URL=postgres://app:hunter2hunter2@127.0.0.1:1/x"
	for _, c := range []struct {
		name, line, env string
		code            int
		out, err        []string
	}{
		{name: "help", line: "bootstrap --help", out: []string{"plan", "apply", "hash", "2 when it", "deploy/bootstrap.yaml"}},
		{name: "help of plan", line: "bootstrap plan --help", out: []string{"--secrets-dir", "$ELIGIBILITY_CRDB_URL", "--file"}},
		{name: "help of doctor", line: "doctor --help", out: []string{"--watch=6s", "--staleness-bound=5s", "The exit code is 0 when no check failed"}},
		{name: "no document", line: "bootstrap plan", code: 2, err: []string{"missing flags: --file"}},
		{name: "faulty document", line: "bootstrap plan -f bad.yaml", env: nobody, code: 1, err: []string{`bad.yaml:3:1: there is no key "role"`}},
		{name: "absent document", line: "bootstrap plan -f none.yaml", env: nobody, code: 1, err: []string{"none.yaml", "no such file"}},
		{name: "no database", line: "bootstrap plan -f good.yaml", code: 1, err: []string{"ELIGIBILITY_CRDB_URL"}},
		{name: "password on the command line", line: "bootstrap plan -f good.yaml --crdb-url postgres://a:hunter2hunter2@h/x", code: 2, err: []string{"--crdb-url holds a password"}},
		{name: "nobody listens", line: "bootstrap plan -f good.yaml", env: nobody, code: 1, err: []string{"connect to the database"}},
		{name: "no secrets directory", line: "bootstrap apply -f users.yaml", env: nobody, code: 1, err: []string{"--secrets-dir"}},
		{name: "a password where a hash belongs", line: "bootstrap apply -f users.yaml --secrets-dir .", env: nobody, code: 1, err: []string{"app.scram", "no SCRAM hash"}},
		{name: "nothing to look at", line: "doctor", code: 2, err: []string{"nothing to look at"}},
		{name: "doctor without a database", line: "doctor", env: nobody, code: 1, out: []string{"fail", "connection", "0 ok, 0 to look at, 1 failed"}, err: []string{"1 check failed"}},
		{name: "doctor without a bus", line: "doctor --nats nats://127.0.0.1:1", code: 1, out: []string{"Bus", "fail"}, err: []string{"1 check failed"}},
		{name: "doctor of a directory", line: "doctor --data-dir . -v", out: []string{"Data directory", "sync to disk", "why: every write is answered after its sync", "root.key"}},
		{name: "doctor as JSON", line: "doctor --data-dir . --output json", out: []string{`{"checks":[{"id":"directory","area":"data directory"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := invoke(t, dir, strings.Fields(c.env), strings.Fields(c.line)...)
			if got.code != c.code {
				t.Errorf("exit code %d, want %d: %s%s", got.code, c.code, got.out, got.err)
			}
			contains(t, "standard output", got.out, c.out...)
			contains(t, "standard error", got.err, c.err...)
			if strings.Contains(got.out+got.err, "hunter2") {
				t.Errorf("a password is shown: %s%s", got.out, got.err)
			}
		})
	}
}

func TestBootstrapAndDoctorOfADatabase(t *testing.T) {
	server := pgtest.Start(t)
	dir := t.TempDir()
	env := []string{"ELIGIBILITY_CRDB_URL=" + server.URL("postgres"), "ELIGIBILITY_SECRETS_DIR=."}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// The hash comes from the command, which reads the password on its standard input.
	cmd := program(t, t.Context(), dir, nil, "bootstrap", "hash")
	cmd.Stdin = strings.NewReader("correct horse battery staple\n")
	hash, err := cmd.Output()
	if err != nil || !strings.HasPrefix(string(hash), "SCRAM-SHA-256$119680:") {
		t.Fatalf("hash %q, %v", hash, err)
	}
	write("app.scram", string(hash))
	write("b.yaml", "version: 1\ndatabase: shop\nroles: [{name: maker, duty: migrator}]\nusers: [{name: app, roles: [maker], passwordFile: app.scram}]\n")

	plan := invoke(t, dir, env, "bootstrap", "plan", "-f", "b.yaml")
	if plan.code != 2 {
		t.Errorf("plan of an empty server ends with %d: %s", plan.code, plan.err)
	}
	contains(t, "plan", plan.out, "Database shop on PostgreSQL", `+ role maker: cannot log in`, `CREATE ROLE "app" WITH LOGIN PASSWORD '<app.scram>'`, "6 to create")

	applied := invoke(t, dir, env, "bootstrap", "apply", "-f", "b.yaml", "--audit-file", "audit.jsonl", "--log-format", "json")
	if applied.code != 0 {
		t.Fatalf("apply ends with %d: %s", applied.code, applied.err)
	}
	contains(t, "progress", applied.err, `CREATE DATABASE "shop"`, `"msg":"bootstrap ran"`, `"outcome":"applied"`)
	contains(t, "result", applied.out, "all as declared")

	again := invoke(t, dir, env, "bootstrap", "apply", "-f", "b.yaml", "--audit-file", "audit.jsonl", "--output", "json")
	contains(t, "second result", again.out, `"executed":[]`, `"items":[]`)
	if again := invoke(t, dir, env, "bootstrap", "plan", "-f", "b.yaml", "--output", "json"); again.code != 0 {
		t.Errorf("plan after apply ends with %d: %s", again.code, again.out)
	}

	text, err := os.ReadFile(filepath.Join(dir, "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var first auditLine
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil || len(lines) != 2 {
		t.Fatalf("audit lines %q, %v", lines, err)
	}
	if first.Outcome != "applied" || first.User == "" || first.OSUser == "" || first.Database != "shop" || len(first.Statements) != 6 {
		t.Errorf("audit line %+v", first)
	}
	for _, secret := range strings.FieldsFunc(strings.TrimSpace(string(hash)), func(r rune) bool { return r == '$' || r == ':' })[2:] {
		if strings.Contains(plan.out+plan.err+applied.out+applied.err+string(text), secret) {
			t.Errorf("a part of the hash is shown")
		}
	}

	looked := invoke(t, dir, env, "doctor", "--watch", "0s", "--output", "json")
	if looked.code != 1 {
		t.Errorf("doctor on PostgreSQL ends with %d", looked.code)
	}
	contains(t, "report", looked.out, `"id":"migrations"`, "stands in for CockroachDB in tests only")
}
