package remote

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Key is an API key of the project. Secret and JWTSecret are there once, in the answer that made them.
type Key struct {
	ID         string     `json:"id"`
	Kind       string     `json:"kind"`
	Role       string     `json:"role,omitempty"` // of an admin key
	Name       string     `json:"name,omitempty"`
	RequireJWT *bool      `json:"requireJwt,omitempty"` // of a client key
	CreatedAt  time.Time  `json:"createdAt"`
	RevokedAt  *time.Time `json:"revokedAt,omitempty"`
	Secret     string     `json:"key,omitempty"`
	JWTSecret  string     `json:"jwtSecret,omitempty"`
}

// NewKey is what a key is made with.
type NewKey struct {
	Kind       string `json:"kind"`
	Role       string `json:"role,omitempty"`
	Name       string `json:"name,omitempty"`
	RequireJWT *bool  `json:"requireJwt,omitempty"`
}

// Keys lists the project's keys, revoked ones included, oldest first.
func (c *Client) Keys(ctx context.Context) ([]Key, error) {
	var keys list[Key]
	_, err := c.do(ctx, call{method: http.MethodGet, path: "/keys", into: &keys})
	return keys.Items, err
}

// CreateKey makes a key. It is shown in the answer and never again.
func (c *Client) CreateKey(ctx context.Context, key NewKey) (Key, error) {
	var made Key
	_, err := c.do(ctx, call{method: http.MethodPost, path: "/keys", body: key, into: &made})
	return made, err
}

// RevokeKey ends a key for good.
func (c *Client) RevokeKey(ctx context.Context, id string) (Key, error) {
	return c.changeKey(ctx, id, "revoke")
}

// RotateKey gives a client key a new JWT secret; the one before it stays valid until the next rotation.
func (c *Client) RotateKey(ctx context.Context, id string) (Key, error) {
	return c.changeKey(ctx, id, "rotate")
}

func (c *Client) changeKey(ctx context.Context, id, verb string) (Key, error) {
	var changed Key
	_, err := c.do(ctx, call{method: http.MethodPost, path: "/keys/" + url.PathEscape(id) + ":" + verb, into: &changed})
	return changed, err
}
