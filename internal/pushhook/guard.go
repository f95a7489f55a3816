package pushhook

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
)

// ErrRefused is returned for an address that is not spoken to.
var ErrRefused = errors.New("the address is not public")

// Guard decides which addresses are spoken to: those of the public internet, and those that the operator allows. It looks at addresses, not
// at names, and at the moment of dialling: whatever a name stood for when the hook was declared, it may stand for something else now.
// Immutable.
type Guard struct{ allow []netip.Prefix }

// NewGuard makes a guard that allows the prefixes beside public addresses.
func NewGuard(allow []netip.Prefix) Guard { return Guard{allow: slices.Clone(allow)} }

// special4 are the IPv4 addresses that are nobody's on the public internet, by IANA's registry of special purposes (RFC 6890 and its
// successors), and those for many.
func special4() []netip.Prefix {
	return prefixes("0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.31.196.0/24 " +
		"192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4")
}

// special6 are those within global6 that are not public either: protocol assignments with Teredo, documentation, and 6to4, which carries an
// IPv4 address.
func special6() []netip.Prefix {
	return prefixes("2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20")
}

// global6 is all of IPv6 that is given out for the public internet. Loopback, mapped IPv4, translation, unique local, link-local and
// multicast lie outside.
func global6() netip.Prefix { return netip.MustParsePrefix("2000::/3") }

func prefixes(list string) []netip.Prefix {
	var all []netip.Prefix
	for text := range strings.FieldsSeq(list) {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// Permits says why an address is not spoken to: ErrRefused, or nil. A mapped IPv4 address in IPv6 is refused whatever it maps, unless it is
// allowed as it stands: nobody writes one but to get past a filter.
func (g Guard) Permits(addr netip.Addr) error {
	holds := func(p netip.Prefix) bool { return p.Contains(addr) }
	switch {
	case !addr.IsValid(), addr.Zone() != "": // a prefix contains no address with a zone
		return ErrRefused
	case slices.ContainsFunc(g.allow, holds):
		return nil
	case addr.Is4() && !slices.ContainsFunc(special4(), holds):
		return nil
	case addr.Is6() && global6().Contains(addr) && !slices.ContainsFunc(special6(), holds):
		return nil
	}
	return ErrRefused
}

// control lets a connection be made or refuses it. The dialer calls it with each address that it tries, after the name was looked up.
func (g Guard) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("%w: %s %s", ErrRefused, network, address)
	}
	if err := g.Permits(at.Addr()); err != nil {
		return fmt.Errorf("%w: %s", err, at.Addr())
	}
	return nil
}
