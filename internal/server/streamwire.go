package server

import (
	"io"
	"net"
	"strconv"
	"time"

	"eligibility/internal/stream"

	"github.com/valyala/fasthttp"
)

// The life of one stream.
const (
	heartbeat    = 15 * time.Second // below the idle timeouts of proxies
	streamWrite  = 5 * time.Second  // a client that does not take a few bytes for so long is gone
	streamRetry  = 3 * time.Second  // how long a client waits before it connects again
	streamMaxAge = time.Hour        // then the client shows its key again
)

// streamHead is the answer's header. There is no length and no chunk: the stream ends with its connection.
const streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\n" +
	"X-Content-Type-Options: nosniff\r\nConnection: close\r\n"

// hijack takes the connection away from the server, which gives its buffers and its worker back: an open stream costs two small stacks and a subscription.
func (s *Server) hijack(ctx *fasthttp.RequestCtx, st *state, subscription *stream.Subscription) {
	head := streamHead + st.sharingLines(ctx) + headerRequestID + ": " + string(st.requestID) + "\r\n\r\n" +
		"retry: " + strconv.FormatInt(streamRetry.Milliseconds(), 10) + "\n\n"
	credential := st.caller.entry.ID
	ctx.HijackSetNoResponse(true)
	ctx.Hijack(func(c net.Conn) {
		// The connection itself: the one handed over holds on to the server's read buffer, which is larger than all the rest of a stream.
		if kept, ok := c.(interface{ UnsafeConn() net.Conn }); ok {
			c = kept.UnsafeConn()
		}
		s.streams.Go(func() {
			defer subscription.Close()
			if served, ok := c.(*unhurriedConn); ok {
				_ = served.leave()
			}
			write(c, head)
			gone := make(chan struct{})
			go func() { // ends when the connection is closed, by the client or below
				defer close(gone)
				drop(c)
			}()
			s.tell(c, credential, subscription, gone)
			_ = c.Close()
			<-gone
		})
	})
}

// drop reads until the connection ends. A client has nothing more to say.
func drop(c net.Conn) {
	var few [16]byte
	for {
		if _, err := c.Read(few[:]); err != nil {
			return
		}
	}
}

// tell writes what there is to say until either side ends the stream, or its key is revoked or suspended: such a one is told no more, and the
// stream ends with the next heartbeat.
func (s *Server) tell(c net.Conn, credential string, subscription *stream.Subscription, gone <-chan struct{}) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	end := time.NewTimer(streamMaxAge)
	defer end.Stop()
	for ok := true; ok; {
		select {
		case <-subscription.Notices():
			ok = s.inForce(credential) && write(c, "id: "+strconv.FormatUint(subscription.Digest(), 16)+"\nevent: changed\ndata: {}\n\n")
		case <-beat.C:
			ok = s.inForce(credential) && write(c, ":\n\n")
		case <-subscription.Closed():
			return
		case <-s.base.Done():
			return
		case <-end.C:
			return
		case <-gone:
			return
		}
	}
}

func (s *Server) inForce(credential string) bool {
	e, ok := s.deps.Keys.ByID(credential)
	return ok && !e.Suspended
}

func write(c net.Conn, text string) bool {
	if c.SetWriteDeadline(time.Now().Add(streamWrite)) != nil {
		return false
	}
	_, err := io.WriteString(c, text)
	return err == nil
}
