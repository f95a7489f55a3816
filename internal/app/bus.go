package app

import (
	"context"
	"fmt"
	"log/slog"

	"eligibility/internal/events/natsbus"
	"eligibility/internal/ops"
)

// openBus starts the bus of this process, or connects to the one that the processes of a cluster share. name shows the client in the server's
// monitoring.
func openBus(cfg *Config, name string, logger *slog.Logger) (*natsbus.Bus, error) {
	if cfg.Nats == natsEmbedded {
		busCfg := natsbus.DefaultEmbedded()
		busCfg.Logger = logger
		return natsbus.Embedded(busCfg)
	}
	ctx, cancel := context.WithTimeout(context.Background(), reachTime)
	defer cancel()
	busCfg := cfg.natsConfig()
	busCfg.Name, busCfg.Logger = name, logger
	bus, err := natsbus.Connect(ctx, busCfg)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS within %v: %w", reachTime, err)
	}
	return bus, nil
}

// natsConfig is the configuration of the shared bus.
func (c *Config) natsConfig() natsbus.Config {
	cfg := natsbus.DefaultCluster(c.Nats)
	cfg.CredentialsFile, cfg.CAFile, cfg.CertFile, cfg.KeyFile = c.NatsCredentials, c.NatsCA, c.NatsCert, c.NatsKey
	cfg.Stream.Replicas, cfg.Audiences.Replicas = c.NatsReplicas, c.NatsReplicas
	return cfg
}

func collectBus(bus *natsbus.Bus) ops.Collector {
	return func(s *ops.Samples) {
		stats := bus.Stats()
		s.Flag(&ops.BusConnected, stats.Connected)
		for kind, n := range map[string]uint64{
			"published": stats.Published, "delivered": stats.Delivered, "hint_sent": stats.HintsSent, "hint_received": stats.HintsReceived,
			"announcement": stats.Announced, "result": stats.Results,
		} {
			s.Count(&ops.BusMessages, n, kind)
		}
		s.Count(&ops.BusBytes, stats.PublishedBytes, "published")
		s.Count(&ops.BusBytes, stats.DeliveredBytes, "delivered")
		s.Count(&ops.BusBytes, stats.ResultBytes, "result")
		for kind, n := range map[string]uint64{
			"publish": stats.PublishFailures, "result": stats.ResultFailures, "result_repeated": stats.ResultRepeats, "hint_dropped": stats.HintsDropped, "announcement_dropped": stats.AnnounceDropped, "resume": stats.Resumes,
			"overflow": stats.Overflows, "discarded": stats.Discarded, "recreated": stats.Recreated, "undecodable": stats.Undecodable,
		} {
			s.Count(&ops.BusFailures, n, kind)
		}
		s.Count(&ops.BusReconnect, stats.Reconnects)
	}
}
