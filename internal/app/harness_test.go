package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// replica is a running App with a client for each of its planes, as a newcomer would call it.
type replica struct {
	t    testing.TB
	app  *App
	root string
	keys map[string]string // by kind, of project "shop"
}

func testConfig(dir string) Config {
	cfg := Defaults()
	cfg.Listen, cfg.AdminListen, cfg.OpsListen = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.DataDir, cfg.CacheBytes = dir, 16<<20
	return cfg
}

// start runs a replica on a directory of its own until the test ends.
func start(t testing.TB, edit ...func(*Config)) *replica {
	t.Helper()
	cfg := testConfig(t.TempDir())
	for _, e := range edit {
		e(&cfg)
	}
	a, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	root, err := os.ReadFile(filepath.Join(cfg.DataDir, "root.key"))
	if err != nil {
		t.Fatal(err)
	}
	return &replica{t: t, app: a, root: strings.TrimSpace(string(root)), keys: map[string]string{}}
}

// reply is an HTTP answer.
type reply struct {
	status int
	body   []byte
	header http.Header
}

func (r reply) json(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(r.body, &v); err != nil {
		t.Fatalf("status %d, body %s: %v", r.status, r.body, err)
	}
	return v
}

// call sends a request; body may be nil, a string, or anything that encodes as JSON.
func (r *replica) call(plane, method, path, key string, body any) reply {
	r.t.Helper()
	decision, control, ops := r.app.Addrs()
	address := map[string]string{"decision": decision, "control": control, "ops": ops}[plane]
	var payload io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		payload = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			r.t.Fatal(err)
		}
		payload = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+address+path, payload)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Api-Key", key)
	if payload != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return reply{status: res.StatusCode, body: text, header: res.Header}
}

// must is call with a wanted status.
func (r *replica) must(want int, plane, method, path, key string, body any) reply {
	r.t.Helper()
	got := r.call(plane, method, path, key, body)
	if got.status != want {
		r.t.Fatalf("%s %s: status %d, want %d: %s", method, path, got.status, want, got.body)
	}
	return got
}

// shop makes the project "shop" with a small schema, two placements and keys, through the API alone.
func (r *replica) shop() *replica {
	r.t.Helper()
	r.must(201, "control", "POST", "/v1/projects", r.root, `{"project":"shop"}`)
	for path, bodies := range map[string][]string{
		"attributes":  {`{"name":"country","type":"string"}`, `{"name":"age","type":"int"}`, `{"name":"lifetimeValue","type":"double"}`},
		"event-types": {`{"name":"purchase","properties":{"total":"double"}}`, `{"name":"cart_added","properties":{"sku":"string"}}`},
		"placements":  {`{"placement":101,"name":"home banner","limit":1}`, `{"placement":102,"name":"cards","limit":3}`},
	} {
		for _, body := range bodies {
			r.must(201, "control", "POST", "/v1/projects/shop/"+path, r.root, body)
		}
	}
	for kind, body := range map[string]string{
		"client": `{"kind":"client","requireJwt":false}`, "server": `{"kind":"server"}`, "admin": `{"kind":"admin","role":"owner"}`,
	} {
		r.keys[kind] = r.must(201, "control", "POST", "/v1/projects/shop/keys", r.root, body).json(r.t)["key"].(string)
	}
	r.eventually("the keys are known", func() bool {
		return r.call("decision", "POST", "/v1/eligibility", r.keys["server"], `{"userId":"nobody"}`).status == 200
	})
	return r
}

// publish puts a promotion into force and waits until it is live here.
func (r *replica) publish(id, rule string, more string) {
	r.t.Helper()
	body := fmt.Sprintf(`{"id":%q,"name":%q,"rule":%q,"placements":[{"placement":101,"priority":10}],"content":{"title":%q}%s}`, id, id, rule, id, more)
	if got := r.call("control", "PUT", "/v1/projects/shop/promotions/"+id, r.keys["admin"], body); got.status > 201 {
		r.t.Fatalf("put %s: %d %s", id, got.status, got.body)
	}
	r.must(200, "control", "POST", "/v1/projects/shop/promotions/"+id+":publish?wait=5s", r.keys["admin"], `{"confirm":true}`)
}

// decide asks for the user's messages and returns the promotions shown in each placement as "101:a,b 102:", and the whole answer.
func (r *replica) decide(user string, minAsOf any) (string, map[string]any) {
	r.t.Helper()
	body := map[string]any{"userId": user}
	if minAsOf != nil {
		body["minAsOf"] = minAsOf
	}
	answer := r.must(200, "decision", "POST", "/v1/eligibility", r.keys["server"], body).json(r.t)
	var parts []string
	for _, p := range answer["placements"].([]any) {
		placement := p.(map[string]any)
		var shown []string
		for _, m := range placement["messages"].([]any) {
			shown = append(shown, m.(map[string]any)["promotion"].(string))
		}
		parts = append(parts, fmt.Sprintf("%v:%s", placement["placement"], strings.Join(shown, ",")))
	}
	return strings.Join(parts, " "), answer
}

// eventually waits for a condition that another goroutine makes true.
func (r *replica) eventually(what string, holds func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			r.t.Fatalf("never came true: %s", what)
		}
		timer := time.NewTimer(5 * time.Millisecond)
		<-timer.C
	}
}
