package app

import (
	"encoding/json"
	"os"
	"os/exec"
	"testing"
)

const sdkDir = "../../sdk/compat"

// needNode skips when the unmodified SDKs cannot be run here; in CI their absence is a failure.
func needNode(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(sdkDir + "/node_modules/@iterable/web-sdk")
		if err == nil {
			_, err = os.Stat(sdkDir + "/../web/dist/index.js")
		}
	}
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("node and the packages of sdk are needed: make test-deps (%v)", err)
	default:
		t.Skip("node or the packages of sdk are absent: make test-deps")
	}
}

// TestSDKs runs the published packages of the product that the surface is compatible with against a replica, and the project's own web
// client.
func TestSDKs(t *testing.T) {
	needNode(t)
	r := start(t).shop()
	r.must(201, "control", "POST", "/v1/projects/shop/attributes", r.root, `{"name":"emailListIds","type":"list<int>"}`)
	r.must(201, "control", "POST", "/v1/projects/shop/placements", r.root, `{"placement":103,"name":"more","limit":5}`)
	for _, p := range []struct{ id, rule, more string }{
		{"german", `user.country == 'DE' && events.count('embedded_dismiss', duration('168h'), e, e.promotion == 'german') == 0`, ""},
		{"capped", `user.country == 'DE'`, `,"frequencyCap":{"impressions":1,"per":"24h"}`},
		{"buyer", `events.count('purchase', duration('24h')) >= 1`, ""},
		{"clicked", `events.count('embedded_click', duration('24h')) >= 1`, ""},
	} {
		placement := map[string]string{"german": `[{"placement":102,"priority":1}]`, "capped": `[{"placement":102,"priority":2}]`}[p.id]
		if placement == "" {
			placement = `[{"placement":103,"priority":1}]`
		}
		body := `{"id":"` + p.id + `","name":"` + p.id + `","rule":` + quote(t, p.rule) + `,"placements":` + placement + `,"content":{"title":"` + p.id + `"}` + p.more + `}`
		r.must(201, "control", "PUT", "/v1/projects/shop/promotions/"+p.id, r.keys["admin"], body)
		r.must(200, "control", "POST", "/v1/projects/shop/promotions/"+p.id+":publish?wait=5s", r.keys["admin"], `{"confirm":true}`)
	}
	key := func(body string) map[string]any {
		return r.must(201, "control", "POST", "/v1/projects/shop/keys", r.root, body).json(t)
	}
	client := key(`{"kind":"client"}`)
	suspended, elsewhere := key(`{"kind":"client","requireJwt":false}`), key(`{"kind":"client","requireJwt":false,"origins":["https://elsewhere.example"]}`)
	r.must(200, "control", "POST", "/v1/projects/shop/keys/"+suspended["id"].(string)+":suspend", r.root, nil)
	decision, _, _ := r.app.Addrs()
	world, err := json.Marshal(map[string]any{
		"url": "http://" + decision, "clientKey": client["key"], "secret": client["jwtSecret"], "openKey": r.keys["client"], "serverKey": r.keys["server"],
		"suspendedKey": suspended["key"], "elsewhereKey": elsewhere["key"],
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range []string{"web.mjs", "api.mjs", "../web/test/live.mjs"} {
		t.Run(script, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "node", script)
			cmd.Dir, cmd.Env = sdkDir, append(os.Environ(), "ELIGIBILITY_WORLD="+string(world))
			out, err := cmd.CombinedOutput()
			t.Logf("%s", out)
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func quote(t *testing.T, text string) string {
	t.Helper()
	raw, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
