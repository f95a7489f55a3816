package server

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// unhurried is a listener whose connections set their deadlines only when it matters. A server moves them several times for each request, and each
// move takes the lock of a timer; yet a request that comes in one piece and an answer that goes out in one are done long before any of them.
//
// Of the server's own deadlines only the one between requests is left to it, since it reads the clock for each. It says when a request has begun by lifting
// that one, and the handler says when the answer is ready.
type unhurried struct {
	net.Listener
	request time.Duration // a request must have arrived whole this long after it began, the first one after its connection was opened
	answer  time.Duration // the client must have taken an answer this long after it was ready
}

// Accept waits for the next connection.
func (l unhurried) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newUnhurriedConn(c, l.request, l.answer), nil
}

func newUnhurriedConn(c net.Conn, request, answer time.Duration) *unhurriedConn {
	u := &unhurriedConn{Conn: c, opened: time.Now(), request: request, answer: answer}
	u.read.wanted.Store(int64(request))
	u.write.wanted.Store(int64(answer))
	return u
}

// unhurriedConn keeps what deadlines are wanted apart from those that are set. A set one is moved at once when the wanted one comes earlier and
// somebody waits, and otherwise not before it has fired: then the wait goes on until the wanted one. So no wait ends before its deadline,
// and none after it. Safe for concurrent use like any net.Conn.
type unhurriedConn struct {
	net.Conn
	opened      time.Time // deadlines count from it
	read, write deadline

	request, answer time.Duration // as of unhurried; 0 is no limit
	// begun is set when a request has, and no deadline was wanted yet. Most never want one: they are there already. It belongs to who serves the
	// connection.
	begun bool
}

// deadline is that of one direction, in nanoseconds after the connection was opened; 0 is none.
type deadline struct {
	wanted, set atomic.Int64
	waiting     atomic.Int32 // calls that read or write now
	mu          sync.Mutex   // held while set is moved
}

// late reports whether a wait would go on beyond the wanted deadline.
func (d *deadline) late() bool {
	wanted, set := d.wanted.Load(), d.set.Load()
	return wanted != 0 && (set == 0 || wanted < set)
}

// want notes a deadline.
func (c *unhurriedConn) want(d *deadline, at time.Time) error {
	wanted := int64(0)
	if !at.IsZero() {
		wanted = int64(at.Sub(c.opened))
		if wanted == 0 {
			wanted = -1
		}
	}
	d.wanted.Store(wanted)
	if d.waiting.Load() > 0 && d.late() { // who begins to wait after this sees what is wanted
		return c.move(d)
	}
	return nil
}

// move sets what is wanted.
func (c *unhurriedConn) move(d *deadline) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	wanted := d.wanted.Load()
	at := time.Time{}
	if wanted != 0 {
		at = c.opened.Add(time.Duration(wanted))
	}
	d.set.Store(wanted)
	if d == &c.read {
		return c.Conn.SetReadDeadline(at)
	}
	return c.Conn.SetWriteDeadline(at)
}

// early reports whether err is of a deadline that is not wanted any more.
func (c *unhurriedConn) early(d *deadline, err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	wanted := d.wanted.Load()
	return wanted == 0 || int64(time.Since(c.opened)) < wanted
}

// SetReadDeadline says until when reads wait; zero is for ever, or, on a served connection, that a request has begun.
func (c *unhurriedConn) SetReadDeadline(at time.Time) error {
	if c.request > 0 {
		c.begun = at.IsZero()
	}
	return c.want(&c.read, at)
}

// answered says that an answer was ready at an instant, and is about to be written.
func (c *unhurriedConn) answered(at time.Time) {
	if c.answer > 0 {
		_ = c.want(&c.write, at.Add(c.answer)) // fails when the connection is gone, which the write will find out
	}
}

// leave takes the connection away from the server, with no deadline.
func (c *unhurriedConn) leave() error {
	c.request, c.answer, c.begun = 0, 0, false
	return c.SetDeadline(time.Time{})
}

// SetWriteDeadline says until when writes wait; zero is for ever.
func (c *unhurriedConn) SetWriteDeadline(at time.Time) error { return c.want(&c.write, at) }

// SetDeadline is both.
func (c *unhurriedConn) SetDeadline(at time.Time) error {
	return errors.Join(c.want(&c.read, at), c.want(&c.write, at))
}

// Read reads what has come, or waits for it.
func (c *unhurriedConn) Read(p []byte) (int, error) {
	d := &c.read
	if c.begun {
		c.begun = false
		_ = c.want(d, time.Now().Add(c.request))
	}
	d.waiting.Add(1)
	defer d.waiting.Add(-1)
	if d.late() {
		if err := c.move(d); err != nil {
			return 0, err
		}
	}
	for {
		n, err := c.Conn.Read(p)
		if err == nil || n > 0 || !c.early(d, err) {
			return n, err
		}
		if err := c.move(d); err != nil {
			return 0, err
		}
	}
}

// Write writes all of p.
func (c *unhurriedConn) Write(p []byte) (int, error) {
	d := &c.write
	d.waiting.Add(1)
	defer d.waiting.Add(-1)
	if d.late() {
		if err := c.move(d); err != nil {
			return 0, err
		}
	}
	for written := 0; ; {
		n, err := c.Conn.Write(p[written:])
		written += n
		if err == nil || !c.early(d, err) {
			return written, err
		}
		if err := c.move(d); err != nil {
			return written, err
		}
	}
}
