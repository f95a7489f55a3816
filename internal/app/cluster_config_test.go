package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// onDatabase is a configuration of a replica on a database that has everything.
func onDatabase(t *testing.T) Config {
	t.Helper()
	dir := t.TempDir()
	cfg := Defaults()
	cfg.Store, cfg.Nats, cfg.CRDBURL = storeCRDB, "tls://a:4222,tls://b:4222", "postgresql://replica:hunter2@db:26257/eligibility"
	cfg.RootKeyFile, cfg.SecretKeyFile, cfg.WebhookTokenFile = filepath.Join(dir, "root"), filepath.Join(dir, "secret"), filepath.Join(dir, "token")
	for _, path := range []string{cfg.RootKeyFile, cfg.SecretKeyFile, cfg.WebhookTokenFile} {
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cfg
}

func TestConfigOfAClusterReportsEveryFault(t *testing.T) {
	urlFile := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(urlFile, []byte("postgresql://db:26257/eligibility\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		edit  func(*Config)
		wants []string
	}{
		{"all is there", func(*Config) {}, nil},
		{"the URL in a file", func(c *Config) { c.CRDBURL, c.CRDBURLFile = "", urlFile }, nil},
		{"the URL twice", func(c *Config) { c.CRDBURLFile = urlFile }, []string{"give it once"}},
		{"no URL", func(c *Config) { c.CRDBURL = "" }, []string{"crdb-url: say where", "ELIGIBILITY_CRDB_URL"}},
		{"a URL of something else", func(c *Config) { c.CRDBURL = "mysql://root:hunter2@db/x" }, []string{"crdb-url: want postgresql://"}},
		{"no URL at all", func(c *Config) { c.CRDBURL = "root:hunter2 %zz" }, []string{"crdb-url: want postgresql://"}},
		{"a URL file that is not there", func(c *Config) { c.CRDBURL, c.CRDBURLFile = "", "/nowhere" }, []string{"crdb-url:", "/nowhere"}},
		{"keys of its own", func(c *Config) { c.RootKeyFile, c.SecretKeyFile = "", "" }, []string{"root-key-file: replicas", "secret-key-file: replicas", "openssl"}},
		{"keys that are not there", func(c *Config) { c.RootKeyFile = "/nowhere" }, []string{"root-key-file:", "/nowhere"}},
		{"one replica with the bus inside", func(c *Config) { c.Nats = natsEmbedded }, nil},
		{"the same without a relay", func(c *Config) { c.Nats, c.Relay = natsEmbedded, false }, []string{"no-relay: a bus inside"}},
		{"a bus that is none", func(c *Config) { c.Nats = "kafka:9092" }, []string{"nats: ", "nats://"}},
		{"a bus of four copies' sixth", func(c *Config) { c.NatsReplicas = 6 }, []string{"copies of the stream"}},
		{"credentials for the bus inside", func(c *Config) { c.Nats, c.NatsCA = natsEmbedded, "ca.pem" }, []string{"for a NATS of its own"}},
		{"credentials that are not there", func(c *Config) { c.NatsCredentials = "/nowhere" }, []string{"nats-credentials:", "/nowhere"}},
		{"half a client certificate", func(c *Config) { c.NatsCert = c.RootKeyFile }, []string{"nats:", "both"}},
		{"the demo", func(c *Config) { c.Demo = true }, []string{"the demo has well-known keys"}},
		{"a lease of a day", func(c *Config) { c.RelayLease = 24 * time.Hour }, []string{"relay-lease"}},
		{"a feed that is none", func(c *Config) { c.Feed = "kafka" }, []string{"feed:", "webhook"}},
		{"a webhook", func(c *Config) { c.Feed = feedWebhook }, nil},
		{"a webhook that nobody guards", func(c *Config) { c.Feed, c.WebhookTokenFile = feedWebhook, "" }, []string{"webhook-token-file"}},
		{"a webhook in plain for all", func(c *Config) { c.Feed, c.WebhookListen = feedWebhook, ":8083" }, []string{"webhook-listen:", "--insecure"}},
		{"a webhook without jobs or relay", func(c *Config) { c.Feed, c.WebhookFeeds, c.Relay = feedWebhook, nil, false }, []string{"webhook-feeds", "--no-relay"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := onDatabase(t)
			c.edit(&cfg)
			err := cfg.Validate()
			if (err == nil) != (c.wants == nil) {
				t.Fatalf("Validate() = %v, want faults %q", err, c.wants)
			}
			for _, want := range c.wants {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v lacks %q", err, want)
				}
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v shows the password", err)
			}
		})
	}
}

func TestTheEmbeddedStoreIsAlone(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*Config)
		want string
	}{
		{"a shared bus", func(c *Config) { c.Nats = "nats://a:4222" }, "share a store too"},
		{"no relay", func(c *Config) { c.Relay = false }, "no-relay"},
		{"a webhook", func(c *Config) { c.Feed = feedWebhook }, "its own feed"},
		{"a database that is not used", func(c *Config) { c.CRDBURL = "postgresql://db/x" }, "say --store crdb"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := Defaults()
			c.edit(&cfg)
			if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Validate() = %v, want %q", err, c.want)
			}
		})
	}
}

func TestConfigOfARelay(t *testing.T) {
	cfg := onDatabase(t)
	cfg.RootKeyFile, cfg.SecretKeyFile = "", "" // it needs no keys
	if err := cfg.ValidateRelay(); err != nil {
		t.Errorf("ValidateRelay() = %v", err)
	}
	alone := Defaults()
	err := alone.ValidateRelay()
	for _, want := range []string{"store: the embedded store", "nats: say where"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
}

func TestTheBoundFollowsTheStore(t *testing.T) {
	for _, c := range []struct {
		store string
		given time.Duration
		want  time.Duration
	}{{storeEmbedded, 0, time.Second}, {storeCRDB, 0, 5 * time.Second}, {storeCRDB, 2 * time.Second, 2 * time.Second}} {
		if got := (&Config{Store: c.store, Bound: c.given}).bound(); got != c.want {
			t.Errorf("%s, given %v: %v, want %v", c.store, c.given, got, c.want)
		}
	}
}
