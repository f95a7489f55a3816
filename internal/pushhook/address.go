package pushhook

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"unicode"
)

// maxURLBytes bounds a hook's URL.
const maxURLBytes = 2048

// CheckURL says what is wrong with a URL that a hook is declared with; the texts are for who declares it. Whether a name leads to a public
// address is found out whenever it is dialled; an address that stands in the URL itself can be refused at once.
func (g Guard) CheckURL(raw string) error {
	if len(raw) > maxURLBytes ||
		strings.ContainsFunc(raw, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return errors.New("a URL has at most 2048 bytes, and neither blanks nor control characters")
	}
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("this is not a URL")
	}
	host := u.Hostname()
	switch {
	case u.Scheme != "https":
		return errors.New("use https: messages name users")
	case host == "" || u.Opaque != "":
		return errors.New("name a host, as in https://push.example.com/hook")
	case u.User != nil:
		return errors.New("leave user and password out: messages are signed")
	case strings.Contains(raw, "#"):
		return errors.New("leave the fragment out: it is not sent")
	}
	if addr, err := netip.ParseAddr(host); err == nil && g.Permits(addr) != nil {
		return errors.New("the address is not public; an operator can allow it")
	}
	return nil
}
