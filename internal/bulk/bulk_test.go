package bulk

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/cache"
	"eligibility/internal/hlc"
	"eligibility/internal/precheck"
	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/rules"

	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// crowd is users who live in Germany and consent, if their ids begin with "de".
type crowd struct {
	schema *profile.Schema
	fails  atomic.Bool
	most   atomic.Int64 // chunks read at one time
	now    atomic.Int64
}

func (c *crowd) GetMany(_ context.Context, keys []profile.Key, _ *cache.Demand, dst []cache.Read) error {
	n := c.now.Add(1)
	defer c.now.Add(-1)
	for most := c.most.Load(); n > most && !c.most.CompareAndSwap(most, n); most = c.most.Load() {
	}
	if c.fails.Load() {
		return profile.ErrUnavailable
	}
	for i, key := range keys {
		var b profile.Builder
		b.Reset(c.schema, key, hlc.Timestamp{Wall: 1})
		country := "FR"
		if strings.HasPrefix(key.User, "de") {
			country = "DE"
		}
		b.Attributes([]byte(`{"country":"` + country + `"}`))
		b.Consent("push", true)
		dst[i] = cache.Read{Snapshot: b.Build(), TrueAt: hlc.Timestamp{Wall: 1}}
	}
	return nil
}

type keys map[string]*access.Entry

func (k keys) Lookup(key []byte) (*access.Entry, bool) {
	e, ok := k[string(key)]
	return e, ok
}

// plane is one that listens, over a crowd.
type plane struct {
	*Server
	t      *testing.T
	url    string
	live   *rules.Live
	crowd  *crowd
	client *http.Client
}

