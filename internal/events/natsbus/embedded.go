package natsbus

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// startTime bounds how long the embedded server may take to start.
const startTime = 10 * time.Second

// Embedded starts a NATS server inside this process, without any network port, and connects to it. Several can live in one process.
func Embedded(cfg Config) (*Bus, error) {
	cfg.URL = ""
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	b := newBus(cfg)
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	if err := b.serve(ctx); err != nil {
		b.Stop()
		return nil, err
	}
	return b, nil
}

// serve starts the server and connects. On an error the caller stops the bus.
func (b *Bus) serve(ctx context.Context) error {
	dir := b.cfg.Dir
	if dir == "" {
		// JetStream wants a directory even for what it keeps in memory.
		temp, err := os.MkdirTemp("", "eligibility-bus-")
		if err != nil {
			return wrap("make a temporary directory", err)
		}
		dir, b.tempDir = temp, temp
	}
	// The stream reserves MaxBytes; the rest is for consumers.
	room := b.cfg.Stream.MaxBytes + 64*mebibyte
	running, err := server.NewServer(&server.Options{
		ServerName: b.cfg.Name, DontListen: true, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: dir, JetStreamMaxMemory: room, JetStreamMaxStore: room + b.cfg.Audiences.MaxBytes, DisableJetStreamBanner: true,
	})
	if err != nil {
		return wrap("make the embedded server", err)
	}
	running.SetLoggerV2(serverLog{b.log}, false, false, false)
	b.server = running
	running.Start()
	if !running.ReadyForConnections(startTime) || !running.JetStreamEnabled() {
		return wrap("start the embedded server", fmt.Errorf("not ready after %v", startTime))
	}
	return b.open(ctx, []nats.Option{nats.InProcessServer(running)})
}

// serverLog passes on what the embedded server has to warn of. Its notices and its view of every client are of no interest here.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Warnf(format string, args ...any) {
	l.log.Warn("embedded NATS server warned", "text", fmt.Sprintf(format, args...))
}

func (l serverLog) Errorf(format string, args ...any) {
	l.log.Error("embedded NATS server reported an error", "text", fmt.Sprintf(format, args...))
}

func (l serverLog) Fatalf(format string, args ...any) { l.Errorf(format, args...) }
func (serverLog) Noticef(string, ...any)              {}
func (serverLog) Debugf(string, ...any)               {}
func (serverLog) Tracef(string, ...any)               {}
