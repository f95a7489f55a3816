package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInvocations(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		line string // the arguments
		env  string
		code int
		out  []string // of standard output; nil: it is empty
		err  []string // of standard error; nil: it is empty
	}{
		{name: "help", line: "--help", out: []string{"serve", "demo", "gen", "version", "completion", "--log-level"}},
		{
			name: "help of serve teaches", line: "serve --help",
			out: []string{"curl -X POST", "--config config.yaml", `--listen="127.0.0.1:8080"`, "$ELIGIBILITY_LISTEN", "exit code"},
		},
		{name: "help of demo teaches", line: "demo -h", out: []string{"demo-client-key", "--[no-]traffic", "--users=10000"}},
		{name: "version", line: "version", out: []string{"eligibility ", "go1."}},
		{name: "version as JSON", line: "version --output json", out: []string{`"version":`, `"go":"go1.`}},
		{name: "JSON by the environment", line: "version", env: "ELIGIBILITY_OUTPUT=json", out: []string{`"version":`}},

		{name: "no verb", code: 2, err: []string{`expected one of "serve"`, `Run "eligibility --help"`}},
		{name: "unknown verb", line: "srve", code: 2, err: []string{"unexpected argument srve", "--help"}},
		{name: "unknown flag", line: "serve --lisen x", code: 2, err: []string{`did you mean "--listen"?`, `Run "eligibility serve --help"`}},
		{name: "extra argument", line: "gen more", code: 2, err: []string{"unexpected argument more"}},
		{name: "not a duration", line: "serve --retention 7d", code: 2, err: []string{"--retention", `unknown unit "d"`}},
		{name: "not a size", line: "serve --cache-bytes lots", code: 2, err: []string{`"lots" is not a size`, "MiB"}},
		{name: "not a number", line: "gen --users many", code: 2, err: []string{"--users"}},
		{name: "not a level", line: "version --log-level loud", code: 2, err: []string{"--log-level must be one of"}},
		{name: "bad environment", line: "serve", env: "ELIGIBILITY_RETENTION=soon", code: 2, err: []string{"ELIGIBILITY_RETENTION"}},
		{name: "no such file", line: "serve --config none.yaml", code: 2, err: []string{"none.yaml", "no such file"}},
		{name: "no such file in the environment", line: "serve", env: "ELIGIBILITY_CONFIG=none.yaml", code: 2, err: []string{"none.yaml"}},

		{name: "beyond loopback without TLS", line: "serve --listen 0.0.0.0:0", code: 2, err: []string{"other machines", "--insecure"}},
		{name: "no cache", line: "serve --cache-bytes 0", code: 2, err: []string{"cache-bytes: 0 is below 1 MiB"}},
		{name: "negative cache", line: "serve --cache-bytes=-1", code: 2, err: []string{"cache-bytes: -1 is below 1 MiB"}},
		{name: "two faults at once", line: "serve --store paper --nats pigeon", code: 2, err: []string{`"paper"`, `a NATS URL begins with`}},
		{name: "key without certificate", line: "serve --tls-key key.pem", code: 2, err: []string{"tls-cert and tls-key go together"}},
		{name: "demo beyond loopback", line: "demo --listen :0 --insecure", code: 2, err: []string{"binds to loopback only"}},
		{name: "demo without shoppers", line: "demo --users 0", code: 2, err: []string{"users: 0 is outside of 1"}},
		{name: "demo without hurry", line: "demo --traffic-rate 0", code: 2, err: []string{"traffic rate: 0 is outside"}},
		{name: "gen without users", line: "gen --users 0", code: 2, err: []string{"users: 0 is outside of 1"}},
		{name: "gen of what", line: "gen --what orders", code: 2, err: []string{`--what must be one of "users","events"`}},
		{name: "gen at a bad time", line: "gen --now yesterday", code: 2, err: []string{"--now"}},
		{name: "completion for an unknown shell", line: "completion tcsh", code: 2, err: []string{`one of "bash","zsh","fish"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := invoke(t, dir, strings.Fields(c.env), strings.Fields(c.line)...)
			if got.code != c.code {
				t.Errorf("exit code %d, want %d", got.code, c.code)
			}
			contains(t, "standard output", got.out, c.out...)
			contains(t, "standard error", got.err, c.err...)
			if c.out == nil && got.out != "" || c.err == nil && got.err != "" {
				t.Errorf("output %q and errors %q: want one of them empty", got.out, got.err)
			}
		})
	}
}

func TestConfigurationFiles(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		file string // c.yaml
		err  []string
	}{
		{"a typing slip", "# mine\ndata-dir: x\nlistem: 127.0.0.1:0\n", []string{`c.yaml:3: unknown key "listem", did you mean "listen"?`}},
		{"all faults at once", "dataDir: x\nlisten: [a: b]\nnats:\nstore: a\nstore: b\nzzzzzzzz: 1\n", []string{
			`c.yaml:1: unknown key "dataDir", did you mean "data-dir"?`, `c.yaml:2: "listen" takes one value`, `c.yaml:3: "nats" takes one value`,
			`c.yaml:5: "store" stands here for the second time, after line 4`, "c.yaml:6: unknown key \"zzzzzzzz\"\n",
		}},
		{"no YAML", "a: b: c\n", []string{"c.yaml: yaml: "}},
		{"a list", "- a\n", []string{"c.yaml:1: want keys and values"}},
		{"a bad value", "\nretention: soon\n", []string{"c.yaml:2: --retention"}},
		{"a value that is not one of those allowed", "log-level: loud\n", []string{"c.yaml:1: --log-level must be one of"}},
		{"a key of another verb", "users: 10\n", []string{`c.yaml:1: unknown key "users"`}},
		{"beyond loopback without TLS", "listen: 0.0.0.0:0\n", []string{"reachable from other machines", "--insecure"}},
		{"no port", "listen: 0.0.0.0\n", []string{"is not host:port"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "c.yaml")
			if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
			got := invoke(t, dir, nil, "serve", "--config", path)
			if got.code != exitUsage || got.out != "" {
				t.Errorf("exit code %d, output %q; want %d and none", got.code, got.out, exitUsage)
			}
			contains(t, "standard error", got.err, c.err...)
		})
	}
}

func TestGenWritesItemsOfTheBulkCalls(t *testing.T) {
	dir := t.TempDir()
	gen := func(more ...string) result {
		t.Helper()
		got := invoke(t, dir, nil, append([]string{"gen", "--users", "20", "--now", "2026-11-22T12:00:00Z"}, more...)...)
		if got.code != exitOK {
			t.Fatalf("gen exits with %d: %s", got.code, got.err)
		}
		return got
	}
	users := gen()
	if lines := strings.Count(users.out, "\n"); lines != 20 {
		t.Errorf("gen wrote %d lines for 20 users", lines)
	}
	var user struct {
		UserID     string         `json:"userId"`
		TimeZone   string         `json:"timeZone"`
		Attributes map[string]any `json:"attributes"`
	}
	if err := json.Unmarshal([]byte(users.out[:strings.IndexByte(users.out, '\n')]), &user); err != nil {
		t.Fatal(err)
	}
	if user.UserID != "ada" || user.TimeZone != "America/New_York" || user.Attributes["country"] != "US" {
		t.Errorf("the first user is %+v", user)
	}
	events, again, other := gen("--what", "events"), gen("--what", "events"), gen("--what", "events", "--seed", "2")
	if events.out != again.out || events.out == other.out || strings.Count(events.out, "\n") < 20 {
		t.Errorf("the same seed and time must give the same events, another seed others")
	}
	contains(t, "the events", events.out, `"userId":"ada","name":"cart_added","occurredAt":"2026-11-22T10:00:00Z","properties":{"productId"`)
}
