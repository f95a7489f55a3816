package access

import "eligibility/internal/problem"

// Keys finds the credential of a key; a Keyring is one.
type Keys interface {
	Lookup(key []byte) (*Entry, bool)
}

// ServerKey is the entry of a server key that is in force, or what its bearer is told. Everything that is said to a backend passes through it: what it lets in names the
// project, and nothing else does.
func ServerKey(keys Keys, key []byte) (*Entry, *problem.Problem) {
	if len(key) == 0 {
		return nil, problem.New("missing_credential", "send an API key in the header Api-Key")
	}
	entry, ok := keys.Lookup(key)
	switch {
	case !ok:
		return nil, problem.New("invalid_credential", "the API key is not known, or was revoked")
	case entry.Kind != Server:
		return nil, problem.New("forbidden", "a key of this kind may not make this call")
	case entry.Suspended:
		return nil, problem.New("key_suspended", "an administrator has suspended the key")
	}
	return entry, nil
}
