package access

// HookID is the id of a project's push hook among its credentials: it has one at most.
const HookID = "push-hook"

// Hook is a push hook that is in force. It is immutable.
type Hook struct {
	Project string
	URL     string
	Secrets [][]byte // what its messages are signed with, newest first; at least one
}

// Hook returns the push hook of a project. It allocates nothing and is safe for concurrent use.
func (k *Keyring) Hook(project string) (*Hook, bool) {
	h, ok := k.current.Load().hooks[project]
	return h, ok
}

// hook opens the secrets of a stored push hook; nil when none opens, since nobody would believe what is not signed.
func (k *Keyring) hook(c *Credential) *Hook {
	h := &Hook{Project: c.Project, URL: c.URL}
	for _, sealed := range c.Secrets {
		secret, err := k.sealer.Open(sealed, c.Project, c.ID)
		if err != nil {
			k.logger.Error("push hook secret does not open", "project", c.Project)
			continue
		}
		h.Secrets = append(h.Secrets, secret)
	}
	if len(h.Secrets) == 0 {
		return nil
	}
	return h
}

// NewHook makes the push hook of a project, without a URL or a secret yet. Its hash is of a key that nobody was ever told, so that nothing
// opens with it.
func NewHook(project string) Credential {
	return Credential{ID: HookID, Project: project, Kind: PushHook, Hash: Hash(NewSecret())}
}
