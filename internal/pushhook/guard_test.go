package pushhook

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAddresses(t *testing.T) {
	for _, tt := range []struct {
		name, addrs string
		public      bool
	}{
		{"public IPv4", "1.1.1.1 8.8.8.8 93.184.216.34 172.15.255.255 172.32.0.0 100.63.255.255 100.128.0.0 198.17.255.255 223.255.255.255", true},
		{"public IPv6", "2606:4700:4700::1111 2a00:1450:4001::200e 2001:4860:4860::8888 2620:0:2d0:200::8", true},
		{"unspecified", "0.0.0.0 ::", false},
		{"this network", "0.1.2.3", false},
		{"loopback", "127.0.0.1 127.255.255.255 ::1", false},
		{"private", "10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1", false},
		{"link-local, with the metadata service of clouds", "169.254.169.254 169.254.0.1 fe80::1 fe80::1%eth0 febf::1", false},
		{"carrier-grade NAT", "100.64.0.1 100.127.255.255", false},
		{"unique local, with the metadata service of a cloud", "fc00::1 fd00:ec2::254", false},
		{"site-local, which is withdrawn", "fec0::1", false},
		{"multicast", "224.0.0.1 239.255.255.250 ff02::1 ff0e::1", false},
		{"broadcast and reserved", "255.255.255.255 240.0.0.1", false},
		{"protocol assignments", "192.0.0.1 192.0.0.170 2001::1 2001:1ff::1", false},
		{"documentation", "192.0.2.1 198.51.100.1 203.0.113.1 2001:db8::1 3fff::1", false},
		{"benchmarks", "198.18.0.1 198.19.255.255", false},
		{"mapped IPv4", "::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:1.1.1.1", false},
		{"compatible IPv4", "::127.0.0.1 ::1.1.1.1", false},
		{"translated IPv4", "64:ff9b::7f00:1 64:ff9b::101:101 64:ff9b:1::1", false},
		{"6to4 and its relays", "2002:7f00:1::1 192.88.99.1", false},
		{"discard only", "100::1", false},
		{"a public address with a zone", "2606:4700::1%eth0", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for text := range strings.FieldsSeq(tt.addrs) {
				if err := NewGuard(nil).Permits(netip.MustParseAddr(text)); (err == nil) != tt.public {
					t.Errorf("%s: %v, want public %v", text, err, tt.public)
				}
			}
		})
	}
	if err := NewGuard(nil).Permits(netip.Addr{}); !errors.Is(err, ErrRefused) {
		t.Errorf("no address: %v", err)
	}
}

func TestTheOperatorAllowsAddresses(t *testing.T) {
	g := NewGuard(prefixes("10.1.0.0/16 fd00:1::/32"))
	for text, want := range map[string]bool{
		"10.1.2.3": true, "10.2.2.3": false, "fd00:1::5": true, "fd00:2::5": false, "::ffff:10.1.2.3": false, "fd00:1::5%eth0": false, "1.1.1.1": true,
	} {
		if err := g.Permits(netip.MustParseAddr(text)); (err == nil) != want {
			t.Errorf("%s: %v, want permitted %v", text, err, want)
		}
	}
}

// TestWhatIsPermittedIsPublic holds the guard against what the standard library says of an address.
func TestWhatIsPermittedIsPublic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a netip.Addr
		if rapid.Bool().Draw(t, "v4") {
			a = netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "bytes")))
		} else {
			a = netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes")))
		}
		if NewGuard(nil).Permits(a) != nil {
			return
		}
		if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.Is4In6() {
			t.Fatalf("%s is permitted", a)
		}
	})
}

func TestURLs(t *testing.T) {
	for _, tt := range []struct{ name, url, want string }{
		{"a URL", "https://push.example.com/hook?tenant=1", ""},
		{"with a port", "https://push.example.com:8443/", ""},
		{"with a public address", "https://1.1.1.1/hook", ""},
		{"http", "http://push.example.com/", "use https"},
		{"another scheme", "file:///etc/passwd", "use https"},
		{"no scheme", "push.example.com", "use https"},
		{"no host", "https:///hook", "name a host"},
		{"opaque", "https:push.example.com", "name a host"},
		{"user and password", "https://a:b@push.example.com/", "leave user"},
		{"a fragment", "https://push.example.com/#x", "leave the fragment"},
		{"an empty fragment", "https://push.example.com/#", "leave the fragment"},
		{"a blank", "https://push.example.com/a b", "neither blanks"},
		{"a line feed", "https://push.example.com/\nX: y", "neither blanks"},
		{"too long", "https://push.example.com/" + strings.Repeat("a", maxURLBytes), "at most"},
		{"not a URL", "https://[::1", "not a URL"},
		{"loopback", "https://127.0.0.1/", "not public"},
		{"loopback in IPv6", "https://[::1]:443/", "not public"},
		{"metadata", "https://169.254.169.254/latest/", "not public"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := NewGuard(nil).CheckURL(tt.url)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%q: %v, want %q", tt.url, err, tt.want)
			}
		})
	}
}

func TestOnlyTCPToAnAddressIsDialled(t *testing.T) {
	g := NewGuard(nil)
	for _, tt := range []struct {
		network, address string
		ok               bool
	}{
		{"tcp4", "1.1.1.1:443", true},
		{"tcp6", "[2606:4700::1]:443", true},
		{"tcp4", "127.0.0.1:443", false},
		{"udp4", "1.1.1.1:443", false},
		{"unix", "/run/docker.sock", false},
		{"tcp4", "push.example.com:443", false},
	} {
		if err := g.control(t.Context(), tt.network, tt.address, nil); (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrRefused) {
			t.Errorf("%s %s: %v, want %v", tt.network, tt.address, err, tt.ok)
		}
	}
}
