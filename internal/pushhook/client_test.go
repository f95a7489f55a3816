package pushhook

import (
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"eligibility/internal/access"
)

// receiver is a push sender behind TLS that answers as the test wants it to.
func receiver(t *testing.T, answer http.HandlerFunc) (*httptest.Server, *atomic.Int32) {
	t.Helper()
	var hits atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		answer(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, &hits
}

// trusting is a configuration that trusts the receiver and allows the networks.
func trusting(server *httptest.Server, allow ...string) Config {
	cfg := Defaults()
	cfg.RootCAs = x509.NewCertPool()
	cfg.RootCAs.AddCert(server.Certificate())
	for _, a := range allow {
		cfg.Allow = append(cfg.Allow, netip.MustParsePrefix(a))
	}
	return cfg
}

const loopback = "127.0.0.0/8"

// posted makes one request.
func posted(t *testing.T, cfg Config, url string) outcome {
	t.Helper()
	c := newClient(&cfg)
	t.Cleanup(c.close)
	return c.post(t.Context(), hookAt(url), "id-1", []byte(goldenBody), time.Unix(goldenTimestamp, 0))
}

func TestAReceiverCanVerifyWhatItGets(t *testing.T) {
	got := make(chan *http.Request, 1)
	body := make(chan string, 1)
	server, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		got <- r
		body <- string(text)
		w.WriteHeader(http.StatusNoContent)
	})
	cfg := trusting(server, loopback)
	c := newClient(&cfg)
	t.Cleanup(c.close)
	hook := &access.Hook{URL: server.URL + "/hook?tenant=1", Secrets: [][]byte{[]byte("new"), []byte(goldenSecret)}}
	if o := c.post(t.Context(), hook, "id-1", []byte(goldenBody), time.Unix(goldenTimestamp, 999)); o != (outcome{status: 204}) {
		t.Fatalf("%+v", o)
	}
	r, text := <-got, <-body
	timestamp, err := strconv.ParseInt(r.Header.Get(HeaderTimestamp), 10, 64)
	if err != nil || timestamp != goldenTimestamp ||
		text != goldenBody || !strings.HasSuffix(r.Header.Get(HeaderSignature), ",v1="+goldenSignature) {
		t.Errorf("%v %s", r.Header, text)
	}
	if r.Method != "POST" || r.URL.String() != "/hook?tenant=1" ||
		r.Header.Get("Content-Type") != "application/json" || r.Header.Get(HeaderDelivery) != "id-1" {
		t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
	}
}

func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		name       string
		status     int
		retryAfter string
		want       outcome
	}{
		{"ok", 200, "", outcome{status: 200}},
		{"accepted", 202, "", outcome{status: 202}},
		{"too many", 429, "7", outcome{reason: ReasonStatus, status: 429, asked: 7 * time.Second}},
		{"too many, without a wait", 429, "soon", outcome{reason: ReasonStatus, status: 429}},
		{"a date", 503, "Mon, 23 Nov 2026 04:00:30 GMT", outcome{reason: ReasonStatus, status: 503, asked: 30 * time.Second}},
		{"a date in the past", 503, "Mon, 23 Nov 2020 04:00:30 GMT", outcome{reason: ReasonStatus, status: 503}},
		{"more seconds than a duration holds", 500, "99999999999999999", outcome{reason: ReasonStatus, status: 500, asked: 1 << 31 * time.Second}},
		{"a negative wait", 500, "-5", outcome{reason: ReasonStatus, status: 500}},
		{"refused", 400, "5", outcome{reason: ReasonStatus, status: 400, final: true}},
		{"gone", 410, "", outcome{reason: ReasonStatus, status: 410, final: true}},
		{"not modified", 304, "", outcome{reason: ReasonRedirect, status: 304, final: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
				if tt.retryAfter != "" {
					w.Header().Set("Retry-After", tt.retryAfter)
				}
				w.WriteHeader(tt.status)
			})
			if o := posted(t, trusting(server, loopback), server.URL); o != tt.want {
				t.Errorf("%+v, want %+v", o, tt.want)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	target, reached := receiver(t, func(http.ResponseWriter, *http.Request) {})
	for _, status := range []int{301, 302, 303, 307, 308} {
		server, hits := receiver(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target.URL, status) })
		want := outcome{reason: ReasonRedirect, status: status, final: true}
		if o := posted(t, trusting(server, loopback), server.URL); o != want || hits.Load() != 1 {
			t.Errorf("%d: %+v", status, o)
		}
	}
	if reached.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

func TestWhatKeepsAMessageFromAReceiver(t *testing.T) {
	server, hits := receiver(t, func(http.ResponseWriter, *http.Request) {})
	slow, _ := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does a server notice that the client has gone
		<-r.Context().Done()
	})
	rude, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_ = c.Close()
		}
	})
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	brief := trusting(slow, loopback)
	brief.Timeout = 50 * time.Millisecond
	untrusting := trusting(server, loopback)
	untrusting.RootCAs = x509.NewCertPool()
	byName := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	for _, tt := range []struct {
		name string
		cfg  Config
		url  string
		want outcome
	}{
		{"loopback that nobody allowed", trusting(server), server.URL, outcome{reason: ReasonURL, final: true}},
		{"loopback by a name", trusting(server), byName, outcome{reason: ReasonAddress, final: true}},
		{"plain HTTP", trusting(server, loopback), strings.Replace(server.URL, "https", "http", 1), outcome{reason: ReasonURL, final: true}},
		{"a certificate that nobody vouches for", untrusting, server.URL, outcome{reason: ReasonTLS}},
		{"no answer in time", brief, slow.URL, outcome{reason: ReasonTimeout}},
		{"no answer at all", trusting(rude, loopback), rude.URL, outcome{reason: ReasonNetwork}},
		{"nobody there", trusting(server, loopback), "https://" + closed.Addr().String(), outcome{reason: ReasonNetwork}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if o := posted(t, tt.cfg, tt.url); o != tt.want {
				t.Errorf("%+v, want %+v", o, tt.want)
			}
		})
	}
	if hits.Load() != 0 {
		t.Error("a request got through")
	}
}

func TestAnAnswerWithoutAnEndIsCutShort(t *testing.T) {
	server, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := fmt.Fprint(w, strings.Repeat("a", 4096)); err != nil {
				return
			}
		}
	})
	if o := posted(t, trusting(server, loopback), server.URL); o != (outcome{status: 200}) {
		t.Errorf("%+v", o)
	}
}

func TestAHeadWithoutAnEndIsRefused(t *testing.T) {
	server, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("a", 4*maxHeaderBytes))
	})
	if o := posted(t, trusting(server, loopback), server.URL); o.reason != ReasonNetwork {
		t.Errorf("%+v", o)
	}
}

func TestTheEnvironmentNamesNoProxy(t *testing.T) {
	proxy, used := receiver(t, func(http.ResponseWriter, *http.Request) {})
	t.Setenv("HTTPS_PROXY", proxy.URL)
	t.Setenv("ALL_PROXY", proxy.URL)
	cfg := Defaults()
	cfg.Resolver = resolver(t, "127.0.0.9")
	if o := posted(t, cfg, "https://push.example.com/"); o.reason != ReasonAddress || used.Load() != 0 {
		t.Errorf("%+v, the proxy was used %d times", o, used.Load())
	}
	if newClient(&cfg).http.Transport.(*http.Transport).Proxy != nil {
		t.Error("there is a proxy")
	}
}
