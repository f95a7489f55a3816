package admin

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"eligibility/internal/access"
	"eligibility/internal/audit"
	"eligibility/internal/problem"
)

// maxSecrets is how many JWT secrets of a key are valid at once: the new one, and the one that apps still sign with while it is rotated.
const maxSecrets = 2

// keyView is a key without anything that would let somebody use it.
type keyView struct {
	ID         string      `json:"id"`
	Kind       access.Kind `json:"kind"`
	Role       access.Role `json:"role,omitempty"`
	Name       string      `json:"name,omitempty"`
	RequireJWT *bool       `json:"requireJwt,omitempty"` // of a client key
	Secrets    int         `json:"jwtSecrets,omitempty"` // how many are valid
	Origins    []string    `json:"origins,omitempty"`    // web origins that may use it; none: any
	Suspended  bool        `json:"suspended,omitempty"`
	CreatedAt  time.Time   `json:"createdAt"`
	RevokedAt  *time.Time  `json:"revokedAt,omitempty"`
}

func viewKey(k *access.Credential) keyView {
	view := keyView{
		ID: k.ID, Kind: k.Kind, Role: k.Role, Name: k.Name, Secrets: len(k.Secrets), CreatedAt: k.CreatedAt,
		RevokedAt: k.RevokedAt, Origins: k.Origins, Suspended: k.Suspended,
	}
	if k.Kind == access.Client {
		view.RequireJWT = &k.RequireJWT
	}
	return view
}

// newKeyView is shown once: neither the key nor the secret can be read again.
type newKeyView struct {
	keyView
	Key       string `json:"key,omitempty"`
	JWTSecret string `json:"jwtSecret,omitempty"`
}

// projectKeys reads the keys of the call's project, oldest first.
func (s *Server) projectKeys(ctx context.Context, project string) ([]access.Credential, error) {
	listed, _, err := s.deps.Keys.Credentials(ctx)
	if err != nil {
		return nil, err
	}
	own := slices.DeleteFunc(listed, func(k access.Credential) bool { return k.Project != project || k.Kind == access.PushHook })
	slices.SortFunc(own, func(a, b access.Credential) int {
		if order := a.CreatedAt.Compare(b.CreatedAt); order != 0 {
			return order
		}
		return strings.Compare(a.ID, b.ID)
	})
	return own, nil
}

func (s *Server) listKeys(c *call, _ []byte) (answer, error) {
	keys, err := s.projectKeys(c.Context(), c.project)
	if err != nil {
		return answer{}, err
	}
	items := make([]keyView, 0, len(keys))
	for i := range keys {
		items = append(items, viewKey(&keys[i]))
	}
	return all(items)
}

// newKey is what a key is asked for with.
type newKey struct {
	Kind       access.Kind `json:"kind"`
	Role       access.Role `json:"role"`
	Name       string      `json:"name"`
	RequireJWT *bool       `json:"requireJwt"`
	Origins    []string    `json:"origins"`
}

func (in *newKey) check() error {
	switch in.Kind {
	case access.Client, access.Server, access.Admin:
	case "":
		return problem.New("missing_field", "use client, server or admin").At("kind")
	default:
		return problem.New("invalid_value", "use client, server or admin").At("kind")
	}
	switch {
	case in.Kind == access.Admin && in.Role == "":
		return problem.New("missing_field", "an admin key has a role: viewer, editor, publisher or owner").At("role")
	case in.Kind == access.Admin && !in.Role.Allows(access.Viewer):
		return problem.New("invalid_value", "use viewer, editor, publisher or owner").At("role")
	case in.Kind != access.Admin && in.Role != "":
		return problem.New("invalid_value", "only an admin key has a role").At("role")
	case in.Kind != access.Client && in.RequireJWT != nil:
		return problem.New("invalid_value", "only a client key can demand user tokens").At("requireJwt")
	case len(in.Name) > 200 || strings.ContainsFunc(in.Name, unicode.IsControl):
		return problem.New("invalid_value", "a name has at most 200 bytes and no control characters").At("name")
	}
	return in.checkOrigins()
}

