package pushhook

import (
	"testing"

	"eligibility/internal/access"
	"eligibility/internal/profile"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hooks are the projects' push hooks, as a test sets them.
type hooks map[string]*access.Hook

func (h hooks) Hook(project string) (*access.Hook, bool) {
	hook, ok := h[project]
	return hook, ok
}

func hookAt(url string) *access.Hook {
	return &access.Hook{Project: "shop", URL: url, Secrets: [][]byte{[]byte("secret-a")}}
}

func user(name string) profile.Key { return profile.Key{Project: "shop", User: name} }
