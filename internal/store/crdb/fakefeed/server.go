package fakefeed

import (
	"context"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// Options is what a server serves.
type Options struct {
	Source Source
	// Behind is the URL of a PostgreSQL that answers everything but feeds. Empty: only what the feed's own code asks beside the feed is answered, as by Version.
	Behind  string
	Version string // what version() answers without a database behind; empty for a present one
	Missing bool   // without a database behind: there are no tables
	Faults  Faults
	Seed    uint64 // of the faults' chances
}

// presentVersion is what version() answers by default.
const presentVersion = "CockroachDB CCL v25.2.1 (x86_64-pc-linux-gnu, built 2025/06/01 00:00:00, go1.23.9)"

// Server is a listening fake. All methods are safe for concurrent use.
type Server struct {
	// URL is the server's address as a database URL. It stays the same after a restart.
	URL string

	opts    Options
	address string
	faults  atomic.Pointer[Faults]
	count   struct{ feeds, messages, cuts atomic.Uint64 }

	mu       sync.Mutex
	listener net.Listener         // nil while down
	open     map[*connection]bool // guarded by mu
	asked    []string             // statements of feeds; guarded by mu
	running  sync.WaitGroup
	ctx      context.Context // ended by Close
	cancel   context.CancelFunc
}

// Stats is what a server has done so far.
type Stats struct {
	Feeds, Messages, Cuts uint64
}

// Start listens on loopback until the test ends.
func Start(tb testing.TB, opts Options) *Server {
	tb.Helper()
	if opts.Version == "" {
		opts.Version = presentVersion
	}
	s := &Server{opts: opts, address: "127.0.0.1:0", open: map[*connection]bool{}}
	s.faults.Store(&opts.Faults)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := s.Listen(); err != nil {
		tb.Fatal(err)
	}
	s.URL = "postgres://tester@" + s.address + "/defaultdb?sslmode=disable"
	if opts.Behind != "" {
		behind, err := url.Parse(opts.Behind)
		if err != nil {
			tb.Fatal(err)
		}
		behind.Host = s.address
		s.URL = behind.String()
	}
	tb.Cleanup(s.close)
	return s
}

// Listen makes a server that is down take connections again, on its address.
func (s *Server) Listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return nil
	}
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		return err
	}
	s.listener, s.address = listener, listener.Addr().String()
	s.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed by Down
			}
			s.admit(listener, conn)
		}
	})
	return nil
}

// admit serves a connection, unless the server went down in the meantime.
func (s *Server) admit(listener net.Listener, conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != listener {
		_ = conn.Close()
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	c := &connection{server: s, conn: conn, ctx: ctx, cancel: cancel}
	s.open[c] = true
	s.running.Go(func() {
		defer s.forget(c)
		c.serve()
	})
}

func (s *Server) forget(c *connection) {
	c.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// Down ends all connections without a word and takes no more, as a killed server does.
func (s *Server) Down() {
	s.mu.Lock()
	if s.listener != nil {
		_ = s.listener.Close()
		s.listener = nil
	}
	s.mu.Unlock()
	s.Cut()
}

// Cut ends all connections without a word.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		c.end()
	}
}

func (s *Server) close() {
	s.cancel()
	s.Down()
	s.running.Wait()
}

// Set changes the faults of feeds that begin from now on.
func (s *Server) Set(f Faults) { s.faults.Store(&f) }

// Stats is what the server has done so far.
func (s *Server) Stats() Stats {
	return Stats{Feeds: s.count.feeds.Load(), Messages: s.count.messages.Load(), Cuts: s.count.cuts.Load()}
}

// Asked is the statements of all feeds so far.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

func (s *Server) note(statement string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, statement)
	return s.count.feeds.Add(1)
}
