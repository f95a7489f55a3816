package server

import (
	"slices"
	"sync"
	"testing"

	"eligibility/internal/access"
	"eligibility/internal/profile"
	"eligibility/internal/server/ask"
)

// watcher keeps what was seen, of the project "shop" alone.
type watcher struct {
	mu   sync.Mutex
	seen []string
}

func (w *watcher) Wants(project string) bool { return project == "shop" }

func (w *watcher) Seen(key profile.Key, question []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, key.Project+" "+key.User+" "+string(question))
}

func TestWhoIsSeenByPushHooks(t *testing.T) {
	p := newPlane(t)
	w := &watcher{}
	p.deps.Watcher = w
	p.put("ada", `{}`)
	for _, tt := range []struct {
		name string
		do   func()
		want []string
	}{
		{"an app that asks", func() { p.call("POST", "/v1/eligibility", openKey, `{"userId":"ada","placements":[101],"limit":1}`) }, []string{"shop ada {}"}},
		{"with a context", func() {
			p.call("POST", "/v1/eligibility", openKey, `{"userId":"ada","context":{"platform":"i\"os"}}`)
		}, []string{`shop ada {"context":{"platform":"i\"os"}}`}},
		{"an SDK that asks", func() {
			p.call("GET", "/api/embedded-messaging/messages?userId=ada&platform=iOS&packageName=a", openKey, "")
		}, []string{`shop ada {"context":{"platform":"ios"}}`}},
		{"a device", func() {
			p.call("POST", "/api/users/registerDeviceToken", openKey, `{"userId":"ada","device":{"token":"t","platform":"APNS"}}`)
		}, []string{`shop ada {"context":{"platform":"ios"}}`}},
		{"a device of an unknown kind", func() {
			p.call("POST", "/api/users/registerDeviceToken", openKey, `{"userId":"ada","device":{"token":"t","platform":"fax"}}`)
		}, []string{"shop ada {}"}},
		{"not a device that goes", func() { p.call("POST", "/api/users/disableDevice", openKey, `{"userId":"ada","token":"t"}`) }, nil},
		{"not a backend", func() { p.call("POST", "/v1/eligibility", serverKey, `{"userId":"ada"}`) }, nil},
		{"not another project", func() { p.call("POST", "/v1/eligibility", otherKey, `{"userId":"ada"}`) }, nil},
		{"not whom nobody has stored", func() { p.call("POST", "/v1/eligibility", openKey, `{"userId":"nobody-at-all"}`) }, nil},
		{"not who is refused", func() { p.call("POST", "/v1/eligibility", clientKey, `{"userId":"ada"}`) }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.mu.Lock()
			w.seen = nil
			w.mu.Unlock()
			tt.do()
			w.mu.Lock()
			defer w.mu.Unlock()
			if !slices.Equal(w.seen, tt.want) {
				t.Errorf("seen %q, want %q", w.seen, tt.want)
			}
		})
	}
}

// TestAQuestionIsReadAsItWasAsked: what the watch keeps of a request must be a request, with the same context.
func TestAQuestionIsReadAsItWasAsked(t *testing.T) {
	for _, body := range []string{
		`{}`, `{"context":{"platform":"ios"}}`, `{"context":{"a":1,"b":-2.5e3,"c":true,"d":false,"e":"","f":"\u0007ü\\\"\n"}}`, `{"userId":"ada","context":{"x":"y"}}`,
	} {
		var first, second ask.Request
		if p := first.Parse([]byte(body)); p != nil {
			t.Fatal(p)
		}
		question := appendQuestion(nil, first.Context)
		if p := second.Parse(question); p != nil || !slices.Equal(first.Context, second.Context) || second.HasUser {
			t.Errorf("%s became %s (%v)", body, question, p)
		}
	}
}

// nobodyWatches wants everything and keeps nothing.
type nobodyWatches struct{}

func (nobodyWatches) Wants(string) bool        { return true }
func (nobodyWatches) Seen(profile.Key, []byte) {}

func TestBeingSeenAllocatesNothing(t *testing.T) {
	s := &Server{deps: Deps{Watcher: nobodyWatches{}}}
	st := &state{caller: caller{entry: &access.Entry{Kind: access.Client}}}
	st.asked.Context = []ask.Item{{Name: "platform", Kind: '"', Text: "ios"}, {Name: "build", Kind: '0', Text: "17"}}
	snap := &profile.Snapshot{Key: profile.Key{Project: "shop", User: "ada"}, Found: true}
	if n := testing.AllocsPerRun(1000, func() { s.watch(st, snap) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
