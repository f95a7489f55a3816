package server

import (
	"bytes"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/audit"
	"eligibility/internal/cache"

	"github.com/golang-jwt/jwt/v5"
	"github.com/valyala/fasthttp"
)

func TestWhoMayCallWhat(t *testing.T) {
	p := newPlane(t)
	p.put("ada", `{"email":"Ada@Example.org"}`)
	p.put("bob", `{"email":"bob@example.org"}`)
	calls := map[string]struct{ method, path, body string }{
		"eligibility": {"POST", "/v1/eligibility", `{"userId":"ada"}`},
		"engagement":  {"POST", "/v1/engagement", `{"userId":"ada","messageId":"x","kind":"click"}`},
		"precheck":    {"POST", "/v1/precheck", `{"promotion":"german","channel":"push","userIds":["ada"]}`},
		"put user":    {"PUT", "/v1/users/ada", `{}`},
		"get user":    {"GET", "/v1/users/ada", ``},
		"bulk":        {"POST", "/v1/users:bulk", `[{"userId":"ada"}]`},
		"events":      {"POST", "/v1/events", `[{"userId":"ada","name":"x"}]`},
	}
	bearer := func(claims jwt.MapClaims) string { return "Bearer " + token(t, claims) }
	mine := token(t, jwt.MapClaims{"userId": "ada"})
	bob, bobMail := bearer(jwt.MapClaims{"userId": "bob"}), bearer(jwt.MapClaims{"email": "bob@example.org"})
	decade := time.Now().AddDate(10, 0, 0).Unix()
	byMail := token(t, jwt.MapClaims{"email": "ada@EXAMPLE.org"})
	for _, c := range []struct {
		name, call, key, auth string
		status                int
		code                  string
	}{
		{"no key", "eligibility", "", "", 401, "missing_credential"},
		{"unknown key", "eligibility", "guess", "", 401, "invalid_credential"},
		{"key of a megabyte is a header too large", "eligibility", strings.Repeat("k", 9000), "", 431, "header_too_large"},
		{"admin key", "eligibility", adminKey, "", 403, "forbidden"},
		{"admin key, ingest", "put user", adminKey, "", 403, "forbidden"},
		{"server key", "eligibility", serverKey, "", 200, ""},
		{"server key reports engagement", "engagement", serverKey, "", 200, ""},
		{"server key with somebody's token", "eligibility", serverKey, "Bearer x", 200, ""},
		{"open client key", "eligibility", openKey, "", 200, ""},
		{"open client key with a token it cannot verify", "eligibility", openKey, "Bearer x", 200, ""},
		{"client key reads a profile", "get user", openKey, "", 403, "forbidden"},
		{"client key writes a profile", "put user", openKey, "", 403, "forbidden"},
		{"client key writes profiles", "bulk", openKey, "", 403, "forbidden"},
		{"client key writes events", "events", openKey, "", 403, "forbidden"},
		{"client key pre-checks", "precheck", openKey, "", 403, "forbidden"},

		{"no token", "eligibility", clientKey, "", 401, "missing_token"},
		{"no token, engagement", "engagement", clientKey, "", 401, "missing_token"},
		{"another scheme", "eligibility", clientKey, "Basic " + mine, 401, "missing_token"},
		{"empty token", "eligibility", clientKey, "Bearer ", 401, "missing_token"},
		{"token", "eligibility", clientKey, "Bearer " + mine, 200, ""},
		{"scheme in another case", "eligibility", clientKey, "bearer " + mine, 200, ""},
		{"token, engagement", "engagement", clientKey, "Bearer " + mine, 200, ""},
		{"token of another user", "eligibility", clientKey, bob, 403, "user_mismatch"},
		{"token of another user, engagement", "engagement", clientKey, bob, 403, "user_mismatch"},
		{"token by e-mail", "eligibility", clientKey, "Bearer " + byMail, 200, ""},
		{"token by e-mail, engagement", "engagement", clientKey, "Bearer " + byMail, 200, ""},
		{"e-mail of another user", "eligibility", clientKey, bobMail, 403, "user_mismatch"},
		{"e-mail of another user, engagement", "engagement", clientKey, bobMail, 403, "user_mismatch"},
		{"e-mail of nobody", "eligibility", clientKey, bearer(jwt.MapClaims{"email": "eve@example.org"}), 403, "user_mismatch"},
		{"expired", "eligibility", clientKey, bearer(jwt.MapClaims{"userId": "ada", "iat": 1, "exp": 2}), 401, "expired_token"},
		{"ten years", "eligibility", clientKey, bearer(jwt.MapClaims{"userId": "ada", "exp": decade}), 401, "invalid_token"},
		{"not signed", "eligibility", clientKey, "Bearer eyJhbGciOiJub25lIn0.eyJ1c2VySWQiOiJhZGEifQ.", 401, "invalid_token"},
		{"dots", "eligibility", clientKey, "Bearer " + strings.Repeat(".", 5000), 401, "invalid_token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			call := calls[c.call]
			headers := []string{}
			if c.auth != "" {
				headers = append(headers, "Authorization", c.auth)
			}
			a := p.call(call.method, call.path, c.key, call.body, headers...)
			if a.status != c.status || a.code() != c.code {
				t.Fatalf("%d %s, want %d %s\n%s", a.status, a.code(), c.status, c.code, a.body)
			}
			if c.status == http.StatusUnauthorized && a.header.Get("WWW-Authenticate") == "" {
				t.Error("no WWW-Authenticate")
			}
			if len(c.auth) > 20 && a.contains(c.auth[len(c.auth)-10:]) {
				t.Error("the answer repeats the token")
			}
		})
	}
}

