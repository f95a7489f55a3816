package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPasswordsAreRefusedOnTheCommandLineOnly(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(config, []byte("crdb-url: postgresql://u:hunter2@localhost:1/x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const withPassword, without = "postgresql://u:hunter2@localhost:1/x", "postgresql://u@localhost:1/x"
	for _, c := range []struct {
		name    string
		env     []string
		args    []string
		refused bool
	}{
		{"a flag of serve", nil, []string{"serve", "--crdb-url", withPassword}, true},
		{"a flag of migrate", nil, []string{"migrate", "status", "--crdb-url=" + withPassword}, true},
		{"a password among the parameters", nil, []string{"serve", "--crdb-url", without + "?password=hunter2"}, true},
		{"the bus", nil, []string{"relay", "--nats", "nats://a:4222,nats://u:hunter2@b:4222"}, true},
		{"no password", nil, []string{"serve", "--crdb-url", without}, false},
		{"the environment", []string{"ELIGIBILITY_CRDB_URL=" + withPassword}, []string{"serve"}, false},
		{"a file", nil, []string{"serve", "--config", config}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := invoke(t, dir, c.env, c.args...)
			if got.code != exitUsage { // every call is one of a bad configuration, so that none starts
				t.Fatalf("exit code %d, want %d\n%s", got.code, exitUsage, got.err)
			}
			if refused := strings.Contains(got.err, "holds a password"); refused != c.refused {
				t.Errorf("refused for the password: %t, want %t\n%s", refused, c.refused, got.err)
			}
			if strings.Contains(got.out+got.err, "hunter2") {
				t.Errorf("the password is shown:\n%s", got.err)
			}
		})
	}
}

func TestMigrateNeedsADatabase(t *testing.T) {
	got := invoke(t, t.TempDir(), nil, "migrate", "up")
	if got.code != exitUsage {
		t.Errorf("exit code %d, want %d", got.code, exitUsage)
	}
	contains(t, "the error", got.err, "crdb-url", "ELIGIBILITY_CRDB_URL")
	got = invoke(t, t.TempDir(), []string{"ELIGIBILITY_CRDB_URL=postgresql://u:hunter2@127.0.0.1:1/x"}, "migrate", "status")
	if got.code != exitFailure || strings.Contains(got.err, "hunter2") {
		t.Errorf("exit code %d, want %d, and no password in\n%s", got.code, exitFailure, got.err)
	}
}

func TestWebhookSQLIsPrinted(t *testing.T) {
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("Bearer it's secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := invoke(t, dir, nil, "relay", "webhook-sql", "--url", "https://relay:8083", "--feed-id", "users", "--webhook-token-file", token)
	if got.code != exitOK {
		t.Fatalf("exit code %d: %s", got.code, got.err)
	}
	contains(t, "the statement", got.out, "CREATE CHANGEFEED FOR TABLE", "webhook-https://relay:8083/v1/changes/users", "'Bearer it''s secret'")
	if got := invoke(t, dir, nil, "relay", "webhook-sql", "--url", "http://relay:8083"); got.code != exitUsage {
		t.Errorf("a plain URL: exit code %d, want %d", got.code, exitUsage)
	}
}
