package app

import (
	"errors"
	"fmt"
	"net"
)

// Done tells of the first fault that keeps the process from going on: a listener that broke. After it the caller should Stop.
func (l *lifecycle) Done() <-chan error { return l.fault }

// watched is a listener that reports when it can accept no more, though nobody closed it.
type watched struct {
	net.Listener
	plane string
	fault chan<- error // of one place; only the first fault counts
}

// Accept waits for the next connection.
func (w watched) Accept() (net.Conn, error) {
	conn, err := w.Listener.Accept()
	var timeout net.Error
	if err == nil || errors.Is(err, net.ErrClosed) || errors.As(err, &timeout) && timeout.Timeout() {
		return conn, err
	}
	select {
	case w.fault <- fmt.Errorf("the listener of the %s broke: %w", w.plane, err):
	default:
	}
	return nil, err
}
