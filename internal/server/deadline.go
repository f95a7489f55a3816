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
type unhurried struct{ net.Listener }

// Accept waits for the next connection.
func (l unhurried) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &unhurriedConn{Conn: c, opened: time.Now()}, nil
}

// unhurriedConn keeps what deadlines are wanted apart from those that are set. A set one is moved at once when the wanted one comes earlier and
// somebody waits, and otherwise not before it has fired: then the wait goes on until the wanted one. So no wait ends before its deadline,
// and none after it. Safe for concurrent use like any net.Conn.
type unhurriedConn struct {
	net.Conn
	opened      time.Time // deadlines count from it
	read, write deadline
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

// SetReadDeadline says until when reads wait; zero is for ever.
func (c *unhurriedConn) SetReadDeadline(at time.Time) error { return c.want(&c.read, at) }

// SetWriteDeadline says until when writes wait; zero is for ever.
func (c *unhurriedConn) SetWriteDeadline(at time.Time) error { return c.want(&c.write, at) }

// SetDeadline is both.
func (c *unhurriedConn) SetDeadline(at time.Time) error {
	return errors.Join(c.want(&c.read, at), c.want(&c.write, at))
}

// Read reads what has come, or waits for it.
func (c *unhurriedConn) Read(p []byte) (int, error) {
	d := &c.read
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
