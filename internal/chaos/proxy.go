package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Faults is how a Proxy treats the connections that pass through it. The zero value only passes on.
type Faults struct {
	Latency, Jitter time.Duration // before each piece, in either direction
	BlackHole       bool          // nothing passes, in either direction, and nobody is told; connections can be opened
	Refuse          bool          // new connections are reset
	Corrupt         float64       // probability with which one bit of a piece is turned
}

// Proxy passes TCP connections on to a target, and worse. Set, Reset and HalfClose are safe for concurrent use.
type Proxy struct {
	target   func() string // where to, asked for each connection: the target may have come back elsewhere
	listener net.Listener
	faults   atomic.Pointer[Faults]
	changed  atomic.Pointer[chan struct{}] // closed at each Set
	random   *lockedRand
	ctx      context.Context
	cancel   context.CancelFunc
	group    sync.WaitGroup

	mu    sync.Mutex
	pairs map[*pair]struct{} // guarded by mu
}

// pair is one connection through the proxy.
type pair struct{ client, server *net.TCPConn }

// NewProxy listens on a free port of loopback. The seed decides what Corrupt and Jitter draw.
func NewProxy(seed uint64, target func() string) (*Proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{target: target, listener: ln, random: &lockedRand{r: rand.New(rand.NewPCG(seed, 1))}, pairs: make(map[*pair]struct{})}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.Set(Faults{})
	p.group.Go(p.accept)
	return p, nil
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Set replaces the faults, for open connections too.
func (p *Proxy) Set(f Faults) {
	p.faults.Store(&f)
	next := make(chan struct{})
	if old := p.changed.Swap(&next); old != nil {
		close(*old)
	}
}

// Reset ends all open connections with RST, as a crashed peer or an impatient middlebox does.
func (p *Proxy) Reset() {
	for _, c := range p.open() {
		_ = c.client.SetLinger(0)
		_ = c.server.SetLinger(0)
		_ = c.client.Close()
		_ = c.server.Close()
	}
}

// HalfClose ends the direction from the server to the client of all open connections; the other one stays.
func (p *Proxy) HalfClose() {
	for _, c := range p.open() {
		_ = c.client.CloseWrite()
	}
}

// Close ends everything and waits for it.
func (p *Proxy) Close() {
	p.cancel()
	_ = p.listener.Close()
	p.Reset()
	p.group.Wait()
}

func (p *Proxy) open() []*pair {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]*pair, 0, len(p.pairs))
	for c := range p.pairs {
		all = append(all, c)
	}
	return all
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		p.group.Go(func() { p.serve(c.(*net.TCPConn)) })
	}
}

func (p *Proxy) serve(client *net.TCPConn) {
	defer client.Close()
	if p.faults.Load().Refuse {
		_ = client.SetLinger(0)
		return
	}
	var dialer net.Dialer
	upstream, err := dialer.DialContext(p.ctx, "tcp", p.target())
	if err != nil {
		_ = client.SetLinger(0) // as if the target itself had refused
		return
	}
	server := upstream.(*net.TCPConn)
	defer server.Close()
	c := &pair{client, server}
	p.mu.Lock()
	p.pairs[c] = struct{}{}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.pairs, c)
		p.mu.Unlock()
	}()
	if p.ctx.Err() != nil {
		return // Close has looked at the pairs before this one was among them
	}
	var both sync.WaitGroup
	both.Go(func() { p.pass(server, client) })
	both.Go(func() { p.pass(client, server) })
	both.Wait()
}

// pass copies from src to dst until either ends.
func (p *Proxy) pass(dst, src *net.TCPConn) {
	defer func() { _ = dst.CloseWrite() }()
	piece := make([]byte, 16<<10)
	for {
		n, err := src.Read(piece)
		if n > 0 {
			if !p.treat(piece[:n]) {
				return
			}
			if _, err := dst.Write(piece[:n]); err != nil {
				_ = src.SetLinger(0)
				_ = src.Close()
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// treat does to a piece what the faults say, and reports false when the proxy is closed.
func (p *Proxy) treat(piece []byte) bool {
	for {
		changed := *p.changed.Load() // before the faults: a Set between the two is not missed
		f := p.faults.Load()
		if f.BlackHole {
			select {
			case <-p.ctx.Done():
				return false
			case <-changed:
				continue
			}
		}
		if f.Corrupt > 0 && p.random.float64() < f.Corrupt {
			bit := p.random.intN(8 * len(piece))
			piece[bit/8] ^= 1 << (bit % 8)
		}
		return p.wait(f)
	}
}

func (p *Proxy) wait(f *Faults) bool {
	d := f.Latency
	if f.Jitter > 0 {
		d += time.Duration(p.random.intN(int(f.Jitter)))
	}
	if d == 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// lockedRand draws for many goroutines.
type lockedRand struct {
	mu sync.Mutex
	r  *rand.Rand // guarded by mu
}

func (l *lockedRand) float64() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Float64()
}

func (l *lockedRand) intN(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.IntN(n)
}
