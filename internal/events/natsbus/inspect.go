package natsbus

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"eligibility/internal/events"
)

// Inspection is what servers and their stream are like, for somebody who wants to know before anything is started.
type Inspection struct {
	Server      string   // name and version of the server that answered
	MaxPayload  int64    // bytes that it takes in one message
	NeedPayload int64    // bytes of the largest message of ours
	JetStream   error    // why it cannot be used; nil: it can, and the rest is known
	Stream      string   // its name
	Missing     bool     // there is none yet
	Differences []string // what keeps the stream from being ours
}

// Inspect looks at the servers of a configuration. It makes one connection, changes nothing and makes no stream. It returns when it knows,
// or with the error of a connection that failed.
func Inspect(ctx context.Context, cfg *Config) (*Inspection, error) {
	err := cfg.Validate()
	if cfg.URL == "" {
		err = errors.Join(err, errors.New("bus: no URL"))
	}
	if err != nil {
		return nil, err
	}
	options := []nats.Option{nats.Name(cfg.Name), nats.Timeout(cfg.RequestTimeout), nats.NoReconnect()}
	if cfg.CAFile != "" {
		options = append(options, nats.RootCAs(cfg.CAFile))
	}
	if cfg.CertFile != "" {
		options = append(options, nats.ClientCert(cfg.CertFile, cfg.KeyFile))
	}
	if cfg.CredentialsFile != "" {
		options = append(options, nats.UserCredentials(cfg.CredentialsFile))
	}
	conn, err := nats.Connect(cfg.URL, options...)
	if err != nil {
		return nil, wrap("connect", err)
	}
	defer conn.Close()
	i := &Inspection{
		Server:     fmt.Sprintf("%s, NATS %s", conn.ConnectedServerName(), conn.ConnectedServerVersion()),
		MaxPayload: conn.MaxPayload(), NeedPayload: events.MaxMessageBytes, Stream: StreamName,
	}
	i.JetStream = i.stream(ctx, conn, cfg)
	return i, nil
}

// stream asks for the stream. The error says that JetStream itself cannot be asked.
func (i *Inspection) stream(ctx context.Context, conn *nats.Conn, cfg *Config) error {
	ctx, cancel := context.WithTimeout(ctx, cfg.RequestTimeout)
	defer cancel()
	js, err := jetstream.New(conn, jetstream.WithDefaultTimeout(cfg.RequestTimeout))
	if err != nil {
		return wrap("open JetStream", err)
	}
	stream, err := js.Stream(ctx, StreamName)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		i.Missing = true
		return nil
	}
	if err != nil {
		return wrap("look at the stream", err)
	}
	found := stream.CachedInfo().Config
	i.Differences = differences(&found)
	if stated, there := found.Metadata[partitionsField]; there && stated != strconv.Itoa(cfg.Partitions) {
		i.Differences = append(i.Differences, fmt.Sprintf("partitions: %s, want %d", stated, cfg.Partitions))
	}
	return nil
}
