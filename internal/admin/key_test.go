package admin_test

import (
	"strings"
	"testing"

	"eligibility/internal/access"
	"eligibility/internal/admin"
)

func TestKeys(t *testing.T) {
	p := newPlane(t)
	owner := p.keys[access.Owner]

	created := p.want(p.do("POST", shop+"/keys", owner, `{"kind":"client","name":"iOS app"}`), 201)
	key, secret, id := created.text("key"), created.text("jwtSecret"), created.text("id")
	if key == "" || secret == "" || id == "" || created.at("requireJwt") != true {
		t.Fatalf("client key: %s", created.raw)
	}
	listed := p.want(p.do("GET", shop+"/keys", owner, ""), 200)
	if strings.Contains(listed.raw, key) || strings.Contains(listed.raw, secret) || strings.Contains(listed.raw, "hash") ||
		!strings.Contains(listed.raw, "iOS app") {
		t.Errorf("list: %s", listed.raw)
	}
	if open := p.want(p.do("POST", shop+"/keys", owner, `{"kind":"client","requireJwt":false}`), 201); open.at("requireJwt") != false {
		t.Errorf("client key without tokens: %s", open.raw)
	}
	if server := p.want(p.do("POST", shop+"/keys", owner, `{"kind":"server"}`), 201); server.at("jwtSecret") != nil ||
		server.at("requireJwt") != nil {
		t.Errorf("server key: %s", server.raw)
	}

	for range 3 {
		rotated := p.want(p.do("POST", shop+"/keys/"+id+":rotate", owner, ""), 200)
		if rotated.text("jwtSecret") == secret || rotated.number("jwtSecrets") != 2 || rotated.at("key") != nil {
			t.Errorf("rotate: %s", rotated.raw)
		}
		secret = rotated.text("jwtSecret")
	}

	if revoked := p.want(p.do("POST", shop+"/keys/"+id+":revoke", owner, ""), 200); revoked.text("revokedAt") == "" {
		t.Errorf("revoke: %s", revoked.raw)
	}
	before := len(p.entries("shop"))
	p.want(p.do("POST", shop+"/keys/"+id+":revoke", owner, ""), 200)
	if after := len(p.entries("shop")); after != before {
		t.Errorf("revoking twice wrote %d audit entries", after-before)
	}
	p.problem(p.do("POST", shop+"/keys/"+id+":rotate", owner, ""), 409, "conflict")
	p.problem(p.do("GET", shop, key, ""), 401, "invalid_credential")
	for _, e := range p.entries("shop") {
		if strings.Contains(e.Action, "key.") && (e.Target == "" || e.Actor == "") {
			t.Errorf("audit entry %+v, want actor and target", e)
		}
	}
	if strings.Contains(p.log.String(), secret) || strings.Contains(p.log.String(), key) {
		t.Error("the log holds a secret")
	}
}

func TestARevokedAdminKeyIsOutAtOnce(t *testing.T) {
	p := newPlane(t)
	created := p.want(p.do("POST", shop+"/keys", p.keys[access.Owner], `{"kind":"admin","role":"viewer"}`), 201)
	p.want(p.do("GET", shop, created.text("key"), ""), 200)
	p.want(p.do("POST", shop+"/keys/"+created.text("id")+":revoke", p.keys[access.Owner], `{}`), 200)
	p.problem(p.do("GET", shop, created.text("key"), ""), 401, "invalid_credential")
}

func TestKeysThatCannotBe(t *testing.T) {
	p := newPlane(t, func(c *admin.Config, _ *admin.Deps) { c.MaxKeys = 7 })
	for body, code := range map[string]string{
		`{}`:                                  "missing_field",
		`{"kind":"root"}`:                     "invalid_value",
		`{"kind":"admin"}`:                    "missing_field",
		`{"kind":"admin","role":"god"}`:       "invalid_value",
		`{"kind":"server","role":"owner"}`:    "invalid_value",
		`{"kind":"server","requireJwt":true}`: "invalid_value",
		`{"kind":"server","name":"a\nb"}`:     "invalid_value",
	} {
		p.problem(p.do("POST", shop+"/keys", p.keys[access.Owner], body), 400, code)
	}
	p.want(p.do("POST", shop+"/keys", p.keys[access.Owner], `{"kind":"server"}`), 201)
	p.problem(p.do("POST", shop+"/keys", p.keys[access.Owner], `{"kind":"server"}`), 422, "quota")
	p.problem(p.do("POST", shop+"/keys/nobody:revoke", p.keys[access.Owner], ""), 404, "key_not_found")
}

// TestAKeyOfAnotherProjectIsNotFound: ids of other projects' keys lead nowhere.
func TestAKeyOfAnotherProjectIsNotFound(t *testing.T) {
	p := newPlane(t)
	foreign := p.want(p.do("POST", "/v1/projects/other/keys", p.keys["other"], `{"kind":"client"}`), 201)
	p.problem(p.do("POST", shop+"/keys/"+foreign.text("id")+":revoke", p.keys[access.Owner], ""), 404, "key_not_found")
	p.problem(p.do("POST", shop+"/keys/"+foreign.text("id")+":rotate", p.keys[access.Owner], ""), 404, "key_not_found")
}
