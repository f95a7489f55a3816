package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const senderTS = "../../examples/sender-ts"

// TestSenders runs the example send workers, which send to those who qualify now, look again at those whom time cures, and leave out the
// rest, through an engine that is busy and a network that cuts answers. Started again they send to nobody twice.
func TestSenders(t *testing.T) {
	workers := map[string]func(t *testing.T) []string{"go": buildSenderGo, "ts": buildSenderTS}
	demo := launch(t, t.TempDir(), "demo", "--no-traffic", "--users", "100")
	t.Cleanup(func() { demo.end(t, syscall.SIGTERM) })
	for name, build := range workers {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			command := build(t)
			for _, channel := range []string{"whatsapp", "push"} {
				t.Run(channel, func(t *testing.T) {
					t.Parallel()
					sendCampaign(t, "http://"+demo.ready.Listen, command, channel, name+"-"+channel+"-")
				})
			}
		})
	}
}

// sendCampaign makes shoppers whose ids begin so, and has the worker send to them.
func sendCampaign(t *testing.T, engine string, command []string, channel, prefix string) {
	write := func(method, path, body string) {
		t.Helper()
		headers := []string{"-H", "Api-Key: demo-server-key", "-H", "Content-Type: application/json"}
		answer := curl(t, append([]string{"curl", "-X", method, engine + path, "-d", body}, headers...))
		if !strings.Contains(answer, `"asOf"`) || strings.Contains(answer, `"index"`) {
			t.Fatalf("%s %s %s: %s", method, path, body, answer)
		}
	}
	shopper := func(name, consent string, events ...string) {
		body := fmt.Sprintf(`{"attributes":{"country":"GB"},"consent":{"whatsapp":%[1]s,"push":%[1]s}}`, consent)
		write("PUT", "/v1/users/"+prefix+name, body)
		for _, event := range events {
			write("POST", "/v1/events", fmt.Sprintf(`[{"userId":"%s%s",%s}]`, prefix, name, event))
		}
	}
	cart := func(ago time.Duration) string {
		return fmt.Sprintf(`"name":"cart_added","occurredAt":%q`, time.Now().Add(-ago).UTC().Format(time.RFC3339Nano))
	}
	shopper("now", "true", cart(time.Hour))
	shopper("unasked", "false", cart(time.Hour))
	shopper("bought", "true", cart(time.Hour), `"name":"purchase","properties":{"orderId":"o","total":1,"items":1,"category":"garden"}`)
	shopper("soon", "true", cart(30*time.Minute-5*time.Second))

	list := ""
	for _, name := range []string{"unasked", "soon", "now", "bo\x01d", "bought", "now"} {
		list += prefix + name + "\n"
	}
	network := badNetwork(t, engine)
	for _, c := range []struct {
		name, says string
		want       []string
	}{
		{"first", "sent 2, left out 2, failed 1", []string{
			"bo\x01d failed invalid_user_id", "bought leftOut rule_false", "now sent", "soon sent", "unasked leftOut no_consent",
		}},
		{"again", "sent 0, left out 4, failed 1", []string{
			"bo\x01d failed invalid_user_id", "bought leftOut rule_false", "now leftOut already_sent", "soon leftOut already_sent",
			"unasked leftOut no_consent",
		}},
	} {
		words := slices.Concat(command, []string{"--promotion", "abandoned-cart", "--channel", channel, "--run", "r1"})
		cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
		cmd.Env = append(os.Environ(), "ELIGIBILITY_URL="+network.URL, "ELIGIBILITY_SERVER_KEY=demo-server-key")
		cmd.Stdin = strings.NewReader(list)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s: %v: %s%s", c.name, err, &out, &errs)
		}
		got := outcomes(t, out.String(), prefix)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%s\ngot  %q\nwant %q", c.name, &out, got, c.want)
		}
		contains(t, c.name, errs.String(), c.says)
	}
}

// outcomes reads what a worker prints, in the order of the users. One who waits is left out: on a slow machine he who is due soon is due at
// the first look.
func outcomes(t *testing.T, out, prefix string) []string {
	t.Helper()
	var all []string
	for line := range strings.Lines(out) {
		var o struct{ UserID, Outcome, Reason string }
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if o.Outcome != "waiting" {
			all = append(all, strings.TrimSpace(strings.TrimPrefix(o.UserID, prefix)+" "+o.Outcome+" "+o.Reason))
		}
	}
	slices.Sort(all)
	return all
}

// badNetwork stands before the engine: the first call is refused for a second, the second one's answer is cut in the middle of a line.
func badNetwork(t *testing.T, engine string) *httptest.Server {
	var calls atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := calls.Add(1)
		if call == 1 {
			w.Header().Set("Retry-After", "1")
			http.Error(w, `{"code":"rate_limited"}`, http.StatusTooManyRequests)
			return
		}
		request, err := http.NewRequestWithContext(r.Context(), r.Method, engine+r.URL.Path, r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		request.Header = r.Header
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Error(err)
			return
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		if err != nil {
			t.Error(err)
			return
		}
		if call == 2 {
			answer = answer[:len(answer)/2]
		}
		w.WriteHeader(response.StatusCode)
		_, _ = w.Write(answer)
	}))
	t.Cleanup(s.Close)
	return s
}

func buildSenderGo(t *testing.T) []string {
	program := filepath.Join(t.TempDir(), "sender")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../examples/sender-go").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return []string{program}
}

func buildSenderTS(t *testing.T) []string {
	_, err := exec.LookPath("npm")
	if err == nil {
		_, err = os.Stat(filepath.Join(senderTS, "node_modules", "typescript"))
	}
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("node and the packages of examples/sender-ts are needed: make test-deps (%v)", err)
	default:
		t.Skip("node or the packages of examples/sender-ts are absent: make test-deps")
	}
	cmd := exec.CommandContext(t.Context(), "npm", "run", "--silent", "build")
	cmd.Dir = senderTS
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return []string{"node", filepath.Join(senderTS, "dist", "main.js")}
}
