package server

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"eligibility/internal/cache"
)

// conn is a raw connection: what http clients would never send can be sent over it.
type conn struct {
	net.Conn
	t  testing.TB
	in *bufio.Reader
}

func (p *plane) dial() *conn {
	p.t.Helper()
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		p.t.Fatal(err)
	}
	return &conn{Conn: c, t: p.t, in: bufio.NewReader(c)}
}

// request is the text of a well-formed request.
func request(method, path, key, body string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: x\r\nApi-Key: %s\r\n", method, path, key)
	if body != "" {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	return b.String() + "\r\n" + body
}

// roundTrip sends text and reads one answer, header and body.
func (c *conn) roundTrip(text string) []byte {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.t.Fatalf("after %.200q: %v", text, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return fmt.Appendf(nil, "%s %s\n%s", res.Proto, res.Status, body)
}

// all sends text and reads until the server closes.
func (c *conn) all(text string) string {
	c.t.Helper()
	_, _ = io.WriteString(c, text) // the server may close before it has read everything
	got, err := io.ReadAll(c.in)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		c.t.Errorf("after %.200q: %v", text, err)
	}
	return string(got)
}

func TestRoutes(t *testing.T) {
	p := newPlane(t)
	ask := `{"userId":"a"}`
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		code                     string
	}{
		{"GET on a POST route", "GET", "/v1/eligibility", "", 405, "method_not_allowed"},
		{"GET with a body on a POST route", "GET", "/v1/eligibility", ask, 405, "method_not_allowed"},
		{"HEAD", "HEAD", "/v1/users/a", "", 405, ""},
		{"POST on a user", "POST", "/v1/users/a", ask, 405, "method_not_allowed"},
		{"unknown method", "FOO", "/v1/eligibility", ask, 405, "method_not_allowed"},
		{"part of a known method", "OST", "/v1/eligibility", ask, 405, "method_not_allowed"},
		{"method in lower case", "post", "/v1/eligibility", ask, 405, "method_not_allowed"},
		{"OPTIONS", "OPTIONS", "/v1/eligibility", "", 405, "method_not_allowed"},
		{"root", "GET", "/", "", 404, "not_found"},
		{"control plane", "GET", "/v1/projects/shop", "", 404, "not_found"},
		{"trailing slash", "POST", "/v1/eligibility/", ask, 404, "not_found"},
		{"double slashes", "POST", "//v1//eligibility", ask, 404, "not_found"},
		{"other case", "POST", "/V1/Eligibility", ask, 404, "not_found"},
		{"dot segment", "POST", "/v1/./eligibility", ask, 404, "not_found"},
		{"parent segment", "GET", "/v1/users/../eligibility", "", 404, "not_found"},
		{"encoded parent segment", "GET", "/v1/%2e%2e/admin", "", 404, "not_found"},
		{"encoded letter", "POST", "/v1/%65ligibility", ask, 404, "not_found"},
		{"encoded NUL", "POST", "/v1/eligibility%00", ask, 404, "not_found"},
		{"encoded NUL in a user", "GET", "/v1/users/a%00", "", 400, "invalid_user_id"},
		{"user is a dot segment", "GET", "/v1/users/..", "", 404, "not_found"},
		{"no user", "GET", "/v1/users/", "", 404, "not_found"},
		{"broken escape", "GET", "/v1/users/%zz", "", 400, "invalid_user_id"},
		{"user with an encoded slash", "GET", "/v1/users/a%2Fb", "", 404, "user_not_found"},
		{"query", "POST", "/v1/eligibility?now=1", ask, 400, "invalid_parameter"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := p.dial()
			if _, err := io.WriteString(got, request(c.method, c.path, serverKey, c.body)); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(got.in, &http.Request{Method: c.method})
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if res.StatusCode != c.status || c.code != "" && !bytes.Contains(body, []byte(`"code":"`+c.code+`"`)) {
				t.Fatalf("%s %s: %d %s, want %d %s", c.method, c.path, res.StatusCode, body, c.status, c.code)
			}
			if c.status == 405 && res.Header.Get("Allow") == "" {
				t.Error("no Allow")
			}
		})
	}
}

