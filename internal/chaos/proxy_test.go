package chaos

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo answers what it hears until the test ends.
func echo(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
	})
	return ln.Addr().String()
}

func TestProxy(t *testing.T) {
	word := []byte("a word through the wire")
	say := func(t *testing.T, c net.Conn) ([]byte, error) {
		t.Helper()
		if _, err := c.Write(word); err != nil {
			return nil, err
		}
		heard := make([]byte, len(word))
		_, err := io.ReadFull(c, heard)
		return heard, err
	}
	soon := func(c net.Conn) { _ = c.SetDeadline(time.Now().Add(150 * time.Millisecond)) }
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, p *Proxy, c net.Conn)
	}{
		{"passes on", func(t *testing.T, _ *Proxy, c net.Conn) {
			if heard, err := say(t, c); err != nil || !bytes.Equal(heard, word) {
				t.Errorf("%q, %v", heard, err)
			}
		}},
		{"latency", func(t *testing.T, p *Proxy, c net.Conn) {
			p.Set(Faults{Latency: 40 * time.Millisecond, Jitter: time.Millisecond})
			began := time.Now()
			if heard, err := say(t, c); err != nil || !bytes.Equal(heard, word) || time.Since(began) < 80*time.Millisecond {
				t.Errorf("%q, %v after %v", heard, err, time.Since(began))
			}
		}},
		{"black hole and back", func(t *testing.T, p *Proxy, c net.Conn) {
			p.Set(Faults{BlackHole: true})
			soon(c)
			if heard, err := say(t, c); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%q, %v", heard, err)
			}
			p.Set(Faults{})
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			heard := make([]byte, len(word))
			if _, err := io.ReadFull(c, heard); err != nil || !bytes.Equal(heard, word) {
				t.Errorf("afterwards %q, %v", heard, err)
			}
		}},
		{"corruption", func(t *testing.T, p *Proxy, c net.Conn) {
			p.Set(Faults{Corrupt: 1})
			heard, err := say(t, c)
			if err != nil || len(heard) != len(word) {
				t.Errorf("%q, %v", heard, err)
			}
		}},
		{"reset", func(t *testing.T, p *Proxy, c net.Conn) {
			if _, err := say(t, c); err != nil {
				t.Fatal(err)
			}
			p.Reset()
			if heard, err := say(t, c); err == nil {
				t.Errorf("%q after a reset", heard)
			}
		}},
		{"half close", func(t *testing.T, p *Proxy, c net.Conn) {
			if _, err := say(t, c); err != nil {
				t.Fatal(err)
			}
			p.HalfClose()
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("read: %v, want the end", err)
			}
			if _, err := c.Write(word); err != nil {
				t.Errorf("write: %v", err)
			}
		}},
		{"refusal", func(t *testing.T, p *Proxy, _ net.Conn) {
			p.Set(Faults{Refuse: true})
			c, err := net.Dial("tcp", p.Addr())
			if err != nil {
				return
			}
			defer c.Close()
			soon(c)
			if heard, err := say(t, c); err == nil {
				t.Errorf("%q over a connection that was refused", heard)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			target := echo(t)
			p, err := NewProxy(1, func() string { return target })
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			c, err := net.Dial("tcp", p.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			tt.do(t, p, c)
		})
	}
}
