package app

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// Config is everything that a replica can be told. Start from Defaults; Validate reports all faults at once.
type Config struct {
	Listen      string // decision plane
	AdminListen string // control plane
	OpsListen   string // ops plane

	Store         string        // "embedded"
	DataDir       string        // of the embedded store and bus
	Nats          string        // "embedded"
	Retention     time.Duration // how long user events count
	Bound         time.Duration // staleness bound: no healthy answer is older
	CacheBytes    int64
	AuditRate     float64 // changes a second after which the cache is compared with the store; 0: none
	RootKeyFile   string  // default: root.key in DataDir, written at the first start
	SecretKeyFile string  // default: secret.key in DataDir, written at the first start

	TLSCert, TLSKey string
	Insecure        bool // allows plain listeners beyond loopback
	TrustedProxies  []netip.Prefix
	Pprof           bool // serves profiles also beyond loopback

	DrainDelay   time.Duration // readiness is 503 this long before the listeners close
	DrainTimeout time.Duration // in-flight requests get this long

	ReadyFile    string            // written in one step once the replica is ready; see Ready
	ReadyProject string            // what the ready file says beside the addresses
	ReadyKeys    map[string]string // keys by kind; only ever the demo's

	ClientRate float64 // requests per second and client key and address; 0: unlimited

	Demo bool // well-known keys, loopback only
}

// Defaults is the configuration of a replica on the embedded store.
func Defaults() Config {
	return Config{
		Listen: "127.0.0.1:8080", AdminListen: "127.0.0.1:8081", OpsListen: "127.0.0.1:8082",
		Store: "embedded", DataDir: "eligibility-data", Nats: "embedded",
		Retention: 720 * time.Hour, Bound: time.Second, CacheBytes: 256 << 20, AuditRate: 2,
		DrainDelay: 0, DrainTimeout: 10 * time.Second, ClientRate: 50,
	}
}

// Validate reports every fault, joined.
func (c *Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	for _, l := range []struct{ flag, addr string }{{"listen", c.Listen}, {"admin-listen", c.AdminListen}, {"ops-listen", c.OpsListen}} {
		host, port, err := net.SplitHostPort(l.addr)
		if err == nil {
			_, err = net.LookupPort("tcp", port)
		}
		switch {
		case err != nil:
			fault("%s: %q is not host:port", l.flag, l.addr)
		case loopback(host):
		case c.Demo:
			fault("%s: the demo has well-known keys and binds to loopback only, not to %q", l.flag, host)
		case c.TLSCert == "" && !c.Insecure:
			fault("%s: %q is reachable from other machines: give --tls-cert and --tls-key, or --insecure if a proxy terminates TLS", l.flag, l.addr)
		}
	}
	if c.Store != "embedded" {
		fault("store: %q is not known: use embedded", c.Store)
	}
	if c.Nats != "embedded" {
		fault("nats: %q is not known: use embedded", c.Nats)
	}
	if c.DataDir == "" {
		fault("data-dir: name the directory that holds the data")
	} else if info, err := os.Stat(c.DataDir); err == nil && !info.IsDir() {
		fault("data-dir: %s is not a directory", c.DataDir)
	}
	if c.Retention < time.Hour || c.Retention > 400*24*time.Hour {
		fault("retention: %v is outside of 1h to 9600h", c.Retention)
	}
	if c.Bound < 500*time.Millisecond || c.Bound > time.Minute {
		fault("staleness-bound: %v is outside of 500ms to 1m", c.Bound)
	}
	if c.CacheBytes < 1<<20 {
		fault("cache-bytes: %d is below 1 MiB", c.CacheBytes)
	} else if limit := memoryLimit(); limit > 0 && c.CacheBytes > limit {
		fault("cache-bytes: %d is more than the %d bytes of memory there are", c.CacheBytes, limit)
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		fault("tls-cert and tls-key go together")
	}
	for _, f := range []struct{ flag, path string }{{"tls-cert", c.TLSCert}, {"tls-key", c.TLSKey}} {
		if f.path == "" {
			continue
		}
		if _, err := os.Stat(f.path); err != nil {
			fault("%s: %v", f.flag, err)
		}
	}
	if c.DrainDelay < 0 || c.DrainTimeout < 0 {
		fault("drain-delay and drain-timeout are not negative")
	}
	if c.ClientRate < 0 {
		fault("client-rate: %v is negative: use 0 for no limit", c.ClientRate)
	}
	if c.AuditRate < 0 || c.AuditRate > 1000 {
		fault("audit-rate: %v is outside of 0 to 1000", c.AuditRate)
	}
	return errors.Join(faults...)
}

func (c *Config) rootKeyFile() string {
	if c.RootKeyFile != "" {
		return c.RootKeyFile
	}
	return filepath.Join(c.DataDir, "root.key")
}

func (c *Config) secretKeyFile() string {
	if c.SecretKeyFile != "" {
		return c.SecretKeyFile
	}
	return filepath.Join(c.DataDir, "secret.key")
}

// loopback reports whether only this machine can reach a listener on host.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
