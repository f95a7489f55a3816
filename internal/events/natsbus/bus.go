package natsbus

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"eligibility/internal/events"
)

// Bus is a connection to NATS and, in embedded mode, the server behind it. All methods are safe for concurrent use.
type Bus struct {
	cfg      Config
	log      *slog.Logger
	conn     *nats.Conn
	closed   chan struct{} // the connection is closed for good
	js       jetstream.JetStream
	subjects []string // by partition
	buffers  sync.Pool
	count    counters
	pending  interrupts
	ensuring sync.Mutex // one goroutine at a time creates the stream

	server   *server.Server // nil unless embedded
	tempDir  string         // removed by Stop, when not empty
	stopOnce sync.Once
}

var (
	_ events.Publisher  = (*Bus)(nil)
	_ events.Subscriber = (*Bus)(nil)
	_ events.Hinter     = (*Bus)(nil)
	_ events.Gossip     = (*Bus)(nil)
)

// drainTime bounds how long Stop waits for what was published to leave, and for the subscriptions to be done with what they have.
const drainTime = 2 * time.Second

func newBus(cfg Config) *Bus {
	b := &Bus{cfg: cfg, log: cfg.Logger, closed: make(chan struct{}), subjects: make([]string, cfg.Partitions)}
	b.buffers.New = func() any { return new([]byte) }
	for p := range b.subjects {
		b.subjects[p] = changesPrefix + strconv.Itoa(p)
	}
	return b
}

// Partitions is the number of partitions of the stream.
func (b *Bus) Partitions() int { return b.cfg.Partitions }

// Stop ends all subscriptions, closes the connection and, in embedded mode, shuts the server down. It waits, and may be called any number
// of times.
func (b *Bus) Stop() {
	b.stopOnce.Do(func() {
		if b.conn != nil {
			b.disconnect()
		}
		if b.server != nil {
			b.server.Shutdown()
			b.server.WaitForShutdown()
		}
		if b.tempDir != "" {
			if err := os.RemoveAll(b.tempDir); err != nil {
				b.log.Warn("bus cannot remove its temporary directory", "error", err)
			}
		}
	})
}

func (b *Bus) disconnect() {
	if err := b.conn.Drain(); err != nil {
		b.conn.Close()
	}
	grace := time.NewTimer(drainTime + time.Second)
	defer grace.Stop()
	select {
	case <-b.closed:
	case <-grace.C:
		b.conn.Close()
		<-b.closed
	}
}

// buffer borrows an empty slice; give it back with b.buffers.Put.
func (b *Bus) buffer() *[]byte {
	p := b.buffers.Get().(*[]byte)
	*p = (*p)[:0]
	return p
}

// errClosed ends a subscription whose connection is gone for good.
var errClosed = errors.New("the connection to NATS is closed")

func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("bus: %s: %w", doing, err)
}