func (s *Server) createKey(c *call, body []byte) (answer, error) {
	var in newKey
	if err := c.decode(body, &in); err != nil {
		return answer{}, err
	}
	if err := in.check(); err != nil {
		return answer{}, err
	}
	s.keysMu.Lock()
	defer s.keysMu.Unlock()
	known, err := s.projectKeys(c.Context(), c.project)
	if err != nil {
		return answer{}, err
	}
	if len(known) >= s.cfg.MaxKeys {
		return answer{}, problem.New("quota", "a project has at most %d keys, revoked ones included", s.cfg.MaxKeys)
	}
	key, id, hash := access.NewKey(in.Kind)
	credential := access.Credential{ID: id, Project: c.project, Kind: in.Kind, Role: in.Role, Name: in.Name, Hash: hash, CreatedAt: s.now()}
	view := newKeyView{Key: key}
	if in.Kind == access.Client {
		credential.Origins = in.Origins
		credential.RequireJWT = in.RequireJWT == nil || *in.RequireJWT
		view.JWTSecret = s.secret(&credential)
	}
	if err := s.putKey(c, &credential, "key.create"); err != nil {
		return answer{}, err
	}
	view.keyView = viewKey(&credential)
	return answer{status: http.StatusCreated, body: view}, nil
}

// secret gives the key a new JWT secret, the newest of at most maxSecrets.
func (s *Server) secret(k *access.Credential) string {
	secret := access.NewSecret()
	sealed := s.deps.Sealer.Seal([]byte(secret), k.Project, k.ID)
	k.Secrets = append([][]byte{sealed}, k.Secrets...)
	k.Secrets = k.Secrets[:min(len(k.Secrets), maxSecrets)]
	return secret
}

// revokeKey ends a key for good. Revoking a revoked one changes nothing.
func (s *Server) revokeKey(c *call, body []byte) (answer, error) {
	return s.changeKey(c, body, "key.revoke", func(k *access.Credential, _ *newKeyView) (bool, error) {
		if k.RevokedAt != nil {
			return false, nil
		}
		now := s.now()
		k.RevokedAt = &now
		return true, nil
	})
}

// rotateKey gives a client key a new JWT secret; the one before it stays valid until the next rotation.
func (s *Server) rotateKey(c *call, body []byte) (answer, error) {
	return s.changeKey(c, body, "key.rotate", func(k *access.Credential, view *newKeyView) (bool, error) {
		if k.Kind != access.Client || k.RevokedAt != nil {
			return false, problem.New("conflict", "only a client key that is in force has a JWT secret to rotate")
		}
		view.JWTSecret = s.secret(k)
		return true, nil
	})
}

func (s *Server) changeKey(c *call, body []byte, action string, change func(*access.Credential, *newKeyView) (bool, error)) (answer,
	error,
) {
	if err := c.decodeOptional(body, &struct{}{}); err != nil {
		return answer{}, err
	}
	s.keysMu.Lock()
	defer s.keysMu.Unlock()
	keys, err := s.projectKeys(c.Context(), c.project)
	if err != nil {
		return answer{}, err
	}
	i := slices.IndexFunc(keys, func(k access.Credential) bool { return k.ID == c.PathValue("id") })
	if i < 0 {
		return answer{}, problem.New("key_not_found", "")
	}
	var view newKeyView
	changed, err := change(&keys[i], &view)
	if err != nil {
		return answer{}, err
	}
	if changed {
		if err := s.putKey(c, &keys[i], action); err != nil {
			return answer{}, err
		}
	}
	view.keyView = viewKey(&keys[i])
	return ok(view)
}

// putKey stores a key and takes it into force here. Other replicas hear of it by the feed.
func (s *Server) putKey(c *call, k *access.Credential, action string) error {
	a := c.actor()
	entry := audit.Entry{Project: k.Project, Actor: a.ID, RemoteAddr: a.RemoteAddr, RequestID: a.RequestID, Action: action, Target: k.ID}
	if _, err := s.deps.Keys.PutCredential(c.Context(), *k, entry); err != nil {
		return fmt.Errorf("store key: %w", err)
	}
	if err := s.deps.Keyring.Reload(c.Context()); err != nil {
		// The key is stored; the keyring tries again by itself within seconds.
		s.deps.Logger.Warn("keyring reload failed", "project", k.Project, "credential", k.ID, "error", err)
	}
	return nil
}

// now is the time of a change, as it survives storage.
func (s *Server) now() time.Time { return time.Now().UTC().Round(0) }
