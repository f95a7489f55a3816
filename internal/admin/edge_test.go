package admin_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/admin"
	"eligibility/internal/cache"
	"eligibility/internal/profile"
	"eligibility/internal/rules"

	"go.uber.org/goleak"
)

func TestBadRequests(t *testing.T) {
	p := newPlane(t)
	key := p.keys[access.Owner]
	for _, tt := range []struct {
		name, method, path, key, body string
		headers                       []string
		status                        int
		code                          string
	}{
		{"no key", "GET", shop, "", "", nil, 401, "missing_credential"},
		{"an unknown key", "GET", shop, "elg_admin_x_y", "", nil, 401, "invalid_credential"},
		{"a key of a megabyte", "GET", shop, strings.Repeat("k", 1<<20), "", nil, 401, "invalid_credential"},
		{"an unknown path", "GET", shop + "/nothing", key, "", nil, 404, "not_found"},
		{"an unknown verb", "POST", shop + "/promotions/a:explode", key, "", nil, 404, "not_found"},
		{"no verb", "POST", shop + "/promotions/a", key, "", nil, 404, "not_found"},
		{"a path with //", "GET", "/v1//projects/shop", key, "", nil, 404, "not_found"},
		{"a path with ..", "GET", "/v1/projects/other/../shop", key, "", nil, 404, "not_found"},
		{"a path with %2e%2e", "GET", "/v1/projects/other/%2e%2e/shop", key, "", nil, 404, "not_found"},
		{"a path with an encoded slash", "GET", shop + "/promotions/a%2Fb", key, "", nil, 404, "promotion_not_found"},
		{"a path with NUL", "GET", shop + "/promotions/%00", key, "", nil, 404, "not_found"},
		{"a trailing slash", "GET", shop + "/", key, "", nil, 404, "not_found"},
		{"a wrong method", "PATCH", shop + "/promotions/a", key, "", nil, 405, "method_not_allowed"},
		{"an unknown parameter", "GET", shop + "/promotions?limt=3", key, "", nil, 400, "invalid_parameter"},
		{"a repeated parameter", "GET", shop + "/promotions?limit=3&limit=4", key, "", nil, 400, "invalid_parameter"},
		{"a limit of 0", "GET", shop + "/promotions?limit=0", key, "", nil, 400, "invalid_parameter"},
		{"a limit of a million", "GET", shop + "/promotions?limit=1000000", key, "", nil, 400, "invalid_parameter"},
		{"a cursor that is none", "GET", shop + "/audit?cursor=zzz", key, "", nil, 400, "invalid_parameter"},
		{"no body", "POST", shop + "/attributes", key, "", nil, 400, "empty_body"},
		{"a body that is no JSON", "POST", shop + "/attributes", key, "{", nil, 400, "invalid_json"},
		{"a list for an object", "POST", shop + "/attributes", key, "[]", nil, 400, "invalid_json_type"},
		{"something behind the body", "POST", shop + "/attributes", key, `{"name":"a","type":"int"} x`, nil, 400, "invalid_json"},
		{"an unknown field", "POST", shop + "/attributes", key, `{"name":"a","type":"int","project":"other"}`, nil, 400, "unknown_field"},
		{"a field in the wrong case", "POST", shop + "/attributes", key, `{"Name":"a","type":"int"}`, nil, 400, "unknown_field"},
		{"a field twice", "POST", shop + "/attributes", key, `{"name":"a","name":"b","type":"int"}`, nil, 400, "duplicate_key"},
		{"a field of the wrong type", "POST", shop + "/attributes", key, `{"name":7,"type":"int"}`, nil, 400, "wrong_type"},
		{"an unknown type", "POST", shop + "/attributes", key, `{"name":"a","type":"uuid"}`, nil, 400, "invalid_value"},
		{"null for an object", "POST", shop + "/attributes", key, "null", nil, 400, "invalid_json_type"},
		{"a query that is not encoded", "GET", shop + "/promotions?%zz", key, "", nil, 400, "invalid_parameter"},
		{"no type", "POST", shop + "/attributes", key, `{"name":"a"}`, nil, 400, "missing_field"},
		{"10,000 brackets", "POST", shop + "/attributes", key, strings.Repeat("[", 10_000), nil, 400, "too_deep"},
		{"bad UTF-8", "POST", shop + "/attributes", key, "{\"name\":\"\xff\"}", nil, 400, "invalid_utf8"},
		{"a body of 1 MiB and a byte", "POST", shop + "/attributes", key, strings.Repeat(" ", 1<<20) + "{}", nil, 413, "body_too_large"},
		{"a compressed body", "POST", shop + "/attributes", key, "{}", []string{"Content-Encoding: gzip"}, 415, "unsupported_encoding"},
		{"a form", "POST", shop + "/attributes", key, "{}", []string{"Content-Type: text/html"}, 415, "unsupported_media_type"},
		{"a malformed name", "POST", shop + "/attributes", key, `{"name":"a-b","type":"int"}`, nil, 422, "schema_invalid"},
		{"a reserved name", "POST", shop + "/attributes", key, `{"name":"id","type":"int"}`, nil, 422, "schema_invalid"},
		{"a list as a property", "POST", shop + "/event-types", key, `{"name":"x","properties":{"p":"list<int>"}}`, nil, 422, "schema_invalid"},
		{"a built-in attribute of another type", "POST", shop + "/attributes", key, `{"name":"email","type":"int"}`, nil, 409, "exists"},
		{"a setting that is none", "PUT", shop, key, `{"onStoreDown":"panic"}`, nil, 400, "invalid_value"},
		{"a duration that is none", "PUT", shop, key, `{"maxStale":"soon"}`, nil, 400, "invalid_value"},
		{"an If-Match that is no ETag", "DELETE", shop + "/promotions/a", key, "", []string{"If-Match: 7, 8"}, 412, "precondition_failed"},
		{"a weak If-Match", "DELETE", shop + "/promotions/a", key, "", []string{`If-Match: W/"1"`}, 412, "precondition_failed"},
		{"an id with a capital", "PUT", shop + "/promotions/Spring", key, promotion("a", "true"), nil, 422, "promotion_invalid"},
		{"a body of another promotion", "PUT", shop + "/promotions/a", key, `{"id":"b"}`, nil, 400, "invalid_value"},
		{"a wait of an hour", "POST", shop + "/promotions/a:publish?wait=1h", key, "", nil, 400, "invalid_parameter"},
		{"a revision to pause", "POST", shop + "/promotions/a:pause", key, `{"revision":1}`, nil, 400, "invalid_value"},
		{"a project name with a capital", "POST", "/v1/projects", rootKey, `{"project":"Shop"}`, nil, 400, "invalid_project"},
		{"an unknown project", "GET", "/v1/projects/nobody", rootKey, "", nil, 404, "project_not_found"},
		{"a project that cannot be", "GET", "/v1/projects/No-Body", rootKey, "", nil, 404, "project_not_found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p.t = t
			r := p.problem(p.do(tt.method, tt.path, tt.key, tt.body, tt.headers...), tt.status, tt.code)
			if len(r.raw) > 2000 {
				t.Errorf("the answer repeats the request: %d bytes", len(r.raw))
			}
		})
	}
	p.t = t
	if r := p.do("PATCH", shop+"/promotions/a", key, ""); r.header.Get("Allow") != "DELETE, GET, HEAD, POST, PUT" { // POST for the verbs
		t.Errorf("Allow: %q", r.header.Get("Allow"))
	}
	if r := p.do("GET", shop, "", ""); r.header.Get("WWW-Authenticate") == "" {
		t.Error("401 without WWW-Authenticate")
	}
	if stats := p.server.Stats(); stats.ClientErrors < 40 || stats.ServerErrors != 0 || stats.Panics != 0 {
		t.Errorf("stats %+v", stats)
	}
}

