package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"eligibility/internal/app"
)

// relayCmd carries changes from a database to the bus.
type relayCmd struct {
	Run        relayRunCmd   `cmd:"" default:"withargs" help:"Carry changes until told to stop."`
	WebhookSQL webhookSQLCmd `cmd:"" name:"webhook-sql" help:"Print the statement that makes the database send its changes."`
}

// relayRunCmd runs a relay until it is told to stop.
type relayRunCmd struct {
	Config string `help:"YAML file with the names of flags as keys. Flags and environment win over it." placeholder:"FILE" env:"ELIGIBILITY_CONFIG" type:"path"`

	OpsListen string `group:"listen" help:"Address of the ops plane: health, metrics, profiles." default:"${ops_listen}" env:"ELIGIBILITY_OPS_LISTEN"`
	TLSCert   string `group:"listen" name:"tls-cert" help:"PEM file with the certificate of the ops plane and the webhook." env:"ELIGIBILITY_TLS_CERT" placeholder:"FILE" type:"path"`
	TLSKey    string `group:"listen" name:"tls-key" help:"PEM file with its key." env:"ELIGIBILITY_TLS_KEY" placeholder:"FILE" type:"path"`
	Insecure  bool   `group:"listen" help:"Allow plain HTTP beyond loopback, because a proxy in front speaks TLS." env:"ELIGIBILITY_INSECURE"`
	Pprof     bool   `group:"listen" help:"Serve profiles also when the ops plane is not on loopback." env:"ELIGIBILITY_PPROF"`

	databaseFlags
	busFlags
	feedFlags

	DrainTimeout time.Duration `group:"life" help:"How long the parts may take to end." default:"${drain_timeout}" env:"ELIGIBILITY_DRAIN_TIMEOUT"`
	ReadyFile    string        `group:"life" help:"File that is written, in one step, once the relay is ready: JSON with its addresses." env:"ELIGIBILITY_READY_FILE" placeholder:"FILE" type:"path"`
}

// Help is the long help.
func (*relayCmd) Help() string {
	return `Replicas relay by themselves, one of all at a time. A relay of its own keeps that work off them; run two, so that one can take
over within seconds, and the replicas with --no-relay:

    export ELIGIBILITY_CRDB_URL='postgresql://relay@crdb:26257/eligibility?sslmode=verify-full'
    eligibility relay --nats tls://nats:4222 --nats-credentials relay.creds
    eligibility serve --store crdb --nats tls://nats:4222 --nats-credentials replica.creds --no-relay ...

It reads the changefeed itself. Where the database must not be read like that, have it send its changes:

    eligibility relay webhook-sql --url https://relay.internal:8083 | cockroach sql
    eligibility relay --feed webhook --webhook-listen :8083 --tls-cert cert.pem --tls-key key.pem --webhook-token-file token ...`
}

// config is the flags as a relay takes them.
func (c *relayRunCmd) config() app.Config {
	cfg := app.Defaults()
	cfg.Store = "crdb"
	cfg.OpsListen, cfg.TLSCert, cfg.TLSKey, cfg.Insecure, cfg.Pprof = c.OpsListen, c.TLSCert, c.TLSKey, c.Insecure, c.Pprof
	c.databaseFlags.fill(&cfg)
	c.busFlags.fill(&cfg)
	c.feedFlags.fill(&cfg)
	cfg.DrainTimeout, cfg.ReadyFile = c.DrainTimeout, c.ReadyFile
	return cfg
}

// Run is called by the parser.
func (c *relayRunCmd) Run(g *Globals, std streams) error {
	logger := g.logger(std.err)
	cfg := c.config()
	if err := cfg.ValidateRelay(); err != nil {
		return usage{err}
	}
	relay, err := app.NewRelay(cfg, logger)
	if errors.Is(err, app.ErrSchema) || errors.Is(err, fs.ErrPermission) {
		return usage{err}
	}
	if err != nil {
		return err
	}
	ctx, stop := onSignal(context.Background(), logger, func() { os.Exit(exitFailure) })
	defer stop()
	end := func(err error) error { return errors.Join(err, relay.Stop(context.Background())) }
	if err := relay.Start(ctx); err != nil {
		return end(err)
	}
	if err := printRelay(g, std.out, &cfg, relay.Ready()); err != nil {
		return end(err)
	}
	select {
	case <-ctx.Done():
		return end(nil)
	case err := <-relay.Done():
		return end(err)
	}
}

// printRelay says where the relay's planes are.
func printRelay(g *Globals, out *os.File, cfg *app.Config, at app.Ready) error {
	if g.json() {
		return printJSON(out, at)
	}
	s := scheme(cfg)
	if at.WebhookListen != "" {
		if _, err := fmt.Fprintf(out, "webhook         %s\n", s+at.WebhookListen); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "ops plane       %s\n", s+at.OpsListen)
	return err
}
