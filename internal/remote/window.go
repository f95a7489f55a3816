package remote

import (
	"bufio"
	"context"
	"errors"
	"io"
	"sync"
)

// window holds the lines that were read and not yet answered, so that a stream that is cut can go on from them, whatever its input: a pipe cannot be read twice.
type window struct {
	mu    sync.Mutex
	moved *sync.Cond
	lines [][]byte // guarded by mu, as are all below
	sent  int      // of them, in this attempt
	ended bool     // the input
	fault error    // of the input, or of the context
	bytes int64    // read so far
}

// windowLines bounds the window: more than a server and the connection to it hold.
const windowLines = 1 << 16

func newWindow() *window {
	w := &window{}
	w.moved = sync.NewCond(&w.mu)
	return w
}

// maxLine bounds a line of the input. A longer one would be answered as a fault anyway.
const maxLine = 64 << 10

// fill reads the input to its end. It waits while the window is full.
func (w *window) fill(in io.Reader) {
	scanner := bufio.NewScanner(in)
	scanner.Buffer(make([]byte, 0, 4096), maxLine)
	for scanner.Scan() {
		if !w.add(scanner.Bytes()) {
			return
		}
	}
	w.close(scanner.Err())
}

func (w *window) add(line []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.lines) >= windowLines && w.fault == nil {
		w.moved.Wait()
	}
	w.bytes += int64(len(line)) + 1
	if len(line) > 0 {
		w.lines = append(w.lines, append(append(make([]byte, 0, len(line)+1), line...), '\n'))
	}
	w.moved.Broadcast()
	return w.fault == nil
}

func (w *window) close(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended = true; w.fault == nil {
		w.fault = err
	}
	w.moved.Broadcast()
}

// begin starts an attempt: all that is not answered is to be sent again. The attempts before it have ended.
func (w *window) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = 0
}

// next waits for lines to send, and returns io.EOF after the last one.
func (w *window) next(ctx context.Context) ([][]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.sent == len(w.lines) && !w.ended && w.fault == nil && ctx.Err() == nil {
		w.moved.Wait()
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case w.sent < len(w.lines):
		fresh := append([][]byte(nil), w.lines[w.sent:]...)
		w.sent = len(w.lines)
		return fresh, nil
	case w.fault != nil:
		return nil, w.fault
	}
	return nil, io.EOF
}

// wake lets those who wait look at their contexts.
func (w *window) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moved.Broadcast()
}

var errUnasked = errors.New("the server answered a line that it was not sent")

// answered takes the oldest line out of the window.
func (w *window) answered() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sent == 0 {
		return errUnasked
	}
	w.lines[0] = nil
	w.lines, w.sent = w.lines[1:], w.sent-1
	w.moved.Broadcast()
	return nil
}

// read is how many bytes of the input were read.
func (w *window) read() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bytes
}
