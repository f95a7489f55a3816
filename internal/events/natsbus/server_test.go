package natsbus

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// broker starts a NATS server on a TCP port (-1 takes a free one), with its files in dir.
func broker(t testing.TB, dir string, port int) *server.Server {
	t.Helper()
	return brokerWith(t, dir, port, func(*server.Options) {})
}

// brokerWith is broker with options changed.
func brokerWith(t testing.TB, dir string, port int, change func(*server.Options)) *server.Server {
	t.Helper()
	options := &server.Options{
		Host: "127.0.0.1", Port: port, NoSigs: true, NoLog: true, JetStream: true, StoreDir: dir, DisableJetStreamBanner: true,
		JetStreamMaxMemory: 512 * mebibyte, JetStreamMaxStore: 2048 * mebibyte,
	}
	change(options)
	s, err := server.NewServer(options)
	if err != nil {
		t.Fatalf("NewServer: %v", err)
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	t.Cleanup(func() { halt(s) })
	return s
}

func halt(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

func portOf(s *server.Server) int { return s.Addr().(*net.TCPAddr).Port }

// connected is a bus on a server, stopped with the test.
func connected(t testing.TB, url string, change func(*Config)) *Bus {
	t.Helper()
	cfg := DefaultCluster(url)
	cfg.Partitions, cfg.Logger, cfg.Heartbeat = 4, quiet(), 100*time.Millisecond
	cfg.Stream.MaxBytes = 64 * mebibyte
	if change != nil {
		change(&cfg)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	b, err := Connect(ctx, cfg)
	if err != nil {
		t.Fatalf("Connect: %v", err)
	}
	t.Cleanup(b.Stop)
	return b
}

// wire is a TCP proxy that can be cut: connections are closed, and refused until it is mended.
type wire struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]struct{}
	work  sync.WaitGroup
}

func newWire(t testing.TB, target string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("Listen: %v", err)
	}
	w := &wire{listener: l, target: target, conns: map[net.Conn]struct{}{}}
	w.work.Go(w.accept)
	t.Cleanup(func() {
		w.set(true)
		_ = l.Close()
		w.work.Wait()
	})
	return w
}

func (w *wire) url() string { return "nats://" + w.listener.Addr().String() }

func (w *wire) accept() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", w.target)
		if err != nil || !w.keep(near, far) {
			_ = near.Close()
			if far != nil {
				_ = far.Close()
			}
			continue
		}
		w.work.Go(func() { w.pipe(near, far) })
		w.work.Go(func() { w.pipe(far, near) })
	}
}

func (w *wire) keep(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return false
	}
	for _, c := range conns {
		w.conns[c] = struct{}{}
	}
	return true
}

func (w *wire) pipe(dst, src net.Conn) {
	_, _ = io.Copy(dst, src)
	_ = dst.Close()
	_ = src.Close()
}

// set cuts the wire, or mends it.
func (w *wire) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	if cut {
		for c := range w.conns {
			_ = c.Close()
		}
		clear(w.conns)
	}
}
