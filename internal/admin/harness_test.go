package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/admin"
	"eligibility/internal/audit"
	"eligibility/internal/cache"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/pushhook"
	"eligibility/internal/rules"
	"eligibility/internal/store/embedded"
)

const rootKey = "elg_root_test_0123456789abcdef"

// plane is a control plane over an embedded store in memory.
type plane struct {
	t      testing.TB
	store  *embedded.Store
	server *admin.Server
	live   *rules.Live
	log    *bytes.Buffer
	keys   map[access.Role]string // of the project shop; more by name
}

// storeUsers reads snapshots straight from the store.
type storeUsers struct{ store *embedded.Store }

func (u storeUsers) Get(ctx context.Context, key profile.Key, _ *cache.Demand) (cache.Read, error) {
	dst := make([]*profile.Snapshot, 1)
	if err := u.store.Load(ctx, []profile.Key{key}, dst); err != nil {
		return cache.Read{}, err
	}
	return cache.Read{Snapshot: dst[0], TrueAt: dst[0].AsOf}, nil
}

// newPlane makes a control plane with the projects shop and other, and keys of every role for shop.
func newPlane(t testing.TB, change ...func(*admin.Config, *admin.Deps)) *plane {
	t.Helper()
	storeCfg := embedded.Defaults("")
	storeCfg.InMemory = true
	store, err := embedded.Open(storeCfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	p := &plane{t: t, store: store, live: &rules.Live{}, log: &bytes.Buffer{}, keys: make(map[access.Role]string)}
	logger := slog.New(slog.NewTextHandler(p.log, nil))
	sealer, err := access.NewSealer([32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	asked := time.Now()
	now, err := store.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	clock := &hlc.Estimate{}
	clock.Observe(now, asked)
	refresher := rules.NewRefresher(store, p.live, rules.NewCompiler(profile.DefaultRetention), logger, func(*rules.Ruleset) {})
	deps := admin.Deps{
		Authoring: rules.NewService(store, rules.ServiceConfig{}), Live: p.live, Compiler: rules.NewCompiler(profile.DefaultRetention),
		Users: storeUsers{store}, Observer: store, Keyring: access.NewKeyring(store, sealer, logger), Keys: store, Push: pushhook.NewSender(pushhook.Defaults(), access.NewKeyring(store, sealer, logger)), Sealer: sealer,
		Root: access.NewRootKey(rootKey), Clock: clock, Logger: logger,
		Changed: func(project string, _ hlc.Timestamp) {
			if err := refresher.Refresh(context.Background(), project); err != nil {
				t.Errorf("refresh %s: %v", project, err)
			}
		},
	}
	cfg := admin.Defaults()
	for _, c := range change {
		c(&cfg, &deps)
	}
	if p.server, err = admin.New(cfg, deps); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"shop", "other"} {
		p.want(p.do("POST", "/v1/projects", rootKey, `{"project":"`+name+`"}`), 201)
	}
	for _, role := range []access.Role{access.Viewer, access.Editor, access.Publisher, access.Owner} {
		p.keys[role] = p.newKey("shop", `{"kind":"admin","role":"`+string(role)+`"}`)
	}
	p.keys["client"] = p.newKey("shop", `{"kind":"client"}`)
	p.keys["server"] = p.newKey("shop", `{"kind":"server"}`)
	p.keys["other"] = p.newKey("other", `{"kind":"admin","role":"owner"}`)
	return p
}

// newKey makes a key of the project with the root key.
func (p *plane) newKey(project, body string) string {
	p.t.Helper()
	answer := p.want(p.do("POST", "/v1/projects/"+project+"/keys", rootKey, body), 201)
	return answer.text("key")
}

// reply is an answer and its body, decoded if it is JSON.
type reply struct {
	t      testing.TB
	what   string
	status int
	header http.Header
	raw    string
	body   map[string]any
}

// do makes a request; headers are given as "Name: value".
func (p *plane) do(method, path, key, body string, headers ...string) *reply {
	p.t.Helper()
	var r *http.Request
	if body == "" {
		r = httptest.NewRequest(method, "http://admin.example"+path, nil)
	} else {
		r = httptest.NewRequest(method, "http://admin.example"+path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
	}
	r.RequestURI, r.URL.Scheme, r.URL.Host = path, "", "" // as a server receives it
	if key != "" {
		r.Header.Set("Api-Key", key)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	p.server.Handler().ServeHTTP(w, r)
	out := &reply{t: p.t, what: method + " " + path, status: w.Code, header: w.Header(), raw: w.Body.String()}
	if strings.Contains(w.Header().Get("Content-Type"), "json") {
		if err := json.Unmarshal(w.Body.Bytes(), &out.body); err != nil {
			p.t.Fatalf("%s: answer is not a JSON object: %v\n%s", out.what, err, out.raw)
		}
	}
	return out
}

// want checks the status.
func (p *plane) want(r *reply, status int) *reply {
	p.t.Helper()
	if r.status != status {
		p.t.Fatalf("%s: status %d, want %d\n%s", r.what, r.status, status, r.raw)
	}
	return r
}

// problem checks that the answer is a problem with the code, complete in its form.
func (p *plane) problem(r *reply, status int, code string) *reply {
	p.t.Helper()
	if r.status != status || r.text("code") != code {
		p.t.Errorf("%s: status %d code %q, want %d %q\n%s", r.what, r.status, r.body["code"], status, code, r.raw)
		return r
	}
	if r.header.Get("Content-Type") != "application/problem+json" || r.text("requestId") == "" || r.text("title") == "" ||
		r.text("instance") == "" {
		p.t.Errorf("%s: incomplete problem %s", r.what, r.raw)
	}
	return r
}

// at follows a path such as "items.0.name" into the body; nil when it leads nowhere.
func (r *reply) at(path string) any {
	var v any = r.body
	for step := range strings.SplitSeq(path, ".") {
		switch node := v.(type) {
		case map[string]any:
			v = node[step]
		case []any:
			i := int(step[0] - '0')
			if i >= len(node) {
				return nil
			}
			v = node[i]
		default:
			return nil
		}
	}
	return v
}

func (r *reply) text(path string) string {
	text, _ := r.at(path).(string)
	return text
}

func (r *reply) number(path string) float64 {
	n, ok := r.at(path).(float64)
	if !ok {
		r.t.Errorf("%s: no number at %s in %s", r.what, path, r.raw)
	}
	return n
}

func (r *reply) items(path string) []any {
	items, ok := r.at(path).([]any)
	if !ok {
		r.t.Errorf("%s: no list at %s in %s", r.what, path, r.raw)
	}
	return items
}

const shop = "/v1/projects/shop"

// declare gives the project shop a schema and a placement.
func (p *plane) declare() {
	p.t.Helper()
	for path, body := range map[string]string{
		"/attributes":  `{"name":"country","type":"string"}`,
		"/event-types": `{"name":"purchase","properties":{"total":"double"}}`,
		"/placements":  `{"placement":101,"name":"banner"}`,
	} {
		p.want(p.do("POST", shop+path, p.keys[access.Editor], body), 201)
	}
}

// promotion is a complete document.
func promotion(name, rule string) string {
	encoded, err := json.Marshal(map[string]any{
		"name": name, "rule": rule, "placements": []any{map[string]any{
			"placement": 101,
			"priority":  10,
		}},
		"content": map[string]any{"title": name},
	})
	if err != nil {
		return err.Error()
	}
	return string(encoded)
}

// publish writes and publishes a promotion.
func (p *plane) publish(id, rule string) {
	p.t.Helper()
	p.put(id, rule)
	p.want(p.do("POST", shop+"/promotions/"+id+":publish", p.keys[access.Publisher], ""), 200)
}

func (p *plane) put(id, rule string) *reply {
	p.t.Helper()
	r := p.do("PUT", shop+"/promotions/"+id, p.keys[access.Editor], promotion("Offer "+id, rule))
	if r.status != 200 && r.status != 201 {
		p.t.Fatalf("%s: status %d\n%s", r.what, r.status, r.raw)
	}
	return r
}

// user stores a user of the project.
func (p *plane) user(project, id, attributes string) {
	p.t.Helper()
	update := profile.Update{UserID: id}
	if err := json.Unmarshal([]byte(attributes), &update.Attributes); err != nil {
		p.t.Fatal(err)
	}
	if _, failed, err := p.store.PutUsers(p.t.Context(), project, []profile.Update{update}); err != nil || len(failed) > 0 {
		p.t.Fatal(failed, err)
	}
}

// entries reads the project's audit log.
func (p *plane) entries(project string) []audit.Entry {
	p.t.Helper()
	entries, _, err := p.store.Audit(p.t.Context(), project, "", 100)
	if err != nil {
		p.t.Fatal(err)
	}
	return entries
}
