package admin

import (
	"net/url"
	"strconv"

	"eligibility/internal/access"
	"eligibility/internal/problem"
)

// Limits of a key's origins.
const (
	maxOrigins     = 20
	maxOriginBytes = 253 + len("https://:65535")
)

// checkOrigins holds what a client key is limited to against what a browser sends: scheme, host and port, and nothing behind.
func (in *newKey) checkOrigins() error {
	switch {
	case len(in.Origins) > 0 && in.Kind != access.Client:
		return problem.New("invalid_value", "only a client key is used by web pages").At("origins")
	case len(in.Origins) > maxOrigins:
		return problem.New("invalid_value", "at most %d origins", maxOrigins).At("origins")
	}
	for i, origin := range in.Origins {
		u, err := url.Parse(origin)
		if err != nil || len(origin) > maxOriginBytes || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" ||
			origin != u.Scheme+"://"+u.Host || !lower(u.Host) {
			return problem.New("invalid_value", "want an origin as browsers write it, such as https://shop.example").
				At("origins[" + strconv.Itoa(i) + "]")
		}
	}
	return nil
}

// lower reports whether a host is as a browser writes it: in small letters, and otherwise only what no header can be broken with.
func lower(host string) bool {
	for i := range len(host) {
		c := host[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != ':' && c != '[' && c != ']' {
			return false
		}
	}
	return true
}

// suspendKey has a key refused until it is resumed. SDKs take the refusal as a word to show nothing and ask no more.
func (s *Server) suspendKey(c *call, body []byte) (answer, error) {
	return s.changeKey(c, body, "key.suspend", suspension(true))
}

// resumeKey ends a suspension.
func (s *Server) resumeKey(c *call, body []byte) (answer, error) {
	return s.changeKey(c, body, "key.resume", suspension(false))
}

func suspension(on bool) func(*access.Credential, *newKeyView) (bool, error) {
	return func(k *access.Credential, _ *newKeyView) (bool, error) {
		switch {
		case k.RevokedAt != nil:
			return false, problem.New("conflict", "the key was revoked")
		case k.Kind == access.Admin:
			return false, problem.New("conflict", "an admin key is revoked, not suspended: who suspends the last one could not take it back")
		case k.Suspended == on:
			return false, nil
		}
		k.Suspended = on
		return true, nil
	}
}