func TestContentHeaders(t *testing.T) {
	p := newPlane(t)
	var bomb bytes.Buffer
	zip := gzip.NewWriter(&bomb)
	_, _ = zip.Write(bytes.Repeat([]byte("0"), 10<<20))
	_ = zip.Close()
	ask := `{"userId":"a"}`
	for _, c := range []struct {
		name, contentType, encoding, body string
		status                            int
		code                              string
	}{
		{"JSON", "application/json", "", ask, 200, ""},
		{"JSON with a charset", "Application/JSON; charset=utf-8", "", ask, 200, ""},
		{"none", "", "", ask, 415, "unsupported_media_type"},
		{"HTML", "text/html", "", ask, 415, "unsupported_media_type"},
		{"form", "application/x-www-form-urlencoded", "", ask, 415, "unsupported_media_type"},
		{"JSON of another kind", "application/jsonp", "", ask, 415, "unsupported_media_type"},
		{"gzip bomb", "application/json", "gzip", bomb.String(), 415, "unsupported_encoding"},
		{"brotli", "application/json", "br", "x", 415, "unsupported_encoding"},
		{"identity", "application/json", "identity", ask, 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := fmt.Sprintf("POST /v1/eligibility HTTP/1.1\r\nHost: x\r\nApi-Key: %s\r\nContent-Length: %d\r\n", serverKey, len(c.body))
			if c.contentType != "" {
				text += "Content-Type: " + c.contentType + "\r\n"
			}
			if c.encoding != "" {
				text += "Content-Encoding: " + c.encoding + "\r\n"
			}
			got := string(p.dial().roundTrip(text + "\r\n" + c.body))
			status, code := fmt.Sprintf("HTTP/1.1 %d ", c.status), `"code":"`+c.code+`"`
			if !strings.Contains(got, status) || c.code != "" && !strings.Contains(got, code) {
				t.Errorf("got %s, want %d %s", got, c.status, c.code)
			}
		})
	}
}

