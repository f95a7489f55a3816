package app

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// listeners are all of a replica, each with a call that it answers with 200 and one that takes a body.
func (r *replica) listeners() []struct{ name, addr, get, post, key string } {
	decision, control, ops := r.app.Addrs()
	return []struct{ name, addr, get, post, key string }{
		{"decision", decision, "/v1/users/ada", "/v1/eligibility", r.keys["server"]},
		{"sdk", decision, "/api/users/byUserId/ada", "/api/users/update", r.keys["server"]},
		{"control", control, "/v1/projects/shop", "/v1/projects/shop/attributes", r.keys["admin"]},
		{"ops", ops, "/livez", "/livez", ""},
		{"bulk", r.app.listeners.bulk.Addr().String(), "", "/v1/precheck", r.keys["server"]},
	}
}

// TestFramingOnEveryListener sends to each listener what an attacker sends who wants a proxy and the server to disagree about where a request
// ends: one refusal, the end of the connection, and what follows is not served.
func TestFramingOnEveryListener(t *testing.T) {
	r := start(t).shop()
	r.must(200, "decision", "PUT", "/v1/users/ada", r.keys["server"], `{"attributes":{}}`)
	for _, l := range r.listeners() {
		get := "GET " + max(l.get, "/") + " HTTP/1.1\r\nHost: x\r\nApi-Key: " + l.key + "\r\n"
		post := "POST " + l.post + " HTTP/1.1\r\nHost: x\r\nApi-Key: " + l.key + "\r\nContent-Type: application/json\r\n"
		chunked := post + "Transfer-Encoding: chunked\r\n\r\n"
		if l.get != "" {
			if got := raw(t, l.addr, get+"\r\n"+get+"Connection: close\r\n\r\n"); fmt.Sprint(got) != "[200 200]" {
				t.Fatalf("%s: two requests are answered %v", l.name, got)
			}
		}
		for _, c := range []struct{ name, text, status string }{
			{"26 absolute form", "GET http://evil.test/x HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
			{"26 authority form", "CONNECT evil.test:443 HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
			{"26 asterisk form", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
			{"27 two Hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "400"},
			{"27 no Host", "GET / HTTP/1.1\r\nApi-Key: x\r\n\r\n", "400"},
			{"27 a blank before the colon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n", "400"},
			{"27 a folded header", "GET / HTTP/1.1\r\nHost: x\r\nA: a\r\n b\r\n\r\n", "400"},
			{"27 bare LF", "GET / HTTP/1.1\nHost: x\n\n", "400"},
			{"27 bare CR", "GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n", "400"},
			{"27 NUL", "GET / HTTP/1.1\r\nHost: x\r\nA: a\x00b\r\n\r\n", "400"},
			{"28 length and coding", post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
			{"28 two lengths", post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "400"},
			{"28 a length with a plus", post + "Content-Length: +2\r\n\r\n{}", "400"},
			{"28 a negative chunk", chunked + "-1\r\n{}\r\n0\r\n\r\n", "4xx"},
			{"28 a chunk of 17 digits", chunked + "1000000000000000f\r\n{}\r\n0\r\n\r\n", "4xx"},
			{"29 a header of 64 KB", "GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 64<<10) + "\r\n\r\n", "431"},
			{"31 TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "400"},
			{"31 HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"},
		} {
			got := raw(t, l.addr, c.text+get+"\r\n")
			ok := len(got) == 1 && (fmt.Sprint(got[0]) == c.status || c.status == "4xx" && got[0] >= 400 && got[0] < 500)
			// A server may also close without a word when it had no request yet to answer, or when the client still sends what nobody reads.
			if len(got) == 0 && (c.status == "4xx" || strings.HasPrefix(c.name, "29")) {
				ok = true
			}
			if l.name == "ops" && c.status == "4xx" || l.name == "bulk" && c.status == "4xx" { // answers before it reads the body, and then closes
				ok = len(got) <= 1
			}
			if !ok {
				t.Errorf("%s, %s: answers %v, want one %s", l.name, c.name, got, c.status)
			}
		}
	}
	for _, l := range r.listeners() {
		if got := raw(t, l.addr, "GET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); len(got) != 1 || got[0] >= 500 {
			t.Errorf("afterwards %s answers %v", l.name, got)
		}
	}
}

// TestBodiesThatAreTooLarge: an announced one is refused before it is read, also to who waits for a 100.
func TestBodiesThatAreTooLarge(t *testing.T) {
	r := start(t).shop()
	for _, l := range r.listeners() {
		if l.name == "ops" || l.name == "bulk" { // takes none; streams of any length
			continue
		}
		for _, expect := range []string{"", "Expect: 100-continue\r\n"} {
			text := "POST " + l.post + " HTTP/1.1\r\nHost: x\r\nApi-Key: " + l.key + "\r\nContent-Type: application/json\r\n" + expect +
				"Content-Length: 52428800\r\n\r\n"
			if got := raw(t, l.addr, text); fmt.Sprint(got) != "[413]" {
				t.Errorf("%s %q: answers %v, want 413", l.name, expect, got)
			}
		}
	}
}

// raw sends text and lists the statuses of what comes back until the server closes.
func raw(t *testing.T, addr, text string) (statuses []int) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	return exchange(t, c, text)
}

func exchange(t *testing.T, c net.Conn, text string) (statuses []int) {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(8 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, text) // the server may close before it has read everything
	in := bufio.NewReader(c)
	for {
		res, err := http.ReadResponse(in, nil)
		if netErr, is := err.(net.Error); is && netErr.Timeout() {
			t.Errorf("after %.100q the connection stays open", text)
		}
		if err != nil {
			return statuses
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		statuses = append(statuses, res.StatusCode)
	}
}

// TestFramingBehindTLS: what is looked at is what TLS carries.
func TestFramingBehindTLS(t *testing.T) {
	certificate, key := selfSigned(t)
	r := start(t, func(c *Config) { c.TLSCert, c.TLSKey = certificate, key })
	for _, l := range r.listeners() {
		c, err := tls.Dial("tcp", l.addr, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the certificate is the test's own
		if err != nil {
			t.Fatal(err)
		}
		got := exchange(t, c, "GET / HTTP/1.1\nHost: x\n\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
		_ = c.Close()
		if fmt.Sprint(got) != "[400]" {
			t.Errorf("%s: answers %v, want one 400", l.name, got)
		}
	}
}

// selfSigned writes a certificate for the loopback address.
func selfSigned(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, content []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", encoded)
}
