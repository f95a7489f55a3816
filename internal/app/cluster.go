package app

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"
)

// What Config.Store, Config.Nats and Config.Feed may say.
const (
	storeEmbedded  = "embedded"
	storeCRDB      = "crdb"
	natsEmbedded   = "embedded"
	feedChangefeed = "changefeed"
	feedWebhook    = "webhook"
)

// Staleness bounds by store, unless another is given. CockroachDB tells some 3.6 s late up to when its changefeed is complete, unless its
// operator has tuned it.
const (
	BoundEmbedded = time.Second
	BoundCRDB     = 5 * time.Second
)

// bound is the staleness bound in force.
func (c *Config) bound() time.Duration {
	switch {
	case c.Bound != 0:
		return c.Bound
	case c.Store == storeCRDB:
		return BoundCRDB
	}
	return BoundEmbedded
}

// cluster reports what of the store, the bus and the relay cannot work together.
func (c *Config) cluster(fault func(format string, args ...any)) {
	switch c.Store {
	case storeEmbedded:
		c.alone(fault)
	case storeCRDB:
		c.shared(fault)
	default:
		fault("store: %q is not known: use %s or %s", c.Store, storeEmbedded, storeCRDB)
	}
	if c.Nats != natsEmbedded {
		busCfg := c.natsConfig()
		if err := busCfg.Validate(); err != nil {
			fault("nats: %v; or use %s", err, natsEmbedded)
		}
		readable(fault, "nats-credentials", c.NatsCredentials)
		readable(fault, "nats-ca", c.NatsCA)
		readable(fault, "nats-cert", c.NatsCert)
		readable(fault, "nats-key", c.NatsKey)
	} else if c.NatsCredentials+c.NatsCA+c.NatsCert+c.NatsKey != "" {
		fault("nats-credentials, nats-ca, nats-cert and nats-key are for a NATS of its own: give --nats URL")
	}
	switch c.Feed {
	case feedChangefeed:
	case feedWebhook:
		c.webhook(fault)
	default:
		fault("feed: %q is not known: use %s or %s", c.Feed, feedChangefeed, feedWebhook)
	}
}

// alone is what one process on its own store cannot do.
func (c *Config) alone(fault func(format string, args ...any)) {
	if c.Nats != natsEmbedded {
		fault("nats: the embedded store belongs to one process, which has its bus inside: replicas that share a NATS share a store too, --store %s", storeCRDB)
	}
	if !c.Relay {
		fault("no-relay: nobody else can carry the changes of the embedded store")
	}
	if c.Feed == feedWebhook {
		fault("feed: the embedded store is its own feed")
	}
	if (c.CRDBURL != "" || c.CRDBURLFile != "") && !c.Demo {
		fault("crdb-url: it is not used with --store %s: say --store %s", c.Store, storeCRDB)
	}
}

// shared is what processes on one database need.
func (c *Config) shared(fault func(format string, args ...any)) {
	if c.Demo {
		fault("store: the demo has well-known keys and lives in a directory of its own: use %s", storeEmbedded)
	}
	c.database(fault)
	if c.RelayLease < 500*time.Millisecond || c.RelayLease > time.Minute {
		fault("relay-lease: %v is outside of 500ms to 1m", c.RelayLease)
	}
	if c.Nats == natsEmbedded && !c.Relay {
		fault("no-relay: a bus inside this process hears from no other relay: give --nats URL")
	}
}

// database reports what keeps the database from being found.
func (c *Config) database(fault func(format string, args ...any)) {
	switch address, err := c.crdbURL(); {
	case err != nil:
		fault("crdb-url: %v", err)
	case address == "":
		fault("crdb-url: say where the database is: ELIGIBILITY_CRDB_URL, or --crdb-url-file with a file that holds the URL")
	default:
		if err := checkURL(address); err != nil {
			fault("crdb-url: %v", err)
		}
	}
}

// sharedKeys is what replicas on one database need beside: the same keys everywhere, so none of them may make its own.
func (c *Config) sharedKeys(fault func(format string, args ...any)) {
	for _, f := range []struct{ flag, path, make string }{
		{"root-key-file", c.RootKeyFile, "openssl rand -hex 32"}, {"secret-key-file", c.SecretKeyFile, "openssl rand -base64 32"},
	} {
		if f.path == "" {
			fault("%s: replicas on one database share their keys: give each the same file; make it once with: %s", f.flag, f.make)
		} else if _, err := os.Stat(f.path); err != nil {
			fault("%s: %v; make it once with: %s", f.flag, err, f.make)
		}
	}
}

func (c *Config) webhook(fault func(format string, args ...any)) {
	if !c.Relay {
		fault("feed: with --no-relay nothing is fed here")
	}
	if c.WebhookTokenFile == "" {
		fault("webhook-token-file: name the file that holds what the database sends as Authorization")
	} else {
		readable(fault, "webhook-token-file", c.WebhookTokenFile)
	}
	if len(c.WebhookFeeds) == 0 {
		fault("webhook-feeds: name the changefeed jobs, at least one")
	}
	c.listener(fault, "webhook-listen", c.WebhookListen)
}

// maxURLBytes bounds a file with a database URL.
const maxURLBytes = 16 << 10

// crdbURL is the database's URL, from wherever it was given. It holds a password: errors do not quote it.
func (c *Config) crdbURL() (string, error) {
	if c.CRDBURLFile == "" {
		return c.CRDBURL, nil
	}
	if c.CRDBURL != "" {
		return "", errors.New("give it once, not in --crdb-url-file as well")
	}
	info, err := os.Stat(c.CRDBURLFile)
	if err != nil {
		return "", err
	}
	if info.Size() > maxURLBytes {
		return "", fmt.Errorf("%s is too large for a URL", c.CRDBURLFile)
	}
	text, err := os.ReadFile(c.CRDBURLFile)
	return strings.TrimSpace(string(text)), err
}

func checkURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Host == "" && u.Query().Get("host") == "" {
		return errors.New("want postgresql://user@host:26257/database?sslmode=verify-full")
	}
	return nil
}

func readable(fault func(format string, args ...any), flag, path string) {
	if path == "" {
		return
	}
	if _, err := os.Stat(path); err != nil {
		fault("%s: %v", flag, err)
	}
}

// certificates are those of the listeners, nil for plain ones.
func (c *Config) certificates() ([]tls.Certificate, error) {
	if c.TLSCert == "" {
		return nil, nil
	}
	certificate, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("load certificate: %w", err)
	}
	return []tls.Certificate{certificate}, nil
}

// faultList collects faults, so that all are told at once.
type faultList []error

func (l *faultList) add(format string, args ...any) { *l = append(*l, fmt.Errorf(format, args...)) }

func (l *faultList) joined() error { return errors.Join(*l...) }