// TestFraming sends what an attacker sends who wants a proxy and this server to disagree about where a request ends. Each
// must be refused and the connection closed, so that what follows is never read as a request.
func TestFraming(t *testing.T) {
	p := newPlane(t)
	next := request("GET", "/v1/users/smuggled", serverKey, "")
	const post = "POST /v1/eligibility HTTP/1.1\r\nHost: x\r\nApi-Key: " + serverKey + "\r\nContent-Type: application/json\r\n"
	const chunked = "Transfer-Encoding: chunked\r\n\r\n"
	body := `{"userId":"a"}`
	tooMany := strings.Repeat("1000\r\n"+strings.Repeat("x", 0x1000)+"\r\n", 17)
	for _, c := range []struct{ name, text, status string }{
		{"absolute form", "GET http://evil.test/v1/users/a HTTP/1.1\r\nHost: x\r\nApi-Key: " + serverKey + "\r\n\r\n", "400"},
		{"authority form", "CONNECT evil.test:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "400"},
		{"asterisk form", "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "400"},
		{"no Host", "POST /v1/eligibility HTTP/1.1\r\nApi-Key: x\r\n\r\n", "400"},
		{"two Hosts", "POST /v1/eligibility HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "400"},
		{"blank before the colon", "POST /v1/eligibility HTTP/1.1\r\nHost : x\r\n\r\n", "400"},
		{"folded header", "POST /v1/eligibility HTTP/1.1\r\nHost: x\r\nX-A: a\r\n b\r\n\r\n", "400"},
		{"bare LF", "POST /v1/eligibility HTTP/1.1\nHost: x\nApi-Key: x\n\n", "400"},
		{"bare CR", "POST /v1/eligibility HTTP/1.1\r\nHost: x\rX-A: b\r\n\r\n", "400"},
		{"NUL in a header", "POST /v1/eligibility HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\n\r\n", "400"},
		{"Content-Length and Transfer-Encoding", post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		{"two different Content-Lengths", post + "Content-Length: 14\r\nContent-Length: 15\r\n\r\n" + body, "400"},
		{"Content-Length with a plus", post + "Content-Length: +14\r\n\r\n" + body, "400"},
		{"negative Content-Length", post + "Content-Length: -14\r\n\r\n" + body, "400"},
		{"Content-Length beyond 64 bits", post + "Content-Length: 18446744073709551617\r\n\r\n" + body, "400"},
		{"negative chunk size", post + chunked + "-1\r\n" + body + "\r\n0\r\n\r\n", "400"},
		{"chunk size of 17 digits", post + chunked + "1000000000000000f\r\n" + body + "\r\n0\r\n\r\n", "400"},
		{"chunk without its end", post + chunked + "3\r\n" + body + "\r\n0\r\n\r\n", "400"},
		{"unknown transfer encoding", post + "Transfer-Encoding: x\r\n\r\n" + body, "400"},
		{"TLS on the plain port", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "400"},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"},
		{"HTTP/0.9", "GET /\r\n\r\n", "400"},
		{"header of nine kilobytes", "POST /v1/eligibility HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 9<<10) + "\r\n\r\n", "431"},
		{"chunked body beyond the limit", post + chunked + tooMany + "0\r\n\r\n", "413"},
		{"announced body beyond the limit", post + "Content-Length: 65537\r\n\r\n", "413"},
		{"Expect: 100-continue with five megabytes", post + "Expect: 100-continue\r\nContent-Length: 5242880\r\n\r\n", "413"},
	} {
		for _, path := range []string{"/v1/eligibility", "/api/users/update"} {
			t.Run(c.name+" "+path, func(t *testing.T) {
				got := p.dial().all(strings.ReplaceAll(c.text, "/v1/eligibility", path) + next)
				if !strings.HasPrefix(got, "HTTP/1.1 "+c.status+" ") {
					t.Errorf("got %.300q, want %s", got, c.status)
				}
				if n := strings.Count(got, "HTTP/1.1 "); n != 1 {
					t.Errorf("%d answers: what followed was served as a request\n%s", n, got)
				}
			})
		}
	}
	if a := p.decide(`{"userId":"a"}`); a.status != 200 {
		t.Errorf("afterwards the plane answers %d", a.status)
	}
}

func TestBodyThatTricklesIsCutOff(t *testing.T) {
	p := newPlane(t, func(c *Config, _ *cache.Config) { c.ReadTimeout = 300 * time.Millisecond })
	c := p.dial()
	began := time.Now()
	got := c.all("POST /v1/eligibility HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	if !strings.HasPrefix(got, "HTTP/1.1 408 ") || !strings.Contains(got, "request_timeout") {
		t.Errorf("got %q", got)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestAHeaderThatIsTooLargeIsReadOnUntilItsSenderCanHearWhy(t *testing.T) {
	p := newPlane(t)
	c := p.dial()
	got := c.all("POST /v1/eligibility HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 512<<10) + "\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 431 ") || !strings.Contains(got, "header_too_large") {
		t.Errorf("got %.300q", got)
	}
}

func TestExpectIsHonouredForABodyThatFits(t *testing.T) {
	p := newPlane(t)
	c := p.dial()
	body := `{"userId":"a"}`
	_, _ = io.WriteString(c, fmt.Sprintf("POST /v1/eligibility HTTP/1.1\r\nHost: x\r\nApi-Key: %s\r\nContent-Type: application/json\r\n"+
		"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n", serverKey, len(body)))
	if line, err := c.in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("got %q, %v; want 100", line, err)
	}
	_, _ = c.in.ReadString('\n')
	if got := c.roundTrip(body); !bytes.HasPrefix(got, []byte("HTTP/1.1 200")) {
		t.Errorf("got %s", got)
	}
}

func TestClientsThatLeaveDoNoHarm(t *testing.T) {
	p := newPlane(t)
	for range 20 {
		c := p.dial()
		_, _ = io.WriteString(c, request("POST", "/v1/eligibility", serverKey, `{"userId":"a"}`))
		_ = c.Close()
	}
	if a := p.decide(`{"userId":"a"}`); a.status != 200 || p.Stats().Panics() != 0 {
		t.Errorf("afterwards: %d, %d panics", a.status, p.Stats().Panics())
	}
}

func TestAPanicIsOneAnswer(t *testing.T) {
	p := newPlane(t)
	a := p.call("GET", "/v1/users/panics", serverKey, "")
	if a.status != 500 || a.code() != "internal" || a.contains("defect") || a.header.Get(headerRequestID) == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if p.Stats().Panics() != 1 || p.Stats().Requests(RouteUser, 5) != 1 {
		t.Errorf("%d panics, %d answers of 5xx are counted", p.Stats().Panics(), p.Stats().Requests(RouteUser, 5))
	}
	if a := p.decide(`{"userId":"a"}`); a.status != 200 {
		t.Errorf("afterwards: %d", a.status)
	}
}

func TestRequestIDs(t *testing.T) {
	p := newPlane(t)
	for _, c := range []struct {
		name, given string
		kept        bool
	}{
		{"sane", "req-1_2.3", true},
		{"64 characters", strings.Repeat("a", 64), true},
		{"65 characters", strings.Repeat("a", 65), false},
		{"blank", "a b", false},
		{"markup", "<script>", false},
		{"none", "", false},
	} {
		headers := []string{}
		if c.given != "" {
			headers = append(headers, headerRequestID, c.given)
		}
		a := p.call("GET", "/nowhere", serverKey, "", headers...)
		got := a.header.Get(headerRequestID)
		if (got == c.given) != c.kept || got == "" || a.json["requestId"] != got {
			t.Errorf("%s: sent %q, got %q and %v", c.name, c.given, got, a.json["requestId"])
		}
	}
}

func TestDrainAndStop(t *testing.T) {
	p := newPlane(t)
	if a := p.decide(`{"userId":"a"}`); a.header.Get("Connection") == "close" {
		t.Error("a healthy plane closes connections")
	}
	p.Drain()
	res, err := p.client.Post("http://"+p.addr+"/v1/eligibility", contentJSON, strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if !res.Close {
		t.Error("a draining plane keeps the connection")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", p.addr); err == nil {
		_ = c.Close()
		t.Error("a stopped plane accepts connections")
	}
}

func TestStopLetsARequestEnd(t *testing.T) {
	p := newPlane(t)
	c := p.dial()
	text := request("POST", "/v1/eligibility", serverKey, `{"userId":"a"}`)
	if _, err := io.WriteString(c, text[:len(text)-1]); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return p.Connections() == 1 })
	stopped := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		stopped <- p.Stop(ctx)
	}()
	waitFor(t, func() bool {
		probe, err := net.Dial("tcp", p.addr)
		if err == nil {
			_ = probe.Close()
		}
		return err != nil
	})
	if got := c.roundTrip(text[len(text)-1:]); !bytes.HasPrefix(got, []byte("HTTP/1.1 200")) {
		t.Errorf("a request that had begun got %s", got)
	}
	_ = c.Close()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// waitFor polls until ok, or fails the test.
func waitFor(t testing.TB, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the condition did not come true in time")
		}
	}
}
