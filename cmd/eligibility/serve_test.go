package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"eligibility/internal/app"
	"eligibility/internal/demo"
)

// post sends a JSON body and returns status and answer.
func post(t *testing.T, url, key, body string) (int, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Api-Key", key)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, data
}

func TestServeRunsUntilItIsToldToStop(t *testing.T) {
	dir := t.TempDir()
	c := launch(t, dir, "serve", "--data-dir", "data")
	root, err := os.ReadFile(filepath.Join(dir, "data", "root.key"))
	if err != nil {
		t.Fatalf("the root key was not written: %v", err)
	}
	status, answer := post(t, "http://"+c.ready.AdminListen+"/v1/projects", string(bytes.TrimSpace(root)), `{"project":"bakery"}`)
	if status/100 != 2 {
		t.Errorf("creating a project as the help says answered %d %s", status, answer)
	}

	second := invoke(t, dir, nil, append([]string{"serve", "--data-dir", "data"}, anyPort...)...)
	if second.code != exitUsage {
		t.Errorf("a second process on the directory exits with %d, want %d", second.code, exitUsage)
	}
	contains(t, "its standard error", second.err, "another process holds the data directory", "--data-dir")

	taken := invoke(t, dir, nil, append(append([]string{"serve", "--data-dir", "other"}, anyPort...), "--listen", c.ready.Listen)...)
	if taken.code != exitFailure {
		t.Errorf("on a taken port serve exits with %d, want %d", taken.code, exitFailure)
	}
	contains(t, "its standard error", taken.err, "address already in use")

	if err := c.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if code := c.end(t, syscall.SIGTERM); code != exitOK {
		t.Errorf("after SIGTERM serve exits with %d:\n%s", code, c.errs)
	}
	contains(t, "standard output", c.out.String(), "decision plane  http://"+c.ready.Listen, "control plane   http://"+c.ready.AdminListen)
	contains(t, "standard error", c.errs.String(), "stopping")

	foreign := invoke(t, dir, nil, append([]string{"demo", "--data-dir", "data"}, anyPort...)...)
	if foreign.code != exitUsage {
		t.Errorf("a demo in a directory with other data exits with %d, want %d", foreign.code, exitUsage)
	}
	contains(t, "its standard error", foreign.err, `project "bakery"`, "--data-dir")
}

func TestWhatMustBeMendedFirstIsAnErrorOfUsage(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "guessable"), []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		says string
	}{
		{"a root key that is none", []string{"--root-key-file", "guessable"}, "guessable must hold one key"},
		{"a secret key that is none", []string{"--secret-key-file", "guessable"}, "guessable must hold 32 bytes"},
		{"a file for the data directory", []string{"--data-dir", "guessable"}, "is not a directory"},
		{"a cache beyond all memory", []string{"--cache-bytes", "1000000GiB"}, "memory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := invoke(t, dir, nil, append(append([]string{"serve", "--data-dir", "data"}, anyPort...), c.args...)...)
			if got.code != exitUsage {
				t.Errorf("exits with %d, want %d", got.code, exitUsage)
			}
			contains(t, "standard error", got.err, c.says)
		})
	}
}

func TestServeAnnouncesItselfAsJSON(t *testing.T) {
	c := launch(t, t.TempDir(), "serve", "--output", "json", "--log-format", "json")
	if code := c.end(t, syscall.SIGINT); code != exitOK {
		t.Errorf("after SIGINT serve exits with %d:\n%s", code, c.errs)
	}
	var said app.Ready
	if err := json.Unmarshal(c.out.Bytes(), &said); err != nil || said.Listen != c.ready.Listen || said.Project != "" {
		t.Errorf("standard output is %s (%v), want what the ready file says", c.out, err)
	}
	for line := range strings.Lines(c.errs.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a log line is not JSON: %s", line)
		}
	}
}

func TestDemoIsReadyToBeAsked(t *testing.T) {
	dir := t.TempDir()
	c := launch(t, dir, "demo", "--users", "200", "--data-dir", "shop", "--traffic-rate", "50")
	if c.ready.Project != demo.Project || c.ready.Keys["client"] != demo.ClientKey || c.ready.Keys["server"] != demo.ServerKey {
		t.Errorf("the ready file says %+v", c.ready)
	}
	status, answer := post(t, "http://"+c.ready.Listen+"/v1/eligibility", demo.ClientKey, `{"userId":"ada","placements":[101]}`)
	if status != http.StatusOK || !bytes.Contains(answer, []byte(`"promotion":"abandoned-cart"`)) {
		t.Errorf("asked for ada: %d %s", status, answer)
	}
	if code := c.end(t, syscall.SIGTERM); code != exitOK {
		t.Errorf("after SIGTERM the demo exits with %d:\n%s", code, c.errs)
	}
	contains(t, "standard output", c.out.String(), "demo-client-key", "ben")
	contains(t, "standard error", c.errs.String(), "shop seeded")

	refused := invoke(t, dir, nil, append([]string{"serve", "--data-dir", "shop"}, anyPort...)...)
	if refused.code != exitUsage {
		t.Errorf("serve in the demo's directory exits with %d, want %d", refused.code, exitUsage)
	}
	contains(t, "its standard error", refused.err, "belongs to the demo")

	again := launch(t, dir, "demo", "--no-traffic", "--data-dir", "shop")
	if code := again.end(t, syscall.SIGINT); code != exitOK {
		t.Errorf("the second demo exits with %d:\n%s", code, again.errs)
	}
	contains(t, "standard error", again.errs.String(), "shop kept as it was found")
}

func TestDemoLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	c := launch(t, dir, "demo", "--users", "10", "--no-traffic", "--output", "json")
	if code := c.end(t, syscall.SIGTERM); code != exitOK {
		t.Errorf("the demo exits with %d:\n%s", code, c.errs)
	}
	left, err := os.ReadDir(dir) // which is the child's temporary directory too
	if err != nil || len(left) != 0 {
		t.Errorf("the demo left %v (%v)", left, err)
	}
	var said app.Ready
	if err := json.Unmarshal(c.out.Bytes(), &said); err != nil || said.Keys["admin"] != demo.AdminKey {
		t.Errorf("standard output is %s (%v)", c.out, err)
	}
}
