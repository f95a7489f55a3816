package ops_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"eligibility/internal/ops"

	"go.uber.org/goleak"
)

var discard = slog.New(slog.DiscardHandler)

func newServer(t *testing.T, cfg ops.Config, deps ops.Deps) *ops.Server {
	t.Helper()
	deps.Logger = discard
	s, err := ops.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func get(s *ops.Server, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func TestReadiness(t *testing.T) {
	fails := func(context.Context) error { return errors.New("broken") }
	passes := func(context.Context) error { return nil }
	for _, tt := range []struct {
		name     string
		checks   []ops.Check
		draining bool
		status   int
	}{
		{"nothing to check", nil, false, 200},
		{"all is well", []ops.Check{{Name: "store", Run: passes}, {Name: "rules", Run: passes}}, false, 200},
		{"one fails", []ops.Check{{Name: "store", Run: passes}, {Name: "rules", Run: fails}}, false, 503},
		{"one that is only shown fails", []ops.Check{{Name: "disk", Gate: ops.Shown, Run: fails}}, false, 200},
		{"the feed is not fresh at first", []ops.Check{{Name: "feed", Gate: ops.FirstOnly, Run: fails}}, false, 503},
		{"draining", []ops.Check{{Name: "store", Run: passes}}, true, 503},
		{"one panics", []ops.Check{{Name: "store", Run: func(context.Context) error { panic("boom") }}}, false, 503},
		{
			"one that is only shown panics",
			[]ops.Check{{Name: "disk", Gate: ops.Shown, Run: func(context.Context) error { panic("boom") }}},
			false, 200,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, ops.Defaults(), ops.Deps{Checks: tt.checks, Draining: func() bool { return tt.draining }})
			if w := get(s, "/readyz"); w.Code != tt.status {
				t.Errorf("status %d %q, want %d", w.Code, w.Body, tt.status)
			}
			if w := get(s, "/livez"); w.Code != 200 {
				t.Errorf("alive: status %d, want 200 whatever is broken", w.Code)
			}
			var verbose struct {
				Ready    bool
				Draining bool
				Checks   []struct {
					Name, Error string
					OK, Gates   bool
				}
			}
			w := get(s, "/readyz?verbose")
			if err := json.Unmarshal(w.Body.Bytes(), &verbose); err != nil || w.Code != tt.status {
				t.Fatalf("verbose: status %d, %v\n%s", w.Code, err, w.Body)
			}
			if verbose.Ready != (tt.status == 200) || verbose.Draining != tt.draining || len(verbose.Checks) != len(tt.checks) {
				t.Errorf("verbose: %s", w.Body)
			}
			for _, c := range verbose.Checks {
				if c.OK == (c.Error != "") {
					t.Errorf("check %+v, want an error exactly when it is not ok", c)
				}
			}
		})
	}
}

// TestTheFeedGatesOnlyTheFirstReadiness, and not for longer than the patience.
func TestTheFeedGatesOnlyTheFirstReadiness(t *testing.T) {
	var fresh bool
	feed := []ops.Check{{Name: "feed", Gate: ops.FirstOnly, Run: func(context.Context) error {
		if !fresh {
			return errors.New("behind")
		}
		return nil
	}}}
	t.Run("fresh in time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fresh = false
			s := newServer(t, ops.Defaults(), ops.Deps{Checks: feed})
			time.Sleep(9 * time.Second) // of the bubble's clock
			if w := get(s, "/readyz"); w.Code != 503 {
				t.Errorf("not fresh yet: status %d, want 503", w.Code)
			}
			fresh = true
			if w := get(s, "/readyz"); w.Code != 200 {
				t.Errorf("fresh: status %d, want 200", w.Code)
			}
			fresh = false
			if w := get(s, "/readyz"); w.Code != 200 {
				t.Errorf("behind again: status %d, want 200", w.Code)
			}
		})
	})
	t.Run("never fresh", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fresh = false
			s := newServer(t, ops.Defaults(), ops.Deps{Checks: feed})
			time.Sleep(10 * time.Second)
			if w := get(s, "/readyz"); w.Code != 200 {
				t.Errorf("after the patience: status %d, want 200", w.Code)
			}
		})
	})
}

func TestACheckThatHangsFailsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		s := newServer(t, ops.Defaults(), ops.Deps{Checks: []ops.Check{{Name: "a", Run: hangs}, {Name: "b", Run: hangs}}})
		begun := time.Now()
		if w := get(s, "/readyz"); w.Code != 503 {
			t.Errorf("status %d, want 503", w.Code)
		}
		if took := time.Since(begun); took != time.Second {
			t.Errorf("took %v, want the time of one check", took)
		}
	})
}

func TestProfilesAreForLoopback(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	if w := get(newServer(t, ops.Defaults(), ops.Deps{}), "/debug/pprof/"); w.Code != 404 {
		t.Errorf("before it is known where it listens: status %d, want 404", w.Code)
	}
	open := ops.Defaults()
	open.Pprof = true
	if w := get(newServer(t, open, ops.Deps{}), "/debug/pprof/"); w.Code != 200 || !strings.Contains(w.Body.String(), "goroutine") {
		t.Errorf("enabled: status %d", w.Code)
	}
	for address, want := range map[string]int{"127.0.0.1:0": 200, "0.0.0.0:0": 404} {
		s := newServer(t, ops.Defaults(), ops.Deps{})
		ln, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		s.Start(ln)
		port := ln.Addr().(*net.TCPAddr).AddrPort().Port()
		transport := &http.Transport{}
		answer, err := (&http.Client{Transport: transport}).Get("http://" + net.JoinHostPort("127.0.0.1", netPort(port)) + "/debug/pprof/cmdline")
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != want {
			t.Errorf("on %s: status %d, want %d", address, answer.StatusCode, want)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		for range 2 {
			if err := s.Stop(ctx); err != nil {
				t.Errorf("stop: %v", err)
			}
		}
		cancel()
	}
}

func netPort(port uint16) string {
	text, err := json.Marshal(port)
	if err != nil {
		return ""
	}
	return string(text)
}

func TestVersion(t *testing.T) {
	w := get(newServer(t, ops.Defaults(), ops.Deps{}), "/version")
	var build ops.Build
	if err := json.Unmarshal(w.Body.Bytes(), &build); err != nil || build.Version == "" || !strings.HasPrefix(build.Go, "go1.") {
		t.Errorf("version: %v %s", err, w.Body)
	}
}

func TestOtherPathsAndMethods(t *testing.T) {
	s := newServer(t, ops.Defaults(), ops.Deps{})
	if w := get(s, "/nothing"); w.Code != 404 {
		t.Errorf("unknown path: status %d, want 404", w.Code)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest("POST", "/livez", nil))
	if w.Code != 405 {
		t.Errorf("POST: status %d, want 405", w.Code)
	}
}

func TestConfigurationFaultsAreToldTogether(t *testing.T) {
	_, err := ops.New(ops.Config{}, ops.Deps{Checks: []ops.Check{{}}})
	for _, want := range []string{"timeouts", "logger", "check 0"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

func TestLogger(t *testing.T) {
	at := time.Date(2026, 6, 15, 14, 0, 0, 0, time.FixedZone("CEST", 7200))
	for _, tt := range []struct{ format, want string }{
		{"text", "level=WARN msg=slow took=1.5s since=2026-06-15T12:00:00Z\n"},
		{"json", `"level":"WARN","msg":"slow","took":"1.5s","since":"2026-06-15T12:00:00Z"}` + "\n"},
	} {
		var out bytes.Buffer
		logger, err := ops.NewLogger(&out, tt.format, "warn")
		if err != nil {
			t.Fatal(err)
		}
		logger.Info("not shown")
		logger.Warn("slow", "took", 1500*time.Millisecond, "since", at)
		if !strings.HasSuffix(out.String(), tt.want) || strings.Count(out.String(), "\n") != 1 || !strings.Contains(out.String(), "Z") {
			t.Errorf("%s: %q, want one line that ends in %q", tt.format, out.String(), tt.want)
		}
	}
	for _, bad := range [][2]string{{"xml", "info"}, {"text", "loud"}} {
		if _, err := ops.NewLogger(io.Discard, bad[0], bad[1]); err == nil || !strings.Contains(err.Error(), "use ") {
			t.Errorf("%v: %v, want an error that says what to use", bad, err)
		}
	}
}
