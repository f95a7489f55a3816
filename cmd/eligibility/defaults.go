package main

import (
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"eligibility/internal/app"
	"eligibility/internal/demo/shop"
	"eligibility/internal/demo/traffic"
)

func groups() []kong.Group {
	return []kong.Group{
		{Key: "listen", Title: "Listeners:"},
		{Key: "data", Title: "Data:"},
		{Key: "bus", Title: "Bus and relay:"},
		{Key: "fresh", Title: "Freshness and memory:"},
		{Key: "push", Title: "Push hooks:"},
		{Key: "life", Title: "Start and stop:"},
		{Key: "shop", Title: "The made-up shop:"},
	}
}

// flagDefaults are the variables of the grammar's default tags.
func flagDefaults() map[string]string {
	d := app.Defaults()
	return map[string]string{
		"listen": d.Listen, "admin_listen": d.AdminListen, "ops_listen": d.OpsListen, "store": d.Store, "own_dir": d.DataDir, "nats": d.Nats,
		"retention": printed(d.Retention), "cache_bytes": printedBytes(d.CacheBytes),
		"bound": printed(d.Bound), "bound_embedded": printed(app.BoundEmbedded), "bound_crdb": printed(app.BoundCRDB),
		"push_hook_watch": strconv.Itoa(d.PushHookWatch), "push_hook_interval": printed(d.PushHookInterval),
		"drain_delay": printed(d.DrainDelay), "drain_timeout": printed(d.DrainTimeout),
		"client_rate": strconv.FormatFloat(d.ClientRate, 'g', -1, 64), "audit_rate": strconv.FormatFloat(d.AuditRate, 'g', -1, 64),
		"feed": d.Feed, "relay_lease": printed(d.RelayLease), "webhook_listen": d.WebhookListen, "webhook_feeds": strings.Join(d.WebhookFeeds, ","), "nats_replicas": strconv.Itoa(d.NatsReplicas),
		"data_dir":   "", // set by each verb
		"demo_users": strconv.Itoa(shop.DefaultUsers), "demo_rate": strconv.FormatFloat(traffic.Defaults().Rate, 'g', -1, 64),
	}
}
