package framing

import (
	"errors"
	"net"
)

// ErrMalformed ends the reading of a connection. net/http answers it with 400 and closes.
var ErrMalformed = errors.New("framing: the request is not written in the one way that is taken here")

// Listen wraps a listener of an http.Server. TLS, if any, must be below it.
func Listen(ln net.Listener) net.Listener { return listener{ln} }

type listener struct{ net.Listener }

// Accept waits for the next connection.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c}, nil
}

// conn follows the requests on a connection. It is read by one goroutine at a time, as net/http does.
type conn struct {
	net.Conn
	requests scanner
	broken   bool
}

// Read passes on what is before the first request at fault. What was read of that one in the same call is dropped: the requests before it
// are still answered.
func (c *conn) Read(b []byte) (int, error) {
	if c.broken {
		return 0, ErrMalformed
	}
	n, err := c.Conn.Read(b)
	good, ok := c.requests.scan(b[:n])
	if ok {
		return n, err
	}
	if c.broken = true; good == 0 {
		return 0, ErrMalformed
	}
	return good, nil
}
