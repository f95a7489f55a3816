package app

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"eligibility/internal/pushhook"
)

// Config is everything that a replica can be told. Start from Defaults; Validate reports all faults at once.
type Config struct {
	Listen      string // decision plane
	AdminListen string // control plane
	OpsListen   string // ops plane
	BulkListen  string // bulk plane; "": BulkDefault, or a free port of loopback when that is taken

	Store         string        // "embedded" or "crdb"
	DataDir       string        // of the embedded store and bus
	CRDBURL       string        // of the crdb store; it may hold a password and is never logged
	CRDBURLFile   string        // file that holds it instead
	AudienceDir   string        // of audience jobs; "": audiences in DataDir on the embedded store, and no jobs with crdb. Of one replica alone
	Retention     time.Duration // how long user events count
	Bound         time.Duration // staleness bound: no healthy answer is older; 0: 1 s embedded, 5 s with crdb
	CacheBytes    int64
	AuditRate     float64 // changes a second after which the cache is compared with the store; 0: none
	RootKeyFile   string  // embedded default: root.key in DataDir, written at the first start; crdb has none
	SecretKeyFile string  // embedded default: secret.key in DataDir, written at the first start; crdb has none

	Nats             string        // "embedded", or the URLs of the bus that all replicas share, separated by commas
	NatsCredentials  string        // file with a user's JWT and key, as NATS tools write it
	NatsCA           string        // PEM file with the certificates that vouch for the server
	NatsCert         string        // PEM file with this client's certificate
	NatsKey          string        // PEM file with its key
	NatsReplicas     int           // copies of the stream if it has to be created
	BusPrecheck      bool          // pre-checks are answered over the bus too
	Relay            bool          // this process may hold the lease and carry the feed to the bus
	RelayLease       time.Duration // on a database, how long a lease that is not renewed stays its holder's
	Feed             string        // "changefeed", read from the store, or "webhook", sent by the database
	WebhookListen    string        // where the database sends it
	WebhookTokenFile string        // file with the value of the Authorization header that the database sends
	WebhookFeeds     []string      // ids of the changefeed jobs, as they stand in their URLs

	TLSCert, TLSKey string
	Insecure        bool // allows plain listeners beyond loopback
	TrustedProxies  []netip.Prefix
	Pprof           bool // serves profiles also beyond loopback

	DrainDelay   time.Duration // readiness is 503 this long before the listeners close
	DrainTimeout time.Duration // in-flight requests get this long

	ReadyFile    string            // written in one step once the replica is ready; see Ready
	ReadyProject string            // what the ready file says beside the addresses
	ReadyKeys    map[string]string // keys by kind; only ever the demo's

	PushHookAllow    []netip.Prefix // addresses that push hooks may lead to although they are not public
	PushHookCA       string         // PEM file with certificates that vouch for push hooks beside those of the system
	PushHookWatch    int            // users whose answers are watched for push hooks
	PushHookInterval time.Duration  // between two push messages about one user

	ClientRate float64 // requests per second and client key and address; 0: unlimited

	Demo bool // well-known keys, loopback only
}

// Defaults is the configuration of a replica on the embedded store.
func Defaults() Config {
	push := pushhook.Defaults()
	return Config{
		Listen: "127.0.0.1:8080", AdminListen: "127.0.0.1:8081", OpsListen: "127.0.0.1:8082",
		Store: storeEmbedded, DataDir: "eligibility-data", Nats: natsEmbedded, NatsReplicas: 1, BusPrecheck: true, Relay: true, RelayLease: 5 * time.Second,
		Feed: feedChangefeed, WebhookListen: "127.0.0.1:8083", WebhookFeeds: []string{"main"},
		Retention: 720 * time.Hour, CacheBytes: 256 << 20, AuditRate: 2,
		DrainDelay: 0, DrainTimeout: 10 * time.Second, ClientRate: 50, PushHookWatch: push.Watched, PushHookInterval: push.Interval,
	}
}

// Validate reports every fault, joined.
func (c *Config) Validate() error {
	var faults faultList
	fault := faults.add
	for _, l := range []struct{ flag, addr string }{{"listen", c.Listen}, {"admin-listen", c.AdminListen}, {"ops-listen", c.OpsListen}} {
		c.listener(fault, l.flag, l.addr)
	}
	if c.BulkListen != "" {
		c.listener(fault, "bulk-listen", c.BulkListen)
	}
	c.cluster(fault)
	if c.Store == storeCRDB {
		c.sharedKeys(fault)
	} else if c.DataDir == "" {
		fault("data-dir: name the directory that holds the data")
	} else if info, err := os.Stat(c.DataDir); err == nil && !info.IsDir() {
		fault("data-dir: %s is not a directory", c.DataDir)
	}
	if c.Retention < time.Hour || c.Retention > 400*24*time.Hour {
		fault("retention: %v is outside of 1h to 9600h", c.Retention)
	}
	if bound := c.bound(); bound < 500*time.Millisecond || bound > time.Minute {
		fault("staleness-bound: %v is outside of 500ms to 1m", bound)
	}
	if c.CacheBytes < 1<<20 {
		fault("cache-bytes: %d is below 1 MiB", c.CacheBytes)
	} else if limit := memoryLimit(); limit > 0 && c.CacheBytes > limit {
		fault("cache-bytes: %d is more than the %d bytes of memory there are", c.CacheBytes, limit)
	}
	c.tls(fault)
	c.push(fault)
	if c.DrainDelay < 0 || c.DrainTimeout < 0 {
		fault("drain-delay and drain-timeout are not negative")
	}
	if c.ClientRate < 0 {
		fault("client-rate: %v is negative: use 0 for no limit", c.ClientRate)
	}
	if c.AuditRate < 0 || c.AuditRate > 1000 {
		fault("audit-rate: %v is outside of 0 to 1000", c.AuditRate)
	}
	return faults.joined()
}

// listener reports what is wrong with an address to listen on.
func (c *Config) listener(fault func(format string, args ...any), flag, addr string) {
	host, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	switch {
	case err != nil:
		fault("%s: %q is not host:port", flag, addr)
	case loopback(host):
	case c.Demo:
		fault("%s: the demo has well-known keys and binds to loopback only, not to %q", flag, host)
	case c.TLSCert == "" && !c.Insecure:
		fault("%s: %q is reachable from other machines: give --tls-cert and --tls-key, or --insecure if a proxy terminates TLS", flag, addr)
	}
}

func (c *Config) tls(fault func(format string, args ...any)) {
	if (c.TLSCert == "") != (c.TLSKey == "") {
		fault("tls-cert and tls-key go together")
	}
	readable(fault, "tls-cert", c.TLSCert)
	readable(fault, "tls-key", c.TLSKey)
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

// BulkDefault is where the bulk plane listens unless it is told otherwise.
const BulkDefault = "127.0.0.1:8084"

// bulkPlane is the listener of the bulk plane. Nobody who starts two replicas on one machine must have heard of it.
func (c *Config) bulkPlane(to *net.Listener) plane {
	p := plane{flag: "bulk-listen", name: "bulk plane", addr: c.BulkListen, to: to}
	if p.addr == "" {
		p.addr, p.elsewhere = BulkDefault, "127.0.0.1:0"
	}
	return p
}
