package server

import (
	"testing"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/audit"
)

// TestAStreamEndsWithItsKey: who holds a stream of a key that was revoked or suspended learns of no further change.
func TestAStreamEndsWithItsKey(t *testing.T) {
	for name, end := range map[string]func(*access.Credential){
		"revoked":   func(c *access.Credential) { now := time.Now(); c.RevokedAt = &now },
		"suspended": func(c *access.Credential) { c.Suspended = true },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlane(t)
			l := p.listen(p.ticket(openKey, `{"userId":"ada"}`))
			l.next()
			c := access.Credential{ID: "k3", Project: "shop", Kind: access.Client, Hash: access.Hash(openKey)}
			end(&c)
			if _, err := p.store.PutCredential(t.Context(), c, audit.Entry{Project: "shop", Action: "key.change", Target: c.ID}); err != nil {
				t.Fatal(err)
			}
			if err := p.keyring.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			p.put("ada", `{"attributes":{"country":"DE"}}`)
			for line := range l.lines {
				if line == "event: changed" {
					t.Error("it was told of a change")
				}
			}
		})
	}
}
