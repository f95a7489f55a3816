package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"eligibility/internal/app"
)

// databaseFlags say where the database of a cluster is. A URL with a password comes from the environment or a file: a process list shows what
// flags say.
type databaseFlags struct {
	CRDBURL     string `group:"data" name:"crdb-url" help:"URL of the database, postgresql://user@host:26257/database?sslmode=verify-full. With a password in it only in the environment or a file." env:"ELIGIBILITY_CRDB_URL" placeholder:"URL"`
	CRDBURLFile string `group:"data" name:"crdb-url-file" help:"File that holds the URL of the database." env:"ELIGIBILITY_CRDB_URL_FILE" placeholder:"FILE" type:"path"`
}

// storeFlags say where data lives.
type storeFlags struct {
	Store   string `group:"data" help:"Where data lives: embedded, in the data directory, or crdb, in a CockroachDB that replicas share." default:"${store}" env:"ELIGIBILITY_STORE"`
	DataDir string `group:"data" help:"Directory of the embedded store and the key files; it is made when absent. The demo takes a temporary one when none is named." default:"${data_dir}" env:"ELIGIBILITY_DATA_DIR" type:"path"`
	databaseFlags
}

// busFlags say which bus the processes of a cluster share.
type busFlags struct {
	Nats            string `group:"bus" help:"The bus between replicas: embedded, inside this process, or URLs of NATS servers, separated by commas." default:"${nats}" env:"ELIGIBILITY_NATS"`
	NatsCredentials string `group:"bus" help:"File with a NATS user's JWT and its seed." env:"ELIGIBILITY_NATS_CREDENTIALS" placeholder:"FILE" type:"path"`
	NatsCA          string `group:"bus" name:"nats-ca" help:"PEM file with the certificates that vouch for the NATS servers; it makes TLS a must." env:"ELIGIBILITY_NATS_CA" placeholder:"FILE" type:"path"`
	NatsCert        string `group:"bus" help:"PEM file with the certificate that this client shows." env:"ELIGIBILITY_NATS_CERT" placeholder:"FILE" type:"path"`
	NatsKey         string `group:"bus" help:"PEM file with its key." env:"ELIGIBILITY_NATS_KEY" placeholder:"FILE" type:"path"`
	NatsReplicas    int    `group:"bus" help:"Copies of the stream if it has to be created: 1, or 3 on a NATS cluster." default:"${nats_replicas}" env:"ELIGIBILITY_NATS_REPLICAS"`
}

// feedFlags say how the changes of a database reach the relay.
type feedFlags struct {
	RelayLease       time.Duration `group:"bus" help:"How long a relay that died keeps the lease; a standby takes over after it." default:"${relay_lease}" env:"ELIGIBILITY_RELAY_LEASE"`
	Feed             string        `group:"bus" help:"How changes reach the relay: changefeed, read from the store, or webhook, sent by the database." default:"${feed}" env:"ELIGIBILITY_FEED"`
	WebhookListen    string        `group:"bus" help:"Address that the database sends changes to." default:"${webhook_listen}" env:"ELIGIBILITY_WEBHOOK_LISTEN"`
	WebhookTokenFile string        `group:"bus" help:"File with the Authorization header that the database sends." env:"ELIGIBILITY_WEBHOOK_TOKEN_FILE" placeholder:"FILE" type:"path"`
	WebhookFeeds     []string      `group:"bus" help:"Ids of the changefeed jobs, as they stand in their URLs." default:"${webhook_feeds}" env:"ELIGIBILITY_WEBHOOK_FEEDS"`
}

func (f *databaseFlags) fill(cfg *app.Config) {
	cfg.CRDBURL, cfg.CRDBURLFile = f.CRDBURL, f.CRDBURLFile
}

func (f *storeFlags) fill(cfg *app.Config) {
	cfg.Store, cfg.DataDir = f.Store, f.DataDir
	f.databaseFlags.fill(cfg)
}

func (f *busFlags) fill(cfg *app.Config) {
	cfg.Nats, cfg.NatsCredentials, cfg.NatsCA = f.Nats, f.NatsCredentials, f.NatsCA
	cfg.NatsCert, cfg.NatsKey, cfg.NatsReplicas = f.NatsCert, f.NatsKey, f.NatsReplicas
}

func (f *feedFlags) fill(cfg *app.Config) {
	cfg.RelayLease = f.RelayLease
	cfg.Feed, cfg.WebhookListen, cfg.WebhookTokenFile, cfg.WebhookFeeds = f.Feed, f.WebhookListen, f.WebhookTokenFile, f.WebhookFeeds
}

// unseen is where a URL with a password may stand, by the flag where it may not.
var unseen = map[string]string{
	"crdb-url": "ELIGIBILITY_CRDB_URL or --crdb-url-file",
	"nats":     "ELIGIBILITY_NATS or --nats-credentials",
}

// AfterApply is called by the parser, whatever the verb. It refuses passwords on the command line: everybody who can list processes would see them.
func (*cli) AfterApply(ctx *kong.Context) error {
	for _, p := range ctx.Path {
		if p.Flag == nil || p.Resolved || unseen[p.Flag.Name] == "" {
			continue
		}
		for one := range strings.SplitSeq(p.Flag.Target.String(), ",") {
			if u, err := url.Parse(strings.TrimSpace(one)); err == nil && holdsPassword(u) {
				return fmt.Errorf("--%s holds a password, which everybody who can list processes would see: use %s", p.Flag.Name, unseen[p.Flag.Name])
			}
		}
	}
	return nil
}

func holdsPassword(u *url.URL) bool {
	_, found := u.User.Password()
	return found || u.Query().Has("password")
}
