package server

import (
	"fmt"
	"testing"

	"eligibility/internal/cache"

	"github.com/golang-jwt/jwt/v5"
	"github.com/valyala/fasthttp"
)

func TestSDKSyncAllocatesNothing(t *testing.T) {
	if raceDetector || copies() {
		t.Skip("this build allocates by itself")
	}
	p := newPlane(t)
	p.put("ada", `{"email":"ada+1@example.com","attributes":{"country":"DE","age":30}}`)
	p.warm("ada")
	p.sync(openKey, "email=ada%2B1@example.com")
	entry, _ := p.keyring.Lookup([]byte(openKey))
	for _, c := range []struct {
		name, query string
		reused      bool
		known       string
	}{
		{"reused", "userId=ada&platform=Web&sdkVersion=2.2.1&packageName=shop", true, ""},
		{"reused, by address", "email=ada%2B1%40example.com&platform=Web&placementIds=101&placementIds=102", true, ""},
		{"unchanged", "userId=ada&platform=Web", true, "tag"},
		{"computed", "userId=ada&placementIds=102&platform=Android", false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			query, known := []byte(c.query), []byte(nil)
			if c.known != "" {
				_, a := p.sync(openKey, c.query)
				known = []byte(a.header.Get("ETag"))
			}
			run := func() {
				st := p.acquire()
				st.caller.entry, st.known = entry, known
				if problem := p.messages(st, query); problem != nil {
					t.Fatal(problem)
				}
				if st.unchanged != (c.known != "") {
					t.Fatal("unchanged:", st.unchanged)
				}
				p.release(st)
			}
			if !c.reused {
				for i := range cache.MemoSlots {
					p.decide(fmt.Sprintf(`{"userId":"ada","limit":%d}`, 10+i))
				}
			}
			run()
			before := p.Stats().Reused()
			if n := testing.AllocsPerRun(200, run); n != 0 {
				t.Errorf("%v allocations", n)
			}
			if reused := p.Stats().Reused() > before; reused != c.reused {
				t.Errorf("reused: %v", reused)
			}
		})
	}
}

// BenchmarkHit sets the own call and the SDK's side by side: the same user, from the request having been read to the answer having been
// encoded.
func BenchmarkHit(b *testing.B) {
	p := newPlane(b)
	p.put("ada", `{"email":"ada@example.com","attributes":{"country":"DE","age":30}}`)
	p.warm("ada")
	p.sync(openKey, "email=ada@example.com")
	bearer := "Bearer " + token(b, jwt.MapClaims{"userId": "ada"})
	for _, c := range []struct{ name, method, uri, key, body string }{
		{"own", "POST", "/v1/eligibility", openKey, `{"userId":"ada","context":{"platform":"web"}}`},
		{"sdk", "GET", pathMessages + "?userId=ada&platform=Web&sdkVersion=2.2.1&packageName=shop", openKey, ""},
		{"sdk by address", "GET", pathMessages + "?email=ada%40example.com&platform=Web&sdkVersion=2.2.1&packageName=shop", openKey, ""},
		{"sdk unchanged", "GET", pathMessages + "?userId=ada&platform=Web&sdkVersion=2.2.1&packageName=shop", openKey, "known"},
		{"own with token", "POST", "/v1/eligibility", clientKey, `{"userId":"ada","context":{"platform":"web"}}`},
		{"sdk with token", "GET", pathMessages + "?userId=ada&platform=Web&sdkVersion=2.2.1&packageName=shop", clientKey, ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			var ctx fasthttp.RequestCtx
			var req fasthttp.Request
			req.Header.SetMethod(c.method)
			req.SetRequestURI(c.uri)
			req.Header.Set(headerKey, c.key)
			if c.key == clientKey {
				req.Header.Set("Authorization", bearer)
			}
			if c.method == "POST" {
				req.Header.SetContentType(contentJSON)
				req.SetBodyString(c.body)
			}
			ctx.Init(&req, nil, nil)
			p.handle(&ctx)
			if c.body == "known" {
				ctx.Request.Header.SetBytesV("If-None-Match", ctx.Response.Header.Peek("ETag"))
				ctx.Response.Reset()
				p.handle(&ctx)
			}
			b.ReportAllocs()
			for b.Loop() {
				ctx.Response.Reset()
				p.handle(&ctx)
			}
			if code := ctx.Response.StatusCode(); (code == 304) != (c.body == "known") || code >= 400 {
				b.Fatalf("status %d %s", code, ctx.Response.Body())
			}
		})
	}
}
