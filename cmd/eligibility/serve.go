package main

import (
	"context"
	"fmt"
	"os"

	"eligibility/internal/app"
)

// serveCmd runs a replica until it is told to stop.
type serveCmd struct {
	replicaFlags
}

// Help is the long help.
func (*serveCmd) Help() string {
	return `Nothing has to be installed or configured: data lives in the data directory, the bus inside the process, and all listeners
are on loopback.

The first start writes the root key, which creates projects and first keys, and says where:

    eligibility serve
    curl -X POST localhost:8081/v1/projects -H "Api-Key: $(cat eligibility-data/root.key)" \
      -H 'Content-Type: application/json' -d '{"project":"shop"}'

Beyond loopback a listener wants TLS, or a proxy that speaks it:

    eligibility serve --listen :8443 --tls-cert cert.pem --tls-key key.pem
    eligibility serve --listen :8080 --insecure --trusted-proxies 10.0.0.0/8

Every flag can come from the environment or a file; a flag wins over the environment, that over the file, that over the default:

    ELIGIBILITY_DATA_DIR=/var/lib/eligibility eligibility serve
    printf 'data-dir: /var/lib/eligibility\ncache-bytes: 1GiB\n' > config.yaml
    eligibility serve --config config.yaml

SIGTERM or SIGINT drains and stops; the second one ends at once. The exit code is 0 after a stop, 1 after a failure, 2 when
arguments, configuration or the data directory have to be changed first.`
}

// Run is called by the parser.
func (c *serveCmd) Run(g *Globals, std streams) error {
	logger := g.logger(std.err)
	cfg := c.config()
	replica, err := openReplica(cfg, logger)
	if err != nil {
		return err
	}
	ctx, stop := onSignal(context.Background(), logger, func() { os.Exit(exitFailure) })
	defer stop()
	if err := replica.Start(ctx); err != nil {
		return stopReplica(replica, err)
	}
	if err := printAddresses(g, std.out, &cfg, replica.Ready()); err != nil {
		return stopReplica(replica, err)
	}
	return stopReplica(replica, wait(ctx, replica))
}

// wait returns when ctx ends, or with the fault that keeps the replica from going on.
func wait(ctx context.Context, replica *app.App) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-replica.Done():
		return err
	}
}

// printAddresses says where the planes are.
func printAddresses(g *Globals, out *os.File, cfg *app.Config, at app.Ready) error {
	if g.json() {
		return printJSON(out, at)
	}
	s := scheme(cfg)
	_, err := fmt.Fprintf(out, "decision plane  %s\ncontrol plane   %s\nops plane       %s\nbulk plane      %s\n",
		s+at.Listen, s+at.AdminListen, s+at.OpsListen, s+at.BulkListen)
	return err
}
