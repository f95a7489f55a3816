package admin_test

import (
	"fmt"
	"strings"
	"testing"

	"eligibility/internal/access"
)

func TestOriginsOfAKey(t *testing.T) {
	p := newPlane(t)
	owner := p.keys[access.Owner]
	made := p.want(p.do("POST", shop+"/keys", owner, `{"kind":"client","origins":["https://shop.example","http://localhost:3000","http://[::1]:8080"]}`), 201)
	if listed := p.want(p.do("GET", shop+"/keys", owner, ""), 200); !strings.Contains(listed.raw, "http://localhost:3000") {
		t.Errorf("list: %s", listed.raw)
	}
	if made.text("key") == "" || !strings.Contains(made.raw, "http://[::1]:8080") {
		t.Errorf("made: %s", made.raw)
	}
	for _, origin := range []string{
		"*", "null", "", "shop.example", "https://", "https://shop.example/", "https://Shop.example", "HTTPS://shop.example", "ftp://shop.example",
		"https://shop.example:x", "https://u@shop.example", "https://shop.example?", "https://shop.example#", "https://a\r\nX: y", "https://*.shop.example",
	} {
		body := fmt.Sprintf(`{"kind":"client","origins":["https://a.example",%q]}`, origin)
		if a := p.do("POST", shop+"/keys", owner, body); a.text("code") != "invalid_value" || a.text("field") != "origins[1]" {
			t.Errorf("%q: %d %s", origin, a.status, a.raw)
		}
	}
	if a := p.do("POST", shop+"/keys", owner, `{"kind":"server","origins":["https://a.example"]}`); a.text("code") != "invalid_value" {
		t.Errorf("a server key with origins: %s", a.raw)
	}
}

func TestAKeyIsSuspendedAndResumed(t *testing.T) {
	p := newPlane(t)
	owner := p.keys[access.Owner]
	made := p.want(p.do("POST", shop+"/keys", owner, `{"kind":"client"}`), 201)
	path := shop + "/keys/" + made.text("id")
	for range 2 {
		if a := p.want(p.do("POST", path+":suspend", owner, ""), 200); a.at("suspended") != true {
			t.Errorf("suspend: %s", a.raw)
		}
	}
	for range 2 {
		if a := p.want(p.do("POST", path+":resume", owner, ""), 200); a.at("suspended") != nil {
			t.Errorf("resume: %s", a.raw)
		}
	}
	admin := p.want(p.do("POST", shop+"/keys", owner, `{"kind":"admin","role":"owner"}`), 201)
	if a := p.do("POST", shop+"/keys/"+admin.text("id")+":suspend", owner, ""); a.text("code") != "conflict" {
		t.Errorf("an admin key: %s", a.raw)
	}
	p.want(p.do("POST", path+":revoke", owner, ""), 200)
	if a := p.do("POST", path+":resume", owner, ""); a.text("code") != "conflict" {
		t.Errorf("a revoked key: %s", a.raw)
	}
}
