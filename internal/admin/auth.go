package admin

import (
	"net"

	"eligibility/internal/access"
	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

const headerKey = "Api-Key"

// caller is who asks.
type caller struct {
	id      string // of the credential; "root" for the root key
	root    bool
	project string
	role    access.Role
}

// rootID is the root key's name in the audit log.
const rootID = "root"

// authenticate finds out who asks. Only admin keys and the root key come in here.
func (s *Server) authenticate(c *call) error {
	key := c.Header.Get(headerKey)
	if key == "" {
		return problem.New("missing_credential", "send an admin key in the header %s", headerKey)
	}
	if s.deps.Root.Matches([]byte(key)) {
		c.caller = caller{id: rootID, root: true}
		return nil
	}
	entry, ok := s.deps.Keyring.Lookup([]byte(key))
	if !ok {
		return problem.New("invalid_credential", "")
	}
	if entry.Kind != access.Admin {
		// A client key is public; one that turns up here is worth a look.
		s.deps.Logger.Warn("key of the wrong kind on the control plane", "project", entry.Project, "credential", entry.ID,
			"kind", string(entry.Kind), "request_id", c.id)
		return problem.New("forbidden", "the control plane takes admin keys")
	}
	c.caller = caller{id: entry.ID, project: entry.Project, role: entry.Role}
	return nil
}

// authorize holds the path's project and the call's role against the caller. Another project than the key's is not found: that it exists is
// none of the caller's business.
func (s *Server) authorize(c *call, need access.Role) error {
	c.project = c.PathValue("project")
	if need == "" { // a call above projects
		if !c.caller.root {
			return problem.New("forbidden", "this call takes the root key")
		}
		return nil
	}
	if c.caller.root {
		if !profile.ValidProject(c.project) {
			return rules.ErrNoProject
		}
		// A project key proves that its project exists; the root key does not.
		_, err := s.deps.Authoring.Project(c.Context(), c.project)
		return err
	}
	if c.project != c.caller.project {
		return rules.ErrNoProject
	}
	if !c.caller.role.Allows(need) {
		return problem.New("forbidden", "this call takes a key of role %s", need)
	}
	return nil
}

// actor is the caller as the audit log names him.
func (c *call) actor() rules.Actor {
	host, _, err := net.SplitHostPort(c.RemoteAddr)
	if err != nil {
		host = c.RemoteAddr
	}
	return rules.Actor{ID: c.caller.id, RemoteAddr: host, RequestID: c.id, Once: c.once}
}
