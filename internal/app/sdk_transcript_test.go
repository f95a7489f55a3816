package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// transcript writes down what the SDKs and the replica say to each other, step by step, when ELIGIBILITY_SDK_TRANSCRIPT names a file. Without
// it the scripts speak to the replica itself.
type transcript struct {
	t     *testing.T
	world map[string]any

	mu   sync.Mutex
	text *bytes.Buffer // nil: nothing is written down
}

// transcribe begins one of the calls to the replica at the address.
func transcribe(t *testing.T, address string, world map[string]any) *transcript {
	t.Helper()
	r := &transcript{t: t, world: world}
	path := os.Getenv("ELIGIBILITY_SDK_TRANSCRIPT")
	if path == "" {
		return r
	}
	r.text = &bytes.Buffer{}
	to, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(to) }, FlushInterval: -1, ModifyResponse: r.answer,
	}
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if req.URL.Path == "/step" {
			r.write("\n%s\n", body)
			return
		}
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		if req.Method != http.MethodOptions {
			r.write("  %s %s %s\n", req.Method, req.URL.RequestURI(), shortened(body))
		}
		proxy.ServeHTTP(w, req)
	}))
	t.Cleanup(between.Close)
	t.Cleanup(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if err := os.WriteFile(path, r.text.Bytes(), 0o644); err != nil {
			t.Error(err)
		}
	})
	world["url"], world["transcript"] = between.URL, true
	return r
}

// begin is the world that a script is told of.
func (r *transcript) begin(script string) string {
	r.write("\n== %s\n", script)
	text, err := json.Marshal(r.world)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

func (r *transcript) answer(res *http.Response) error {
	if res.Request.Method == http.MethodOptions || strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		return nil
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	r.write("    %d %s\n", res.StatusCode, shortened(body))
	return nil
}

func (r *transcript) write(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.text != nil {
		fmt.Fprintf(r.text, format, args...)
	}
}

// device is what the SDKs say about theirs in every call.
var device = regexp.MustCompile(`"deviceInfo":\{[^}]*\}`)

// shortened keeps a line readable: of messages it tells the titles, by placement.
func shortened(body []byte) string {
	const most = 300
	var messages struct {
		Placements []struct {
			ID       int `json:"placementId"`
			Messages []struct {
				Elements struct {
					Title string `json:"title"`
				} `json:"elements"`
			} `json:"embeddedMessages"`
		} `json:"placements"`
	}
	if json.Unmarshal(body, &messages) == nil && messages.Placements != nil {
		var parts []string
		for _, p := range messages.Placements {
			part := fmt.Sprintf("%d:", p.ID)
			for _, m := range p.Messages {
				part += " " + m.Elements.Title
			}
			parts = append(parts, part)
		}
		return "messages " + strings.Join(parts, ", ")
	}
	text := device.ReplaceAllString(strings.TrimSpace(string(body)), `"deviceInfo":{…}`)
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
