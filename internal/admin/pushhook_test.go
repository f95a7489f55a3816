package admin_test

import (
	"strings"
	"testing"

	"eligibility/internal/access"
)

const hookPath = "/v1/projects/shop/push-hook"

func TestAPushHookFromDeclarationToEnd(t *testing.T) {
	p := newPlane(t)
	owner := p.keys["owner"]
	p.problem(p.do("GET", hookPath, owner, ""), 404, "push_hook_not_found")
	p.problem(p.do("DELETE", hookPath, owner, ""), 404, "push_hook_not_found")
	p.problem(p.do("GET", hookPath+"/dead-letters", owner, ""), 404, "push_hook_not_found")

	made := p.want(p.do("PUT", hookPath, owner, `{"url":"https://push.example.com/a"}`), 201)
	first := made.text("secret")
	if len(first) < 50 || made.text("url") != "https://push.example.com/a" || made.body["secrets"] != 1.0 {
		t.Errorf("%s", made.raw)
	}
	for _, reply := range []*reply{p.do("GET", hookPath, p.keys["viewer"], ""), p.do("PUT", hookPath, owner, `{"url":"https://push.example.com/a"}`)} {
		if again := p.want(reply, 200); again.body["secret"] != nil || strings.Contains(again.raw, first) {
			t.Errorf("the secret is shown again: %s", again.raw)
		}
	}
	if moved := p.want(p.do("PUT", hookPath, owner, `{"url":"https://push.example.com/b"}`), 200); moved.body["secret"] != nil || moved.body["secrets"] != 1.0 {
		t.Errorf("%s", moved.raw)
	}
	for _, want := range []float64{2, 2} { // the one before the last is dropped
		rotated := p.want(p.do("PUT", hookPath, owner, `{"url":"https://push.example.com/b","rotateSecret":true}`), 200)
		if second := rotated.text("secret"); second == first || rotated.body["secrets"] != want {
			t.Errorf("%s", rotated.raw)
		}
	}
	if letters := p.want(p.do("GET", hookPath+"/dead-letters", p.keys["viewer"], ""), 200); strings.TrimSpace(letters.raw) != `{"items":[]}` {
		t.Errorf("%s", letters.raw)
	}
	if keys := p.want(p.do("GET", "/v1/projects/shop/keys", owner, ""), 200); strings.Contains(keys.raw, "push") {
		t.Errorf("the hook is listed as a key: %s", keys.raw)
	}
	for _, verb := range []string{"revoke", "rotate", "suspend"} {
		p.problem(p.do("POST", "/v1/projects/shop/keys/push-hook:"+verb, owner, ""), 404, "key_not_found")
	}
	p.problem(p.do("GET", "/v1/projects/other/push-hook", p.keys["other"], ""), 404, "push_hook_not_found")

	p.want(p.do("DELETE", hookPath, owner, ""), 204)
	p.problem(p.do("GET", hookPath, owner, ""), 404, "push_hook_not_found")
	if anew := p.want(p.do("PUT", hookPath, owner, `{"url":"https://push.example.com/a"}`), 201); anew.text("secret") == first || anew.body["secrets"] != 1.0 {
		t.Errorf("%s", anew.raw)
	}
	log := p.want(p.do("GET", "/v1/projects/shop/audit", owner, ""), 200).raw
	for _, action := range []string{"push_hook.create", "push_hook.change", "push_hook.delete"} {
		if !strings.Contains(log, action) {
			t.Errorf("%s is not in the audit log", action)
		}
	}
	if strings.Contains(log, first) {
		t.Error("the secret is in the audit log")
	}
}

func TestPushHooksThatAreRefused(t *testing.T) {
	p := newPlane(t)
	for _, tt := range []struct {
		name       string
		key        access.Role
		body, code string
	}{
		{"plain HTTP", "owner", `{"url":"http://push.example.com"}`, "invalid_value"},
		{"an address inside", "owner", `{"url":"https://169.254.169.254/latest"}`, "invalid_value"},
		{"loopback as mapped IPv4", "owner", `{"url":"https://[::ffff:127.0.0.1]/"}`, "invalid_value"},
		{"no URL", "owner", `{}`, "missing_field"},
		{"no owner", "publisher", `{"url":"https://push.example.com"}`, "forbidden"},
		{"a server key", "server", `{"url":"https://push.example.com"}`, "forbidden"},
		{"another project's owner", "other", `{"url":"https://push.example.com"}`, "project_not_found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := p.do("PUT", hookPath, p.keys[tt.key], tt.body); got.body["code"] != tt.code {
				t.Errorf("%d %s, want %s", got.status, got.raw, tt.code)
			}
		})
	}
	p.problem(p.do("GET", hookPath, p.keys["owner"], ""), 404, "push_hook_not_found")
}
