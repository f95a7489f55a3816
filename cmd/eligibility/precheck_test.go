package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestPrecheckOfAFileAndOfAPipe(t *testing.T) {
	dir := t.TempDir()
	demo := launch(t, dir, "demo", "--users", "500", "--no-traffic")
	env := []string{"ELIGIBILITY_BULK_URL=http://" + demo.ready.BulkListen, "ELIGIBILITY_API_KEY=demo-server-key"}
	var users strings.Builder
	const n = 3000
	for i := range n {
		fmt.Fprintf(&users, "{\"userId\":\"user-%d\"}\n", i)
	}
	users.WriteString("nonsense\n")
	file := filepath.Join(dir, "users.ndjson")
	if err := os.WriteFile(file, []byte(users.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	question := []string{"precheck", "--promotion", "fathers-day", "--channel", "push"}
	r := invoke(t, dir, env, append(question, file)...)
	if r.code != exitOK || strings.Count(r.out, "\n") != n+1 {
		t.Fatalf("code %d, %d lines, %s", r.code, strings.Count(r.out, "\n"), r.err)
	}
	contains(t, "standard error", r.err, "3001 users in", "rules version", "lines at fault", "%")
	contains(t, "the last answer", r.out, `{"userId":"user-0",`, `"code":"invalid_json","line":3001`)

	cmd := program(t, t.Context(), dir, env, append(question, "--output", "json")...)
	cmd.Stdin = strings.NewReader(users.String())
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, &errs)
	}
	var result struct {
		Summary struct{ Total, Eligible, Failed int }
	}
	if err := json.Unmarshal([]byte(errs.String()), &result); err != nil || result.Summary.Total != n+1 || result.Summary.Failed != 1 {
		t.Errorf("%v: %s", err, &errs)
	}
	if out.String() != r.out {
		t.Error("the pipe was answered otherwise than the file")
	}

	for _, c := range []struct {
		name string
		env  []string
		args []string
		code int
		says string
	}{
		{"no key", env[:1], append(question, file), exitUsage, "ELIGIBILITY_API_KEY"},
		{"a key of another kind", []string{env[0], "ELIGIBILITY_API_KEY=demo-client-key"}, append(question, file), exitFailure, "forbidden"},
		{"no such promotion", env, []string{"precheck", "--promotion", "x", "--channel", "push", file}, exitFailure, "promotion_not_found"},
		{"no such channel", env, []string{"precheck", "--promotion", "fathers-day", "--channel", "pigeon", file}, exitUsage, "must be one of"},
		{"no such file", env, append(question, "nowhere.ndjson"), exitUsage, "nowhere.ndjson"},
	} {
		if r := invoke(t, dir, c.env, c.args...); r.code != c.code || !strings.Contains(r.err, c.says) {
			t.Errorf("%s: code %d, %s", c.name, r.code, r.err)
		}
	}
	demo.end(t, syscall.SIGTERM)
}
