package admin

import (
	"context"
	"net/http"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/problem"
)

// pushHookView is a project's push hook. Its secret is in it once: when the hook is made, and when it is given a new one.
type pushHookView struct {
	URL       string    `json:"url"`
	Secrets   int       `json:"secrets"` // how many messages are signed with
	CreatedAt time.Time `json:"createdAt"`
	Secret    string    `json:"secret,omitempty"`
}

func viewPushHook(c *access.Credential, secret string) pushHookView {
	return pushHookView{URL: c.URL, Secrets: len(c.Secrets), CreatedAt: c.CreatedAt, Secret: secret}
}

// pushHook reads the project's hook, as it is stored and not as this replica has it in force; nil when there is none.
func (s *Server) pushHook(ctx context.Context, project string) (*access.Credential, error) {
	listed, _, err := s.deps.Keys.Credentials(ctx)
	if err != nil {
		return nil, err
	}
	for i := range listed {
		if c := &listed[i]; c.Project == project && c.Kind == access.PushHook && c.RevokedAt == nil {
			return c, nil
		}
	}
	return nil, nil
}

// mustPushHook is pushHook for calls about one that is there; push_hook_not_found.
func (s *Server) mustPushHook(ctx context.Context, project string) (*access.Credential, error) {
	hook, err := s.pushHook(ctx, project)
	if err == nil && hook == nil {
		err = problem.New("push_hook_not_found", "declare one with PUT")
	}
	return hook, err
}

func (s *Server) getPushHook(c *call, _ []byte) (answer, error) {
	hook, err := s.mustPushHook(c.Context(), c.project)
	if err != nil {
		return answer{}, err
	}
	return ok(viewPushHook(hook, ""))
}

// putPushHook makes the hook, moves it to another URL, or gives it a new secret; the one before stays in force beside it until the next.
func (s *Server) putPushHook(c *call, body []byte) (answer, error) {
	var in struct {
		URL    string `json:"url"`
		Rotate bool   `json:"rotateSecret"`
	}
	if err := c.decode(body, &in); err != nil {
		return answer{}, err
	}
	if in.URL == "" {
		return answer{}, problem.New("missing_field", "name the URL that messages are posted to").At("url")
	}
	if err := s.deps.Push.CheckURL(in.URL); err != nil {
		return answer{}, problem.New("invalid_value", "%v", err).At("url")
	}
	s.keysMu.Lock()
	defer s.keysMu.Unlock()
	status, action, secret := http.StatusOK, "push_hook.change", ""
	hook, err := s.pushHook(c.Context(), c.project)
	switch {
	case err != nil:
		return answer{}, err
	case hook == nil:
		made := access.NewHook(c.project)
		made.CreatedAt = s.now()
		status, action, hook, in.Rotate = http.StatusCreated, "push_hook.create", &made, true
	case hook.URL == in.URL && !in.Rotate:
		return ok(viewPushHook(hook, ""))
	}
	hook.URL = in.URL
	if in.Rotate {
		secret = s.secret(hook)
	}
	if err := s.putKey(c, hook, action); err != nil {
		return answer{}, err
	}
	return answer{status: status, body: viewPushHook(hook, secret)}, nil
}

// deletePushHook ends the hook and what waits to be posted. A new one has a new secret.
func (s *Server) deletePushHook(c *call, _ []byte) (answer, error) {
	s.keysMu.Lock()
	defer s.keysMu.Unlock()
	hook, err := s.mustPushHook(c.Context(), c.project)
	if err != nil {
		return answer{}, err
	}
	now := s.now()
	hook.RevokedAt, hook.Secrets = &now, nil
	if err := s.putKey(c, hook, "push_hook.delete"); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent}, nil
}

// listDeadLetters lists what this replica gave up.
func (s *Server) listDeadLetters(c *call, _ []byte) (answer, error) {
	if _, err := s.mustPushHook(c.Context(), c.project); err != nil {
		return answer{}, err
	}
	return all(s.deps.Push.DeadLetters(c.project))
}
