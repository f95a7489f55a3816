package app

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestAPushSenderIsToldToPush is a project's whole way with its push hook: an app asks, time passes or somebody writes, and the sender gets
// a message that it can believe, with the payload for the app.
func TestAPushSenderIsToldToPush(t *testing.T) {
	type request struct {
		header http.Header
		body   string
		status int // that it was answered with
	}
	got := make(chan request, 100)
	statuses := make(chan int, 10)
	sender := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		status := http.StatusNoContent
		select {
		case status = <-statuses:
		default:
		}
		w.WriteHeader(status)
		got <- request{r.Header, string(body), status}
	}))
	sender.Config.ErrorLog = log.New(io.Discard, "", 0)
	sender.StartTLS()
	defer sender.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: sender.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, func(c *Config) {
		c.PushHookCA, c.PushHookAllow, c.PushHookInterval = ca, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, time.Millisecond
	}).shop()
	r.publish("welcome", "user.country == 'US' && request.platform == 'ios'", "")
	for _, user := range []string{"ada", "ben"} {
		r.must(200, "decision", "PUT", "/v1/users/"+user, r.keys["server"], `{"attributes":{"country":"DE"}}`)
	}
	hook := r.must(201, "control", "PUT", "/v1/projects/shop/push-hook", r.keys["admin"], map[string]string{"url": sender.URL + "/hook"}).json(t)
	ask := func(user, key string) {
		r.must(200, "decision", "POST", "/v1/eligibility", r.keys[key], map[string]any{"userId": user, "context": map[string]any{"platform": "ios"}})
	}
	watched := func(n int) {
		r.eventually("the users are watched", func() bool {
			ask("ada", "client")
			stats := r.app.watch.Stats().Hub
			return stats.Open == n && stats.Told >= uint64(n) // and their present answers are known
		})
	}
	ask("ben", "server")    // a backend asks: nobody to be pushed
	ask("nobody", "client") // whom nobody has stored
	watched(1)

	for _, user := range []string{"ben", "ada"} {
		r.must(200, "decision", "PUT", "/v1/users/"+user, r.keys["server"], `{"attributes":{"country":"US"}}`)
	}
	next := func() request {
		t.Helper()
		select {
		case req := <-got:
			return req
		case <-time.After(10 * time.Second):
			t.Fatal("nothing was posted")
			return request{}
		}
	}
	first := next()
	mac := hmac.New(sha256.New, []byte(hook["secret"].(string)))
	mac.Write([]byte(first.header.Get("Eligibility-Timestamp") + "." + first.body))
	if want := "v1=" + hex.EncodeToString(mac.Sum(nil)); first.header.Get("Eligibility-Signature") != want {
		t.Errorf("signature %s, want %s", first.header.Get("Eligibility-Signature"), want)
	}
	var message struct {
		DeliveryID, Project, UserID string
		At                          time.Time
		Payload                     json.RawMessage
	}
	if err := json.Unmarshal([]byte(first.body), &message); err != nil || message.UserID != "ada" || message.Project != "shop" {
		t.Fatalf("%s: %v", first.body, err)
	}
	const payload = `{"itbl":{"messageId":"BACKGROUND_NOTIFICATION","isGhostPush":true},"notificationType":"UpdateEmbedded"}`
	if string(message.Payload) != payload || message.DeliveryID != first.header.Get("Eligibility-Delivery") || time.Since(message.At) > time.Minute {
		t.Errorf("%s", first.body)
	}

	statuses <- http.StatusServiceUnavailable // is tried again
	r.must(200, "decision", "PUT", "/v1/users/ada", r.keys["server"], `{"attributes":{"country":"FR"}}`)
	if failed, again := next(), next(); failed.status != 503 || again.status != 204 || failed.body != again.body {
		t.Errorf("%+v and then %+v", failed, again)
	}
	statuses <- http.StatusGone // is not
	r.publish("abroad", "user.country == 'FR'", "")
	if gone := next(); gone.status != http.StatusGone {
		t.Errorf("%+v", gone)
	}
	var letters []any
	r.eventually("the dead letter is listed", func() bool {
		letters = r.must(200, "control", "GET", "/v1/projects/shop/push-hook/dead-letters", r.keys["admin"], nil).json(t)["items"].([]any)
		return len(letters) == 1
	})
	if letter := letters[0].(map[string]any); letter["userId"] != "ada" || letter["status"] != 410.0 || letter["reason"] != "status" {
		t.Errorf("%v", letter)
	}

	r.must(204, "control", "DELETE", "/v1/projects/shop/push-hook", r.keys["admin"], nil)
	r.must(200, "decision", "PUT", "/v1/users/ada", r.keys["server"], `{"attributes":{"country":"US"}}`)
	r.eventually("the answer is dropped", func() bool { return r.app.pushes.Stats().Gone == 1 })
	if len(got) != 0 {
		t.Errorf("%d requests more", len(got))
	}
}