// TestRoles asks every call with every key, and wants 403 exactly where the role does not reach.
func TestRoles(t *testing.T) {
	p := newPlane(t)
	p.declare()
	p.user("shop", "ada", `{"country":"US"}`)
	p.publish("a", "user.country == 'US'")
	for _, tt := range []struct {
		method, path, body string
		need               access.Role
	}{
		{"GET", shop, "", access.Viewer},
		{"PUT", shop, `{}`, access.Owner},
		{"GET", shop + "/attributes", "", access.Viewer},
		{"POST", shop + "/attributes", `{"name":"country","type":"string"}`, access.Editor},
		{"GET", shop + "/event-types", "", access.Viewer},
		{"POST", shop + "/event-types", `{"name":"purchase","properties":{}}`, access.Editor},
		{"GET", shop + "/context", "", access.Viewer},
		{"POST", shop + "/context", `{"name":"locale","type":"string"}`, access.Editor},
		{"GET", shop + "/placements", "", access.Viewer},
		{"POST", shop + "/placements", `{"placement":101,"name":"banner"}`, access.Editor},
		{"PUT", shop + "/placements/101", `{"name":"banner","limit":1}`, access.Editor},
		{"GET", shop + "/observed", "", access.Viewer},
		{"GET", shop + "/keys", "", access.Owner},
		{"POST", shop + "/keys", `{"kind":"server"}`, access.Owner},
		{"POST", shop + "/keys/nobody:revoke", "", access.Owner},
		{"POST", shop + "/keys/nobody:rotate", "", access.Owner},
		{"GET", shop + "/promotions", "", access.Viewer},
		{"GET", shop + "/promotions/a", "", access.Viewer},
		{"PUT", shop + "/promotions/a", promotion("Offer a", "user.country == 'US'"), access.Editor},
		{"GET", shop + "/promotions/a/revisions", "", access.Viewer},
		{"GET", shop + "/promotions/a/diff", "", access.Viewer},
		{"POST", shop + "/promotions/a:check", "", access.Viewer},
		{"POST", shop + "/promotions/a:preview", `{"userId":"ada"}`, access.Viewer},
		{"POST", shop + "/promotions/a:publish", `{"revision":1}`, access.Publisher},
		{"POST", shop + "/promotions/a:rollback", `{"revision":1}`, access.Publisher},
		{"POST", shop + "/promotions/a:pause", "", access.Publisher},
		{"POST", shop + "/promotions/a:resume", "", access.Publisher},
		{"POST", shop + "/rules:check", `{"rule":"true"}`, access.Viewer},
		{"GET", shop + "/explain?userId=ada&promotion=a", "", access.Viewer},
		{"GET", shop + "/audit", "", access.Viewer},
		{"GET", shop + "/status", "", access.Viewer},
		{"GET", "/v1/projects", "", ""},
		{"POST", "/v1/projects", `{"project":"third"}`, ""},
		{"DELETE", shop + "/promotions/a", "", access.Publisher}, // last: it takes a away
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			p.t = t
			for _, role := range []access.Role{access.Viewer, access.Editor, access.Publisher, access.Owner} {
				r := p.do(tt.method, tt.path, p.keys[role], tt.body)
				if allowed := tt.need != "" && role.Allows(tt.need); !allowed {
					p.problem(r, 403, "forbidden")
				} else if r.status == 401 || r.status == 403 || r.status >= 500 || r.status == 400 || r.status == 422 {
					t.Errorf("%s as %s: status %d\n%s", r.what, role, r.status, r.raw)
				}
			}
			for _, kind := range []access.Role{"client", "server"} {
				p.problem(p.do(tt.method, tt.path, p.keys[kind], tt.body), 403, "forbidden")
			}
			if strings.HasPrefix(tt.path, shop) {
				p.problem(p.do(tt.method, tt.path, p.keys["other"], tt.body), 404, "project_not_found")
			}
			if r := p.do(tt.method, tt.path, rootKey, tt.body); r.status == 403 || r.status >= 500 {
				t.Errorf("%s as root: status %d\n%s", r.what, r.status, r.raw)
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	p := newPlane(t)
	r := p.want(p.do("GET", shop, p.keys[access.Viewer], "", "X-Request-Id: trace-1.a:b_c"), 200)
	for name, want := range map[string]string{
		"X-Request-Id": "trace-1.a:b_c", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Content-Type": "application/json",
	} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if !strings.Contains(r.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("Content-Security-Policy: %q", r.header.Get("Content-Security-Policy"))
	}
	for _, bad := range []string{"", "a b", "<script>", strings.Repeat("x", 200)} {
		r := p.do("GET", shop, p.keys[access.Viewer], "", "X-Request-Id: "+bad)
		if got := r.header.Get("X-Request-Id"); got == bad || len(got) < 16 {
			t.Errorf("request id %q was answered as %q, want one of ours", bad, got)
		}
	}
}

// broken is a source of users that panics.
type broken struct{}

func (broken) Get(context.Context, profile.Key, *cache.Demand) (cache.Read, error) { panic("boom") }

func TestAPanicIsOneAnswer(t *testing.T) {
	p := newPlane(t, func(_ *admin.Config, d *admin.Deps) { d.Users = broken{} })
	p.declare()
	p.publish("a", "user.country == 'US'")
	r := p.problem(p.do("GET", shop+"/explain?userId=ada&promotion=a", p.keys[access.Viewer], ""), 500, "internal")
	if strings.Contains(r.raw, "boom") || !strings.Contains(p.log.String(), "boom") {
		t.Errorf("the panic's text belongs into the log alone:\n%s\n%s", r.raw, p.log)
	}
	if p.server.Stats().Panics != 1 {
		t.Errorf("stats %+v, want one panic", p.server.Stats())
	}
	p.want(p.do("GET", shop, p.keys[access.Viewer], ""), 200)
}

// down is a source of users whose store cannot be read.
type down struct{ err error }

func (d down) Get(context.Context, profile.Key, *cache.Demand) (cache.Read, error) {
	return cache.Read{}, d.err
}

func TestFaultsBehindThePlane(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		code   string
	}{
		{profile.ErrUnavailable, 503, "store_unavailable"},
		{cache.ErrSchemaBehind, 503, "store_unavailable"},
		{cache.ErrOverloaded, 503, "overloaded"},
		{context.DeadlineExceeded, 503, "store_unavailable"},
		{io.ErrUnexpectedEOF, 500, "internal"},
	} {
		t.Run(tt.err.Error(), func(t *testing.T) {
			p := newPlane(t, func(_ *admin.Config, d *admin.Deps) { d.Users = down{tt.err} })
			p.declare()
			p.publish("a", "user.country == 'US'")
			r := p.problem(p.do("GET", shop+"/explain?userId=ada&promotion=a", p.keys[access.Viewer], ""), tt.status, tt.code)
			if (r.header.Get("Retry-After") != "") != (tt.status == 503) {
				t.Errorf("Retry-After: %q", r.header.Get("Retry-After"))
			}
			if strings.Contains(r.raw, tt.err.Error()) {
				t.Errorf("the inner error reached the caller: %s", r.raw)
			}
		})
	}
}

func TestOverTheWire(t *testing.T) {
	p := newPlane(t)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.server.Start(ln)
	request, err := http.NewRequest("GET", "http://"+ln.Addr().String()+shop, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Api-Key", p.keys[access.Viewer])
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != 200 || !strings.Contains(string(body), `"project":"shop"`) {
		t.Errorf("status %d, %v\n%s", answer.StatusCode, err, body)
	}
	_ = answer.Body.Close()
	transport.CloseIdleConnections()
	post := "POST " + shop + "/rules:check HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nApi-Key: " +
		p.keys[access.Viewer] + "\r\n"
	for _, c := range []struct{ name, rest, status, code string }{
		{"a chunk of -1 bytes", "Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n", "400", "bad_request"},
		{"a chunk size of 17 digits", "Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\na\r\n0\r\n\r\n", "400", "bad_request"},
		{"100 Continue is not said to a body beyond the limit", "Expect: 100-continue\r\nContent-Length: 5242880\r\n\r\n", "413", "body_too_large"},
	} {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = io.WriteString(conn, post+c.rest)
		got, err := io.ReadAll(conn)
		if !strings.HasPrefix(string(got), "HTTP/1.1 "+c.status+" ") || !strings.Contains(string(got), `"code":"`+c.code+`"`) {
			t.Errorf("%s: %.300q, %v; want %s %s", c.name, got, err, c.status, c.code)
		}
		_ = conn.Close()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for range 2 {
		if err := p.server.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
}

func TestConfigurationFaultsAreToldTogether(t *testing.T) {
	cfg := admin.Defaults()
	if err := cfg.Validate(); err != nil {
		t.Errorf("defaults: %v", err)
	}
	_, err := admin.New(admin.Config{}, admin.Deps{Logger: slog.New(slog.DiscardHandler), Live: &rules.Live{}})
	if err == nil || !strings.Contains(err.Error(), "idle timeout") || !strings.Contains(err.Error(), "1 MiB") &&
		!strings.Contains(err.Error(), "64 KiB") ||
		!strings.Contains(err.Error(), "dependency") {
		t.Errorf("got %v, want all faults", err)
	}
}
