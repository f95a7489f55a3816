package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/audit"
	"eligibility/internal/cache"
	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
	"eligibility/internal/store/embedded"
	"eligibility/internal/stream"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp keeps the Date header current, and its worker pool looks every ten seconds whether it was stopped.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	)
}

// The keys of a test plane and the secret of its client key.
const (
	serverKey = "shop-server-key"
	clientKey = "shop-client-key" // demands tokens
	openKey   = "shop-open-key"   // demands none
	adminKey  = "shop-admin-key"
	otherKey  = "other-server-key" // of another project
	jwtSecret = "kept-by-the-shop"
)

// hints is a bus that keeps what was published.
type hints struct{ changes atomic.Int64 }

func (h *hints) PublishHint(hint *events.Hint) { h.changes.Add(int64(len(hint.Changes))) }

// faultyStore is a real store that can be switched off.
type faultyStore struct {
	*embedded.Store
	down atomic.Bool
}

func (f *faultyStore) Load(ctx context.Context, keys []profile.Key, dst []*profile.Snapshot) error {
	if f.down.Load() {
		return profile.ErrUnavailable
	}
	return f.Store.Load(ctx, keys, dst)
}

func (f *faultyStore) LoadPart(ctx context.Context, only *profile.Projection, keys []profile.Key, dst []*profile.Snapshot) error {
	if f.down.Load() {
		return profile.ErrUnavailable
	}
	return f.Store.LoadPart(ctx, only, keys, dst)
}

func (f *faultyStore) PutEvents(ctx context.Context, project string, list []profile.NewEvent) (hlc.Timestamp, []profile.ItemError, error) {
	if f.down.Load() {
		return hlc.Timestamp{}, nil, profile.ErrNotDurable
	}
	return f.Store.PutEvents(ctx, project, list)
}

func (f *faultyStore) ReadUser(ctx context.Context, key profile.Key, maxEvents int) (*profile.Record, error) {
	if key.User == "panics" {
		panic("a defect")
	}
	return f.Store.ReadUser(ctx, key, maxEvents)
}

// plane is a decision plane over a real store, cache and engine, listening on loopback.
type plane struct {
	*Server
	t         testing.TB
	addr      string
	store     *faultyStore
	users     *cache.Cache
	live      *rules.Live
	compiler  *rules.Compiler
	authoring *rules.Service
	keyring   *access.Keyring
	sealer    *access.Sealer
	hints     *hints
	streams   *stream.Hub
	client    *http.Client
}

// asker has the hub ask the plane, which is made after it.
type asker struct{ p *plane }

func (a asker) Ask(ctx context.Context, s *stream.Subject) (stream.Outlook, error) {
	return a.p.Ask(ctx, s)
}