func TestTheTokenNamesTheUserWhenTheBodyDoesNot(t *testing.T) {
	p := newPlane(t)
	p.put("ada", `{"email":"ada@example.org","attributes":{"country":"DE"}}`)
	for _, claims := range []jwt.MapClaims{{"userId": "ada"}, {"email": "ada@example.org"}} {
		a := p.call("POST", "/v1/eligibility", clientKey, `{}`, "Authorization", "Bearer "+token(t, claims))
		if a.status != 200 || a.json["userId"] != "ada" || len(a.shown(101)) != 1 {
			t.Errorf("%v: %d %s", claims, a.status, a.body)
		}
	}
	bearer := "Bearer " + token(t, jwt.MapClaims{"userId": "ada"})
	a := p.call("POST", "/v1/eligibility", clientKey, `{"explain":true}`, "Authorization", bearer)
	if a.status != 403 || a.code() != "explain_not_allowed" {
		t.Errorf("explain with a client key: %d %s", a.status, a.code())
	}
}

func TestARevokedKeyIsRefused(t *testing.T) {
	p := newPlane(t)
	if a := p.decide(`{"userId":"ada"}`); a.status != 200 {
		t.Fatalf("before: %d", a.status)
	}
	now := time.Now()
	revoked := access.Credential{ID: "k1", Project: "shop", Kind: access.Server, Hash: access.Hash(serverKey), RevokedAt: &now}
	if _, err := p.store.PutCredential(t.Context(), revoked, audit.Entry{Project: "shop", Action: "key.revoke", Target: "k1"}); err != nil {
		t.Fatal(err)
	}
	if err := p.keyring.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := p.decide(`{"userId":"ada"}`); a.status != 401 || a.code() != "invalid_credential" {
		t.Errorf("after: %d %s", a.status, a.code())
	}
}

func TestClientKeysAreLimitedAndServerKeysAreNot(t *testing.T) {
	p := newPlane(t, func(c *Config, _ *cache.Config) { c.ClientRate = 1 })
	count := func(key string) (limited int, last *answer) {
		for range 20 {
			if a := p.call("POST", "/v1/eligibility", key, `{"userId":"ada"}`); a.status == http.StatusTooManyRequests {
				limited, last = limited+1, a
			}
		}
		return limited, last
	}
	if n, _ := count(serverKey); n != 0 {
		t.Errorf("%d of 20 requests with a server key are limited", n)
	}
	n, last := count(openKey)
	if n < 10 || last.code() != "rate_limited" || last.header.Get("Retry-After") != "1" {
		t.Errorf("%d of 20 requests with a client key are limited: %+v", n, last)
	}
	if got := p.Stats().Limited(); got != uint64(n) {
		t.Errorf("Limited = %d, want %d", got, n)
	}
}

func TestTheAddressBehindTrustedProxies(t *testing.T) {
	s := &Server{cfg: Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("0.0.0.0/32")}}}
	for _, c := range []struct {
		name    string
		forward []string
		want    string
	}{
		{"none", nil, "0.0.0.0"},
		{"client", []string{"192.0.2.7"}, "192.0.2.7"},
		{"client and proxies", []string{"192.0.2.7, 10.1.1.1,10.2.2.2"}, "192.0.2.7"},
		{"forged before the client", []string{"1.1.1.1, 192.0.2.7, 10.1.1.1"}, "192.0.2.7"},
		{"in two headers", []string{"1.1.1.1", "192.0.2.7"}, "192.0.2.7"},
		{"only proxies", []string{"10.1.1.1"}, "10.1.1.1"},
		{"garbage", []string{"192.0.2.7, what"}, "0.0.0.0"},
		{"IPv6", []string{"2001:db8::1"}, "2001:db8::1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var ctx fasthttp.RequestCtx // its peer is 0.0.0.0
			for _, header := range c.forward {
				ctx.Request.Header.Add("X-Forwarded-For", header)
			}
			if got := s.address(&ctx); got.String() != c.want {
				t.Errorf("address = %v, want %s", got, c.want)
			}
		})
	}
	var ctx fasthttp.RequestCtx
	ctx.Request.Header.Set("X-Forwarded-For", "192.0.2.7")
	if got := (&Server{}).address(&ctx); got.String() != "0.0.0.0" {
		t.Errorf("without trusted proxies the header is believed: %v", got)
	}
}

func TestProjectsAreApartOnOneConnection(t *testing.T) {
	p := newPlane(t)
	for key, country := range map[string]string{serverKey: "DE", otherKey: "FR"} {
		a := p.call("PUT", "/v1/users/u1", key, fmt.Sprintf(`{"attributes":{"country":%q,"secret":"canary-%s"}}`, country, country))
		if a.status != 200 {
			t.Fatal(string(a.body))
		}
	}
	conn := p.dial()
	for i := range 200 {
		key, want, never := serverKey, []byte(`"promotion":"german"`), [][]byte{[]byte("canary-FR"), []byte(`"promotion":"canary"`)}
		if i%2 == 1 {
			key, want, never = otherKey, []byte(`"promotion":"canary"`), [][]byte{[]byte("canary-DE"), []byte(`"promotion":"german"`)}
		}
		var got []byte
		if i%4 < 2 {
			got = conn.roundTrip(request("POST", "/v1/eligibility", key, `{"userId":"u1","placements":[101]}`))
		} else {
			got = conn.roundTrip(request("GET", "/v1/users/u1", key, ""))
			want = nil
		}
		if !bytes.Contains(got, []byte("HTTP/1.1 200")) || want != nil && !bytes.Contains(got, want) {
			t.Fatalf("request %d with %s: %s", i, key, got)
		}
		for _, n := range never {
			if bytes.Contains(got, n) {
				t.Fatalf("request %d with %s shows %s of the other project: %s", i, key, n, got)
			}
		}
	}
}
