package natsbus

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"eligibility/internal/events"
)

// Names on the bus. They are part of its wire format.
const (
	StreamName      = "ELIGIBILITY_CHANGES"
	changesPrefix   = "eligibility.changes."
	hintsSubject    = "eligibility.hints"
	fleetSubject    = "eligibility.fleet"
	partitionsField = "eligibility_partitions" // in the stream's metadata
)

// Config is how the bus is reached and what its stream is like. Begin with DefaultEmbedded or DefaultCluster.
type Config struct {
	// URL is one or more NATS URLs, separated by commas; unused by Embedded. It may hold a user and a password and is never logged.
	URL string
	// Name shows this client in the server's monitoring.
	Name string
	// Dir is where the embedded server keeps its files; empty for a temporary directory that Stop removes. Unused by Connect.
	Dir string
	// Partitions is how many partitions the bus has, 1 to events.MaxPartitions. All clients of one stream must agree; a stream that was
	// made with another number is refused.
	Partitions int
	// Stream is used when the stream has to be created. An existing one keeps what its operator gave it.
	Stream StreamConfig
	// Audiences is what the stream of audience results is created with, when the first job publishes. That one refuses what it has no room for.
	Audiences StreamConfig
	// CAFile holds the certificates that vouch for the server, CertFile and KeyFile this client's own; PEM. All are optional. TLS itself
	// is asked for by the URL (tls://) or by the server; any of these files makes it a must.
	CAFile, CertFile, KeyFile string
	// CredentialsFile holds a user JWT and its key, as NATS tools write it. Optional.
	CredentialsFile string
	// PublishTimeout bounds one attempt to publish, RequestTimeout any other question to the server.
	PublishTimeout, RequestTimeout time.Duration
	// Heartbeat is how often the server speaks up on an idle subscription. After three of them in silence the subscription is begun anew.
	Heartbeat time.Duration
	// Buffer is how many messages may wait for the handler in this process. What does not fit is read from the stream again.
	Buffer int
	Logger *slog.Logger
}

// StreamConfig is what a stream is created with. That of changes throws away the oldest messages when it is full and never refuses a new one.
type StreamConfig struct {
	MaxAge   time.Duration // how long a disconnected replica can still catch up
	MaxBytes int64
	Memory   bool // keep it in memory instead of in files
	Replicas int  // copies in a NATS cluster: 1, 3 or 5
}

const mebibyte = 1 << 20

// DefaultEmbedded is the configuration of a bus inside one process. Its stream lives in memory: when the process ends, so does everyone who
// could read it.
func DefaultEmbedded() Config {
	return Config{
		Name: "eligibility", Partitions: 4,
		Stream:         StreamConfig{MaxAge: 10 * time.Minute, MaxBytes: 64 * mebibyte, Memory: true, Replicas: 1},
		Audiences:      StreamConfig{MaxAge: 24 * time.Hour, MaxBytes: 256 * mebibyte, Replicas: 1},
		PublishTimeout: 2 * time.Second, RequestTimeout: 5 * time.Second, Heartbeat: time.Second, Buffer: 8192, Logger: slog.Default(),
	}
}

// DefaultCluster is the configuration of a bus on NATS servers of its own.
func DefaultCluster(url string) Config {
	c := DefaultEmbedded()
	c.URL, c.Partitions = url, 8
	c.Stream = StreamConfig{MaxAge: 10 * time.Minute, MaxBytes: 512 * mebibyte, Replicas: 1}
	c.Audiences.MaxBytes = 1024 * mebibyte
	return c
}

// Validate reports all faults at once, those that concern only Connect when there is a URL.
func (c *Config) Validate() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf("bus: "+format, args...))
		}
	}
	fault(c.Partitions < 1 || c.Partitions > events.MaxPartitions, "%d partitions, want 1 to %d", c.Partitions, events.MaxPartitions)
	for _, s := range []*StreamConfig{&c.Stream, &c.Audiences} {
		fault(s.MaxAge < time.Minute, "the stream keeps messages for %v, want at least a minute", s.MaxAge)
		fault(s.MaxBytes < mebibyte, "the stream is bounded to %d bytes, want at least %d", s.MaxBytes, mebibyte)
		fault(s.Replicas < 1 || s.Replicas > 5, "%d copies of the stream, want 1 to 5", s.Replicas)
	}
	fault(c.PublishTimeout <= 0 || c.RequestTimeout <= 0, "the timeouts must be positive")
	fault(c.Heartbeat < 100*time.Millisecond, "a heartbeat of %v, want at least 100ms", c.Heartbeat)
	fault(c.Buffer < 64, "a buffer of %d messages, want at least 64", c.Buffer)
	fault((c.CertFile == "") != (c.KeyFile == ""), "a client certificate needs both its file and that of its key")
	fault(c.Logger == nil, "no logger")
	for url := range strings.SplitSeq(c.URL, ",") {
		scheme, _, found := strings.Cut(strings.TrimSpace(url), "://")
		known := scheme == "nats" || scheme == "tls" || scheme == "ws" || scheme == "wss"
		fault(c.URL != "" && (!found || !known), "a NATS URL begins with nats://, tls://, ws:// or wss://")
	}
	return errors.Join(faults...)
}
