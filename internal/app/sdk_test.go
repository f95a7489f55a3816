package app

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"testing"

	"eligibility/internal/problem"
)

const (
	sdkDir = "../../sdk/compat"
	webDir = "../../sdk/web"

	// webClientBytes bounds the web client as it is sent over the network, minified and compressed: "a few KB" is one of its features.
	webClientBytes = 3600
)

// needNode skips when the unmodified SDKs cannot be run here; in CI their absence is a failure.
func needNode(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(sdkDir + "/node_modules/@iterable/web-sdk")
		if err == nil {
			_, err = os.Stat(webDir + "/node_modules/typescript")
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

// npm runs a script of the web client.
func npm(t *testing.T, script string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "npm", "run", "--silent", script)
	cmd.Dir = webDir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("npm run %s: %v\n%s", script, err, out)
	}
}

// TestWebClient builds the project's own web client by its strict rules, runs what it can prove without a server, and holds its size and its list of codes.
func TestWebClient(t *testing.T) {
	needNode(t)
	npm(t, "build")
	npm(t, "test")

	text, err := os.ReadFile(webDir + "/dist/eligibility.min.js")
	if err != nil {
		t.Fatal(err)
	}
	var sent bytes.Buffer
	w, err := gzip.NewWriterLevel(&sent, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes minified, %d compressed", len(text), sent.Len())
	if sent.Len() > webClientBytes {
		t.Errorf("the web client is %d bytes compressed, want at most %d", sent.Len(), webClientBytes)
	}

	source, err := os.ReadFile(webDir + "/src/refused.ts")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`[|] "([a-z_]+)"`).FindAllSubmatch(source, -1)
	if len(codes) < 20 {
		t.Errorf("found only %d codes: were they read?", len(codes))
	}
	for _, code := range codes {
		if _, ok := problem.Catalogue[string(code[1])]; !ok {
			t.Errorf("the web client knows a code %q that no plane answers", code[1])
		}
	}
}

// TestSDKs runs the published packages of the product that the surface is compatible with against a replica, and the project's own web
// client.
func TestSDKs(t *testing.T) {
	needNode(t)
	npm(t, "build")
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
	world := map[string]any{
		"url": "http://" + decision, "clientKey": client["key"], "secret": client["jwtSecret"], "openKey": r.keys["client"], "serverKey": r.keys["server"],
		"suspendedKey": suspended["key"], "elsewhereKey": elsewhere["key"],
	}
	record := transcribe(t, "http://"+decision, world)
	for _, script := range []string{"web.mjs", "api.mjs", "../web/test/live.mjs"} {
		t.Run(script, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "node", script)
			cmd.Dir, cmd.Env = sdkDir, append(os.Environ(), "ELIGIBILITY_WORLD="+record.begin(script))
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
