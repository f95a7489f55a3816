package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

func TestKeysAreMadeListedRotatedAndRevoked(t *testing.T) {
	dir := t.TempDir()
	demo := launch(t, dir, "demo", "--users", "50", "--no-traffic")
	env := []string{"ELIGIBILITY_URL=http://" + demo.ready.AdminListen, "ELIGIBILITY_PROJECT=demo", "ELIGIBILITY_API_KEY=demo-admin-key"}
	keys := func(code int, args ...string) result {
		t.Helper()
		r := invoke(t, dir, env, append([]string{"keys"}, args...)...)
		if r.code != code {
			t.Fatalf("keys %v: code %d, %s%s", args, r.code, r.out, r.err)
		}
		return r
	}
	status := func(key string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+demo.ready.Listen+"/v1/eligibility", strings.NewReader(`{"userId":"ada"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Api-Key", key)
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.StatusCode
	}

	made := keys(exitOK, "create", "server", "--name", "orders backend")
	contains(t, "standard error", made.err, "was made", "cannot be read again")
	key, ok := strings.CutPrefix(strings.TrimSpace(made.out), "key ")
	if !ok || status(key) != 200 {
		t.Fatalf("the key %q is not let in", made.out)
	}
	contains(t, "the list", keys(exitOK, "list").out, "orders backend", "in force", "admin:owner", "client without tokens")

	var client struct{ ID, Key, JWTSecret string }
	if err := json.Unmarshal([]byte(keys(exitOK, "create", "client", "--output", "json").out), &client); err != nil || client.JWTSecret == "" {
		t.Fatalf("%+v, %v", client, err)
	}
	if rotated := keys(exitOK, "rotate", client.ID); !strings.HasPrefix(rotated.out, "jwtSecret ") || strings.Contains(rotated.out, client.JWTSecret) {
		t.Errorf("rotated: %s", rotated.out)
	}
	id := strings.Split(key, "_")[2] // elg_server_<id>_…
	keys(exitOK, "revoke", id)
	if got := status(key); got != 401 {
		t.Errorf("a revoked key: %d", got)
	}
	contains(t, "the list", keys(exitOK, "list").out, "revoked 20")
	contains(t, "of nobody", keys(exitFailure, "revoke", "nobody").err, "key_not_found")
	contains(t, "without a role", keys(exitFailure, "create", "admin").err, "viewer, editor, publisher or owner")
	contains(t, "of no kind", keys(exitUsage, "create", "guest").err, "must be one of")
	demo.end(t, syscall.SIGTERM)
}
