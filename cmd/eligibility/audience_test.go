package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"eligibility/internal/remote"
)

func TestAudienceOfTheDemo(t *testing.T) {
	dir := t.TempDir()
	demo := launch(t, dir, "demo", "--users", "500", "--no-traffic")
	env := []string{"ELIGIBILITY_BULK_URL=http://" + demo.ready.BulkListen, "ELIGIBILITY_API_KEY=demo-server-key", "ELIGIBILITY_PROJECT=demo"}
	start := []string{"audience", "start", "--promotion", "fathers-day", "--channel", "push", "--count-by", "country", "--publish"}

	r := invoke(t, dir, env, append(start, "--output", "json")...)
	var job remote.Audience
	if err := json.Unmarshal([]byte(r.out), &job); err != nil || r.code != exitOK {
		t.Fatalf("code %d, %v, %s %s", r.code, err, r.out, r.err)
	}
	sum := job.Eligible
	for _, n := range job.Reasons {
		sum += n
	}
	if job.State != "done" || job.Users < 500 || sum != job.Users || job.CountBy == nil || len(job.CountBy.Values) == 0 {
		t.Errorf("%s", r.out)
	}

	if p := job.Published; p == nil || !p.Whole || p.Bytes != job.ResultBytes || p.Subject != "eligibility.audience.demo."+job.ID {
		t.Errorf("published: %+v", p)
	}

	lines := invoke(t, dir, env, "audience", "download", job.ID)
	if n := strings.Count(lines.out, "\n"); lines.code != exitOK || int64(n) != job.Eligible || int64(len(lines.out)) != job.ResultBytes {
		t.Errorf("code %d, %d lines of %d bytes; the job says %d and %d", lines.code, n, len(lines.out), job.Eligible, job.ResultBytes)
	}
	file := filepath.Join(dir, "eligible.csv")
	if r := invoke(t, dir, env, "audience", "download", "--format", "csv", "--file", file, job.ID); r.code != exitOK {
		t.Errorf("%s", r.err)
	}
	table, err := os.ReadFile(file)
	if err != nil || int64(strings.Count(string(table), "\n")) != job.Eligible+1 {
		t.Errorf("%v, %.200s", err, table)
	}

	shown := invoke(t, dir, env, "audience", "show", "--wait", job.ID)
	contains(t, "the job", shown.out, job.ID, "fathers-day on push, done", "users are eligible", "published in", "country", "%")
	contains(t, "the list", invoke(t, dir, env, "audience", "list").out, job.ID, "done")

	for _, c := range []struct {
		name string
		env  []string
		args []string
		code int
		says string
	}{
		{"no key", []string{env[0], env[2]}, start, exitUsage, "ELIGIBILITY_API_KEY"},
		{"no project", env[:2], start, exitUsage, "--project"},
		{"a key of another kind", []string{env[0], "ELIGIBILITY_API_KEY=demo-client-key", env[2]}, start, exitFailure, "forbidden"},
		{"no such promotion", env, []string{"audience", "start", "--promotion", "x"}, exitFailure, "promotion_not_found"},
		{"no such attribute", env, []string{"audience", "start", "--promotion", "fathers-day", "--count-by", "shoe"}, exitFailure, "countBy"},
		{"no such job", env, []string{"audience", "show", "x"}, exitFailure, "audience_not_found"},
		{"a file that is there", env, []string{"audience", "download", "--file", file, job.ID}, exitUsage, "exists"},
		{"it has ended", env, []string{"audience", "pause", job.ID}, exitFailure, "audience_ended"},
	} {
		if r := invoke(t, dir, c.env, c.args...); r.code != c.code || !strings.Contains(r.err, c.says) {
			t.Errorf("%s: code %d, %s", c.name, r.code, r.err)
		}
	}
	if r := invoke(t, dir, env, "audience", "remove", job.ID); r.code != exitOK {
		t.Errorf("%s", r.err)
	}
	demo.end(t, syscall.SIGTERM)
}