func newPlane(t *testing.T, edit ...func(*Config)) *plane {
	t.Helper()
	schema, err := profile.NewSchema().WithAttribute("country", profile.Type{Kind: profile.String}, false)
	if err != nil {
		t.Fatal(err)
	}
	p := &plane{t: t, live: &rules.Live{}, crowd: &crowd{schema: schema}, client: &http.Client{Transport: &http.Transport{}}}
	p.publish(1, false)
	cfg := Defaults()
	for _, e := range edit {
		e(&cfg)
	}
	p.Server, err = New(cfg, Deps{
		Users: p.crowd, Rulesets: p.live, Clock: &hlc.Estimate{}, Logger: slog.New(slog.DiscardHandler),
		Keys: keys{"s": {ID: "1", Project: "shop", Kind: access.Server}, "c": {ID: "2", Project: "shop", Kind: access.Client}, "held": {ID: "3", Project: "shop", Kind: access.Server, Suspended: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.url = "http://" + ln.Addr().String() + "/v1/precheck"
	p.Start(ln)
	t.Cleanup(func() {
		p.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return p
}

// publish puts a version of the ruleset into force.
func (p *plane) publish(version uint64, paused bool) {
	p.t.Helper()
	german := rules.Promotion{ID: "german", Name: "n", Rule: "user.country == 'DE'", Channels: []string{"push"}}
	german.Content.Title = "t"
	spec := rules.Spec{Project: "shop", Version: version, Schema: p.crowd.schema, Promotions: rules.NewRoll(rules.LivePromotion{Promotion: &german, Revision: 1, Paused: paused})}
	rs, err := rules.NewCompiler(profile.DefaultRetention).Compile(&spec, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.live.Swap(rs)
}

func (p *plane) send(query, key string, body io.Reader, headers ...string) *http.Response {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), "POST", p.url+query, body)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Api-Key", key)
	req.Header.Set("Content-Type", contentNDJSON)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := p.client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

func users(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"userId\":\"%s%d\"}\n", [...]string{"de", "fr"}[i%2], i)
	}
	return b.String()
}

const german = "?promotion=german&channel=push"

func TestAStreamIsAnsweredInOrderWithASummary(t *testing.T) {
	p := newPlane(t)
	const n = 5000
	var packed, dense bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, _ = io.WriteString(zip, users(n))
	_ = zip.Close()
	z, err := zstd.NewWriter(&dense)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(z, users(n))
	_ = z.Close()
	for name, tt := range map[string]struct {
		query, encoding string
		body            io.Reader
		first, lines    int
	}{
		"plain":            {german, "", strings.NewReader(users(n)), 0, n},
		"gzip":             {german, "gzip", &packed, 0, n},
		"zstd":             {german, "zstd", &dense, 0, n},
		"from a line on":   {german + "&skip=4990", "", strings.NewReader(users(n)), 4990, 10},
		"nothing to do":    {german, "", strings.NewReader(""), 0, 0},
		"everything done":  {german + "&skip=5000", "", strings.NewReader(users(n)), 0, 0},
		"blank lines, too": {german + "&skip=1", "", strings.NewReader("\n\n" + users(2) + "\n"), 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			res := p.send(tt.query, "s", tt.body, "Content-Encoding", tt.encoding)
			if res.StatusCode != 200 || res.Header.Get("Content-Type") != contentNDJSON {
				t.Fatalf("%d %v", res.StatusCode, res.Header)
			}
			in, got := bufio.NewScanner(res.Body), 0
			last := ""
			for in.Scan() {
				if last = in.Text(); strings.HasPrefix(last, `{"summary"`) {
					break
				}
				i := tt.first + got
				want := fmt.Sprintf(`{"userId":"de%d","eligible":true,"reason":"eligible"}`, i)
				if i%2 == 1 {
					want = fmt.Sprintf(`{"userId":"fr%d","eligible":false,"reason":"rule_false"}`, i)
				}
				if last != want {
					t.Fatalf("line %d: %s, want %s", i, last, want)
				}
				got++
			}
			if got != tt.lines || !strings.HasPrefix(last, fmt.Sprintf(`{"summary":{"total":%d,`, tt.lines)) || in.Scan() {
				t.Errorf("%d lines, last %q", got, last)
			}
		})
	}
}

func TestAnAnswerComesWhileTheStreamIsOpen(t *testing.T) {
	p := newPlane(t)
	body, sender := io.Pipe()
	go func() { _, _ = io.WriteString(sender, users(1)) }()
	res := p.send(german, "s", body)
	in := bufio.NewScanner(res.Body)
	for i := range 3 {
		if !in.Scan() || !strings.HasPrefix(in.Text(), `{"userId":"de0"`) {
			t.Fatalf("answer %d: %q", i, in.Text())
		}
		if i < 2 {
			_, _ = io.WriteString(sender, users(1))
		}
	}
	p.publish(2, true)
	_, _ = io.WriteString(sender, users(2))
	if in.Scan(); in.Text() != `{"userId":"de0","eligible":false,"reason":"paused"}` {
		t.Errorf("after a pause: %s", in.Text())
	}
	p.publish(3, false)
	in.Scan()
	_ = sender.Close()
	if in.Scan(); !strings.Contains(in.Text(), `"rulesVersion":1,`) {
		t.Errorf("the rules were not pinned: %s", in.Text())
	}
}

func TestRefusals(t *testing.T) {
	p := newPlane(t, func(c *Config) { c.Streams = 1 })
	for name, tt := range map[string]struct {
		query, key string
		headers    []string
		status     int
		code       string
	}{
		"no key":                {german, "", nil, 401, "missing_credential"},
		"unknown key":           {german, "x", nil, 401, "invalid_credential"},
		"client key":            {german, "c", nil, 403, "forbidden"},
		"suspended key":         {german, "held", nil, 403, "key_suspended"},
		"JSON":                  {german, "s", []string{"Content-Type", "application/json"}, 415, "unsupported_media_type"},
		"no promotion":          {"?channel=push", "s", nil, 400, "missing_field"},
		"unknown promotion":     {"?promotion=x&channel=push", "s", nil, 404, "promotion_not_found"},
		"unknown channel":       {"?promotion=german&channel=pigeon", "s", nil, 400, "invalid_value"},
		"unknown parameter":     {german + "&x=1", "s", nil, 400, "invalid_parameter"},
		"a parameter twice":     {german + "&channel=push", "s", nil, 400, "invalid_parameter"},
		"skip below 0":          {german + "&skip=-1", "s", nil, 400, "invalid_parameter"},
		"an unknown encoding":   {german, "s", []string{"Content-Encoding", "br"}, 415, "unsupported_encoding"},
		"gzip that is not gzip": {german, "s", []string{"Content-Encoding", "gzip"}, 415, "unsupported_encoding"},
	} {
		t.Run(name, func(t *testing.T) {
			res := p.send(tt.query, tt.key, strings.NewReader(users(3)), tt.headers...)
			text, _ := io.ReadAll(res.Body)
			if res.StatusCode != tt.status || !strings.Contains(string(text), `"code":"`+tt.code+`"`) || res.Header.Get("Content-Type") != problem.ContentType {
				t.Errorf("%d %s", res.StatusCode, text)
			}
		})
	}
	t.Run("one stream too many", func(t *testing.T) {
		body, sender := io.Pipe()
		defer sender.Close()
		p.send(german, "s", body) // returns once it is let in
		res := p.send(german, "s", strings.NewReader(users(1)))
		if res.StatusCode != 429 || res.Header.Get("Retry-After") == "" {
			t.Errorf("%d %v", res.StatusCode, res.Header)
		}
	})
}

// cut reads an answer to its end and reports whether it was cut.
func cut(res *http.Response) bool {
	text, err := io.ReadAll(res.Body)
	return err != nil && !strings.Contains(string(text), `"summary"`)
}

func TestWhatEndsAStreamIsSeenByItsClient(t *testing.T) {
	t.Run("the store fails", func(t *testing.T) {
		p := newPlane(t)
		p.crowd.fails.Store(true)
		if !cut(p.send(german, "s", strings.NewReader(users(3)))) {
			t.Error("not cut")
		}
	})
	t.Run("the sender is silent", func(t *testing.T) {
		p := newPlane(t, func(c *Config) { c.IdleTimeout = 50 * time.Millisecond })
		body, sender := io.Pipe()
		defer sender.Close()
		if !cut(p.send(german, "s", body)) {
			t.Error("not cut")
		}
	})
	t.Run("a bomb", func(t *testing.T) {
		p := newPlane(t, func(c *Config) { c.WindowBytes = 1 << 10 })
		var dense bytes.Buffer
		z, _ := zstd.NewWriter(&dense, zstd.WithWindowSize(8<<20))
		_, _ = z.Write(make([]byte, 20<<20))
		_ = z.Close()
		if !cut(p.send(german, "s", &dense, "Content-Encoding", "zstd")) {
			t.Error("not cut")
		}
	})
	t.Run("the replica stops", func(t *testing.T) {
		p := newPlane(t)
		body, sender := io.Pipe()
		defer sender.Close()
		go func() { _, _ = io.WriteString(sender, users(1)) }()
		res := p.send(german, "s", body)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := p.Stop(ctx); err != nil {
			t.Error(err)
		}
		if !cut(res) {
			t.Error("not cut")
		}
	})
	t.Run("the client stops reading", func(t *testing.T) {
		p := newPlane(t, func(c *Config) { c.SendTimeout = 100 * time.Millisecond })
		body, sender := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			var err error
			for err == nil {
				_, err = io.WriteString(sender, users(1000))
			}
			ended <- err
		}()
		p.send(german, "s", body)
		select {
		case err := <-ended:
			if errors.Is(err, io.EOF) {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the stream goes on for a client that takes nothing")
		}
	})
}

func TestStreamsShareTheirTurns(t *testing.T) {
	p := newPlane(t, func(c *Config) { c.Lanes = 1 })
	done := make(chan struct{})
	for range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			_, _ = io.Copy(io.Discard, p.send(german, "s", strings.NewReader(users(20*precheck.ChunkUsers))).Body)
		}()
	}
	for range 4 {
		<-done
	}
	if most := p.crowd.most.Load(); most != 1 {
		t.Errorf("%d chunks at one time, want 1", most)
	}
	if s := p.Stats(); s.Users != 4*20*precheck.ChunkUsers || s.Eligible != s.Users/2 || s.Cut != 0 || s.Streams != 4 {
		t.Errorf("%+v", s)
	}
}
