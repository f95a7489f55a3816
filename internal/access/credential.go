// Package access says who may ask: API keys with their kinds and roles, the proof an end user brings (a JWT), and the keyring that
// the hot path looks keys up in. A credential names its project; nothing else in a request ever does.
package access

import (
	"context"
	"time"

	"eligibility/internal/audit"
	"eligibility/internal/hlc"
)

// Kind says what a key may be used for.
type Kind string

// The kinds of key.
const (
	Client Kind = "client" // public, inside an app: decisions and engagement for one end user
	Server Kind = "server" // ingest, decisions and pre-checks for any user of the project
	Admin  Kind = "admin"  // the project's control plane, as far as its role goes
	Root   Kind = "root"   // creates projects and first keys; lives in a file, never in the store

	PushHook Kind = "push-hook" // no key: where a project's push messages are sent, and what they are signed with
)

// Role is how far an admin key goes; each includes the ones before it.
type Role string

// The roles.
const (
	Viewer    Role = "viewer"
	Editor    Role = "editor"
	Publisher Role = "publisher"
	Owner     Role = "owner"
)

// Allows reports whether r includes need.
func (r Role) Allows(need Role) bool { return rank(r) >= rank(need) }

func rank(r Role) int {
	switch r {
	case Viewer:
		return 1
	case Editor:
		return 2
	case Publisher:
		return 3
	case Owner:
		return 4
	}
	return 0
}

// Credential is one stored API key. Keys are never deleted: a revoked one keeps its row, so that the feed can carry its project.
type Credential struct {
	ID         string     `json:"id"`
	Project    string     `json:"project"`
	Kind       Kind       `json:"kind"`
	Role       Role       `json:"role,omitempty"` // admin keys only
	Name       string     `json:"name,omitempty"`
	Hash       [32]byte   `json:"hash"`                 // SHA-256 of the key
	RequireJWT bool       `json:"requireJwt,omitempty"` // client keys only
	Secrets    [][]byte   `json:"secrets,omitempty"`    // of user tokens or a push hook, newest first, at most two, encrypted at rest
	URL        string     `json:"url,omitempty"`        // push hooks only: where they are sent
	Origins    []string   `json:"origins,omitempty"`    // client keys only: the web origins that may use it; none: any
	Suspended  bool       `json:"suspended,omitempty"`  // refused for now, unlike a revoked one, which is for good
	CreatedAt  time.Time  `json:"createdAt"`
	RevokedAt  *time.Time `json:"revokedAt,omitempty"`
	Demo       bool       `json:"demo,omitempty"` // a well-known key of the demo; `serve` refuses a directory that holds one
}

// Repo stores credentials. Declared for the keyring and the control plane.
type Repo interface {
	// Credentials returns all keys of all projects, revoked ones too, and the stamp at which they were read.
	Credentials(ctx context.Context) ([]Credential, hlc.Timestamp, error)
	// PutCredential stores a key (new or changed) and the audit entry in one durable commit.
	PutCredential(ctx context.Context, c Credential, entry audit.Entry) (hlc.Timestamp, error)
}