// newPlane starts one. Each option may change the configuration of the plane.
func newPlane(t testing.TB, options ...func(*Config, *cache.Config)) *plane {
	t.Helper()
	storeCfg := embedded.Defaults("")
	storeCfg.InMemory = true
	store, err := embedded.Open(storeCfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	quiet := slog.New(slog.DiscardHandler)
	cfg, cacheCfg := Defaults(), cache.Defaults()
	cfg.ClientRate = 0
	cacheCfg.CacheBytes, cacheCfg.FloorSlots, cacheCfg.MemoBytes, cacheCfg.Bound = 8<<20, 1<<12, MemoBytes, time.Minute
	for _, option := range options {
		option(&cfg, &cacheCfg)
	}
	p := &plane{t: t, store: &faultyStore{Store: store}, live: &rules.Live{}, hints: &hints{}}
	p.compiler = rules.NewCompiler(profile.DefaultRetention)
	p.authoring = rules.NewService(store, rules.ServiceConfig{})
	clock := &hlc.Estimate{}
	if p.users, err = cache.New(cacheCfg, p.store, clock); err != nil {
		t.Fatal(err)
	}
	if err := p.users.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.users.Stop)
	began := time.Now()
	now, err := store.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	clock.Observe(now, began)
	if p.sealer, err = access.NewSealer([32]byte{1}); err != nil {
		t.Fatal(err)
	}
	p.keyring = access.NewKeyring(store, p.sealer, quiet)
	p.streams = stream.New(stream.Defaults(), asker{p})
	if err := p.streams.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.streams.Stop)
	p.Server, err = New(cfg, Deps{
		Streams: p.streams, Tickets: access.NewTickets(p.sealer, p.keyring),
		Users: p.users, Rulesets: p.live, Keys: p.keyring, Tokens: access.NewVerifier(64), Writer: p.store, Book: p.store, Profiles: p.store,
		Hints: p.hints, Fields: p.authoring, Clock: clock, Logger: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	p.seed()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = ln.Addr().String()
	p.Start(ln)
	transport := &http.Transport{DisableCompression: true}
	p.client = &http.Client{Transport: transport}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.Stop(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
	return p
}

// seed declares the shop and writes its keys.
func (p *plane) seed() {
	ctx, actor := p.t.Context(), rules.Actor{ID: "root"}
	must := func(_ any, err error) {
		p.t.Helper()
		if err != nil {
			p.t.Fatal(err)
		}
	}
	for _, project := range []string{"shop", "other"} {
		must(p.authoring.CreateProject(ctx, actor, project))
		must(p.authoring.DeclareAttribute(ctx, actor, project, "country", profile.Type{Kind: profile.String}, false))
		must(p.authoring.DeclareAttribute(ctx, actor, project, "age", profile.Type{Kind: profile.Int}, false))
		must(p.authoring.DeclareAttribute(ctx, actor, project, "score", profile.Type{Kind: profile.Double}, false))
		must(p.authoring.DeclareAttribute(ctx, actor, project, "tags", profile.Type{Kind: profile.String, Shape: profile.List}, false))
		must(p.authoring.DeclareAttribute(ctx, actor, project, "address.city", profile.Type{Kind: profile.String}, false))
		must(p.authoring.DeclareEventType(ctx, actor, project, "purchase", map[string]profile.Type{"total": {Kind: profile.Double}}))
		for _, field := range []rules.ContextField{
			{Name: "visits", Type: profile.Type{Kind: profile.Int}},
			{Name: "ratio", Type: profile.Type{Kind: profile.Double}},
			{Name: "beta", Type: profile.Type{Kind: profile.Bool}},
			{Name: "opened", Type: profile.Type{Kind: profile.Timestamp}},
		} {
			must(p.authoring.DeclareContext(ctx, actor, project, field))
		}
		must(p.authoring.DeclarePlacement(ctx, actor, project, rules.Placement{Placement: 101, Name: "home", Limit: 2}))
		must(p.authoring.DeclarePlacement(ctx, actor, project, rules.Placement{Placement: 102, Name: "cart", Limit: 1}))
	}
	p.publish("shop", rules.Promotion{
		ID: "german", Rule: "user.country == 'DE'", Placements: target(101, 1),
		Channels: []string{"push", "whatsapp"},
	})
	p.publish("shop", rules.Promotion{ID: "buyer", Rule: "events.count('purchase', duration('24h')) >= 1", Placements: target(101, 2)})
	p.publish("shop", rules.Promotion{ID: "ios", Rule: "request.platform == 'ios'", Placements: target(102, 1)})
	p.publish("shop", rules.Promotion{
		ID: "capped", Rule: "user.age >= 18", Placements: target(102, 2),
		FrequencyCap: &rules.FrequencyCap{Impressions: 2, Per: rules.Duration(time.Hour)},
	})
	p.publish("other", rules.Promotion{ID: "canary", Rule: "user.country != 'XX'", Placements: target(101, 1)})
	for _, c := range []access.Credential{
		{ID: "k1", Project: "shop", Kind: access.Server, Hash: access.Hash(serverKey)},
		{
			ID: "k2", Project: "shop", Kind: access.Client, Hash: access.Hash(clientKey), RequireJWT: true,
			Secrets: [][]byte{p.sealer.Seal([]byte(jwtSecret), "shop", "k2")},
		},
		{ID: "k3", Project: "shop", Kind: access.Client, Hash: access.Hash(openKey)},
		{ID: "k4", Project: "shop", Kind: access.Admin, Role: access.Owner, Hash: access.Hash(adminKey)},
		{ID: "k5", Project: "other", Kind: access.Server, Hash: access.Hash(otherKey)},
	} {
		must(p.store.PutCredential(ctx, c, audit.Entry{Project: c.Project, Action: "key.create", Target: c.ID}))
	}
	if err := p.keyring.Reload(ctx); err != nil {
		p.t.Fatal(err)
	}
}

func target(placement, priority int32) []rules.PlacementTarget {
	return []rules.PlacementTarget{{Placement: placement, Priority: priority}}
}

// publish puts a promotion into force and loads the ruleset that it makes.
func (p *plane) publish(project string, promotion rules.Promotion) {
	p.t.Helper()
	ctx, actor := p.t.Context(), rules.Actor{ID: "k4"}
	promotion.Name, promotion.Content.Title = promotion.ID, "Title of "+promotion.ID
	if _, err := p.authoring.SaveDraft(ctx, actor, project, promotion, ""); err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.authoring.Publish(ctx, actor, project, promotion.ID, rules.Intent{}); err != nil {
		p.t.Fatalf("publish %s: %v", promotion.ID, err)
	}
	p.reload(project)
}

func (p *plane) reload(project string) {
	p.t.Helper()
	spec, err := p.store.Spec(p.t.Context(), project)
	if err != nil {
		p.t.Fatal(err)
	}
	rs, err := p.compiler.Compile(spec, p.live.Load(project))
	if err != nil {
		p.t.Fatal(err)
	}
	if len(rs.Quarantined) > 0 {
		p.t.Fatalf("quarantined: %+v", rs.Quarantined)
	}
	p.live.Swap(rs)
	p.live.Checked(project)
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
	json   map[string]any
}

// code is that of a problem.
func (a *answer) code() string {
	code, _ := a.json["code"].(string)
	return code
}

func (a *answer) field() string {
	field, _ := a.json["field"].(string)
	return field
}

// asOf is the stamp of an answer.
func (a *answer) asOf() string {
	text, _ := a.json["asOf"].(string)
	return text
}

// call sends a request with a JSON body and an API key. Further headers come as name, value.
func (p *plane) call(method, path, key, body string, headers ...string) *answer {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, "http://"+p.addr+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if key != "" {
		req.Header.Set(headerKey, key)
	}
	if body != "" {
		req.Header.Set("Content-Type", contentJSON)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := p.client.Do(req)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	a := &answer{status: res.StatusCode, header: res.Header}
	if a.body, err = io.ReadAll(res.Body); err != nil {
		p.t.Fatal(err)
	}
	if strings.Contains(res.Header.Get("Content-Type"), "json") && !strings.Contains(res.Header.Get("Content-Type"), "ndjson") {
		if err := json.Unmarshal(a.body, &a.json); err != nil {
			p.t.Fatalf("%s %s: the answer %q is not a JSON object: %v", method, path, a.body, err)
		}
	}
	return a
}

// decide asks for a decision with the server key.
func (p *plane) decide(body string) *answer {
	p.t.Helper()
	return p.call("POST", "/v1/eligibility", serverKey, body)
}

// put writes a user and fails the test if that is refused.
func (p *plane) put(user, body string) *answer {
	p.t.Helper()
	a := p.call("PUT", "/v1/users/"+user, serverKey, body)
	if a.status != http.StatusOK {
		p.t.Fatalf("PUT %s: %d %s", user, a.status, a.body)
	}
	return a
}

// warm returns once the user is cached: the cache takes a loaded one in a moment later.
func (p *plane) warm(user string) {
	p.t.Helper()
	key, demand := profile.Key{Project: "shop", User: user}, cache.Demand{}
	waitFor(p.t, func() bool {
		if _, err := p.users.Get(p.t.Context(), key, &demand); err != nil {
			p.t.Fatal(err)
		}
		_, ok := p.users.Hit(key, &demand)
		return ok
	})
}

// shown is the ids of the promotions in a placement of an answer.
func (a *answer) shown(placement float64) []string {
	shown := []string{}
	list, _ := a.json["placements"].([]any)
	for _, item := range list {
		entry := item.(map[string]any)
		if entry["placement"] != placement {
			continue
		}
		for _, message := range entry["messages"].([]any) {
			shown = append(shown, message.(map[string]any)["promotion"].(string))
		}
	}
	return shown
}

func (a *answer) contains(text string) bool { return bytes.Contains(a.body, []byte(text)) }

// token signs a user token as the shop's backend does.
func token(t testing.TB, claims jwt.MapClaims) string {
	t.Helper()
	full := jwt.MapClaims{"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	for name, value := range claims {
		full[name] = value
	}
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, full).SignedString([]byte(jwtSecret))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
