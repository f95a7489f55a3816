package pushhook

import (
	"context"
	"encoding/binary"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"
)

// resolver asks a name server that answers the addresses one after the other, the last one from then on, whatever the name.
func resolver(t *testing.T, addrs ...string) *net.Resolver {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = socket.Close()
		<-done
	})
	var asked atomic.Int32
	go func() {
		defer close(done)
		packet := make([]byte, 1500)
		for {
			n, from, err := socket.ReadFrom(packet)
			if err != nil {
				return
			}
			if answer := named(packet[:n], addrs, &asked); answer != nil {
				_, _ = socket.WriteTo(answer, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", socket.LocalAddr().String())
	}}
}

// named answers a question for an IPv4 address with the next of addrs, and others with none (RFC 1035, section 4).
func named(packet []byte, addrs []string, asked *atomic.Int32) []byte {
	const head, typeA = 12, 1
	end := head
	for end < len(packet) && packet[end] != 0 { // the labels of the name
		end += int(packet[end]) + 1
	}
	if end += 5; end > len(packet) { // the root label, type and class
		return nil
	}
	answer := append([]byte{packet[0], packet[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, packet[head:end]...)
	if binary.BigEndian.Uint16(packet[end-4:]) == typeA {
		addr := netip.MustParseAddr(addrs[min(int(asked.Add(1)), len(addrs))-1]).As4()
		answer[7] = 1
		answer = append(answer, 0xC0, head, 0, typeA, 0, 1, 0, 0, 0, 0, 0, 4) // the name again, A, IN, not to be kept, four bytes
		answer = append(answer, addr[:]...)
	}
	return answer
}

// TestANameThatComesToMeanAnotherAddressIsRefused: the first time the name leads to an address that is allowed, then to one that is not,
// behind which the same receiver listens.
func TestANameThatComesToMeanAnotherAddressIsRefused(t *testing.T) {
	server, hits := receiver(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
	everywhere, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(everywhere.Addr().String())
	second := &http.Server{Handler: server.Config.Handler, TLSConfig: server.TLS.Clone(), ErrorLog: nil}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = second.ServeTLS(everywhere, "", "")
	}()
	t.Cleanup(func() {
		_ = second.Close()
		<-served
	})
	cfg := trusting(server, "127.0.0.1/32")
	cfg.Resolver = resolver(t, "127.0.0.1", "127.0.0.2")
	url := "https://example.com:" + port // the test certificate's name
	if o := posted(t, cfg, url); o != (outcome{status: 200}) {
		t.Fatalf("while it leads to what is allowed: %+v", o)
	}
	if o := posted(t, cfg, url); o != (outcome{reason: ReasonAddress, final: true}) {
		t.Errorf("once it leads elsewhere: %+v", o)
	}
	if hits.Load() != 1 {
		t.Errorf("%d requests got through, want 1", hits.Load())
	}
}

func TestNamesThatLeadInwardsAreRefused(t *testing.T) {
	for _, addr := range []string{"127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "0.0.0.0", "100.64.0.1"} {
		cfg := Defaults()
		cfg.Resolver = resolver(t, addr)
		if o := posted(t, cfg, "https://push.example.com/"); o != (outcome{reason: ReasonAddress, final: true}) {
			t.Errorf("%s: %+v", addr, o)
		}
		// Spellings of 127.0.0.1 that some resolvers understand, and ours takes for names or for nothing.
		for _, host := range []string{"2130706433", "0x7f.1", "0177.0.0.1", "127.1"} {
			if o := posted(t, cfg, "https://"+host+"/"); o.reason != ReasonAddress && o.reason != ReasonNetwork {
				t.Errorf("%s as %s: %+v", host, addr, o)
			}
		}
	}
}
