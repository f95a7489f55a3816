package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"

	"eligibility/internal/events"
	"eligibility/internal/events/changejson"
	"eligibility/internal/events/webhook"
	"eligibility/internal/ops"
)

// conveyor is the relay of this process and what feeds it.
type conveyor struct {
	relay *events.Relay
	sink  *webhook.Sink // nil when the store is read
	at    net.Listener  // of the sink
}

func newConveyor(cfg *Config, holder string, store Store, bus events.Publisher, logger *slog.Logger) (c *conveyor, err error) {
	relayCfg := events.DefaultRelayConfig(holder)
	relayCfg.Logger = logger
	if cfg.Store == storeCRDB {
		// A holder that cannot reach the database for a moment keeps the lease; a standby asks often enough to take over as soon as it may.
		relayCfg.RenewEvery, relayCfg.TryEvery = cfg.RelayLease/5, cfg.RelayLease/5
	}
	c = &conveyor{}
	var feed events.Feed = store
	var lease events.Lease = store
	if cfg.Feed == feedWebhook {
		if c.sink, err = newSink(cfg, store, logger); err != nil {
			return nil, err
		}
		feed, lease = c.sink, webhook.Fresh(store)
	}
	if c.relay, err = events.NewRelay(feed, lease, bus, relayCfg); err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	return c, nil
}

func newSink(cfg *Config, store Store, logger *slog.Logger) (*webhook.Sink, error) {
	token, err := os.ReadFile(cfg.WebhookTokenFile)
	if err != nil {
		return nil, fmt.Errorf("webhook-token-file: %w", err)
	}
	sinkCfg := webhook.Defaults()
	sinkCfg.Token, sinkCfg.Feeds, sinkCfg.Logger = strings.TrimSpace(string(token)), cfg.WebhookFeeds, logger
	decoder := changejson.New(changejson.Tables())
	sinkCfg.Decode = func(body []byte) (webhook.Delivery, error) {
		said, err := decoder.Delivery(body)
		return webhook.Delivery(said), err
	}
	sinkCfg.Now = store.Now
	sink, err := webhook.New(sinkCfg)
	if err != nil {
		return nil, fmt.Errorf("webhook-token-file or webhook-feeds: %w", err)
	}
	return sink, nil
}

// planes are the listeners that the conveyor needs.
func (c *conveyor) planes(cfg *Config) []plane {
	if c == nil || c.sink == nil {
		return nil
	}
	return []plane{{flag: "webhook-listen", name: "webhook", addr: cfg.WebhookListen, to: &c.at}}
}

// start brings up what feeds the relay, then the relay.
func (c *conveyor) start(ctx context.Context, l *lifecycle) error {
	if c == nil {
		return nil
	}
	if c.sink != nil {
		c.sink.Start(c.at)
		l.onStop("webhook", c.sink.Stop)
	}
	return l.startParts(ctx, []part{{"relay", c.relay.Start, c.relay.Stop}})
}

// collectors read the relay for the ops plane.
func (c *conveyor) collectors() []ops.Collector {
	if c == nil {
		return nil
	}
	all := []ops.Collector{ops.Relay(c.relay)}
	if c.sink != nil {
		all = append(all, collectWebhook(c.sink))
	}
	return all
}

// webhookAddr is where the sink listens, empty without one.
func (c *conveyor) webhookAddr() string {
	if c == nil || c.at == nil {
		return ""
	}
	return c.at.Addr().String()
}

func collectWebhook(sink *webhook.Sink) ops.Collector {
	return func(s *ops.Samples) {
		stats := sink.Stats()
		s.Count(&ops.WebhookRequests, stats.Taken, "taken")
		s.Count(&ops.WebhookRequests, stats.Unavailable, "unavailable")
		s.Count(&ops.WebhookRequests, stats.Refused, "refused")
		s.Count(&ops.WebhookChanges, stats.Changes)
		s.Count(&ops.WebhookUntold, stats.Untold)
		s.Flag(&ops.WebhookLeads, stats.Leads)
	}
}
