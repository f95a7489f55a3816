package app

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/audit"
)

func TestConfigReportsEveryFault(t *testing.T) {
	for _, c := range []struct {
		name  string
		edit  func(*Config)
		wants []string
	}{
		{"defaults are fine", func(*Config) {}, nil},
		{"beyond loopback in plain", func(c *Config) { c.Listen = "0.0.0.0:8080" }, []string{"listen:", "--insecure"}},
		{"all planes are looked at", func(c *Config) { c.AdminListen, c.OpsListen = ":8081", "[::]:8082" }, []string{"admin-listen:", "ops-listen:"}},
		{"insecure allows it", func(c *Config) { c.Listen, c.Insecure = "0.0.0.0:8080", true }, nil},
		{"the demo never", func(c *Config) { c.Listen, c.Insecure, c.Demo = "0.0.0.0:8080", true, true }, []string{"the demo"}},
		{"loopback of both families", func(c *Config) { c.Listen, c.AdminListen = "[::1]:0", "localhost:0" }, nil},
		{"no port", func(c *Config) { c.Listen = "127.0.0.1" }, []string{"host:port"}},
		{"cache of nothing", func(c *Config) { c.CacheBytes = 0 }, []string{"cache-bytes"}},
		{"negative cache", func(c *Config) { c.CacheBytes = -1 }, []string{"cache-bytes"}},
		{"a cache beyond all memory", func(c *Config) { c.CacheBytes = 1 << 60 }, []string{"cache-bytes", "memory"}},
		{"a port that cannot be", func(c *Config) { c.Listen = "127.0.0.1:99999" }, []string{"listen:", "host:port"}},
		{"a file for the data directory", func(c *Config) { c.DataDir = "config_test.go" }, []string{"data-dir", "not a directory"}},
		{"unknown store and bus", func(c *Config) { c.Store, c.Nats = "mysql", "kafka" }, []string{"store:", "nats:"}},
		{"bound out of range", func(c *Config) { c.Bound = time.Millisecond }, []string{"staleness-bound"}},
		{"half a certificate", func(c *Config) { c.TLSCert = "/nowhere.pem" }, []string{"go together", "tls-cert:"}},
		{
			"everything at once", func(c *Config) { c.DataDir, c.Retention, c.ClientRate, c.DrainDelay = "", 0, -1, -1 },
			[]string{"data-dir", "retention", "client-rate", "drain-delay"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := Defaults()
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
		})
	}
}

func TestACacheThatCrowdsTheMemoryIsWarnedOf(t *testing.T) {
	for _, c := range []struct {
		cache, limit int64
		want         bool
	}{{100, 0, false}, {79, 100, false}, {81, 100, true}} {
		if got := crowded(c.cache, c.limit); got != c.want {
			t.Errorf("crowded(%d, %d) = %t, want %t", c.cache, c.limit, got, c.want)
		}
	}
}

func TestTheMachinesMemoryIsRead(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
	}{
		{"MemTotal:       24683520 kB\nMemFree:        1 kB\n", 24683520 << 10},
		{"MemFree: 1 kB\nMemTotal: 8 kB", 8 << 10},
		{"", 0},
		{"MemTotal: many kB\n", 0},
		{"MemTotal: 9223372036854775807 kB\n", 0},
	} {
		if got := totalMemory(c.text); got != c.want {
			t.Errorf("totalMemory(%q) = %d, want %d", c.text, got, c.want)
		}
	}
}

func TestServeRefusesADirectoryWithTheDemosKeys(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Demo = true
	a, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	key := access.Credential{ID: "demo", Project: "demo", Kind: access.Server, Hash: access.Hash("demo-server-key"), Demo: true}
	if _, err := a.Store().PutCredential(t.Context(), key, audit.Entry{Project: "demo", Action: "key.create"}); err != nil {
		t.Fatal(err)
	}
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg.Demo = false
	if _, err := New(cfg, slog.New(slog.DiscardHandler)); !errors.Is(err, ErrDemoKeys) {
		t.Errorf("New on the demo's directory: %v, want ErrDemoKeys", err)
	}
}

func TestASecondProcessOnTheDirectoryIsRefused(t *testing.T) {
	r := start(t)
	if _, err := New(r.app.cfg, slog.New(slog.DiscardHandler)); !errors.Is(err, ErrLocked) {
		t.Errorf("second replica on the directory: %v, want ErrLocked", err)
	}
}

func TestDamagedSecretsAreRefusedByName(t *testing.T) {
	cfg := testConfig(t.TempDir())
	if err := os.WriteFile(filepath.Join(cfg.DataDir, "secret.key"), []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "secret.key") {
		t.Errorf("New with a damaged secret key: %v, want an error that names the file", err)
	}
}

func TestNoSecretReachesTheLog(t *testing.T) {
	var log bytes.Buffer
	cfg := testConfig(t.TempDir())
	a, err := New(cfg, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"root.key", "secret.key"} {
		secret, err := os.ReadFile(filepath.Join(cfg.DataDir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(log.String(), strings.TrimSpace(string(secret))) {
			t.Errorf("the log holds what is in %s", name)
		}
	}
}
