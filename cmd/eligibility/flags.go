package main

import (
	"net/netip"
	"time"

	"eligibility/internal/app"
)

// replicaFlags is everything that a replica can be told. Defaults come from app.Defaults, so that the command line and a library embedder
// agree. Keys and secrets are never values of flags: a process list shows those.
type replicaFlags struct {
	Config string `help:"YAML file with the names of flags as keys. Flags and environment win over it." placeholder:"FILE" env:"ELIGIBILITY_CONFIG" type:"path"`

	Listen         string         `group:"listen" help:"Address of the decision plane. Port 0 picks a free one, here and below." default:"${listen}" env:"ELIGIBILITY_LISTEN"`
	AdminListen    string         `group:"listen" help:"Address of the control plane." default:"${admin_listen}" env:"ELIGIBILITY_ADMIN_LISTEN"`
	OpsListen      string         `group:"listen" help:"Address of the ops plane: health, metrics, profiles." default:"${ops_listen}" env:"ELIGIBILITY_OPS_LISTEN"`
	BulkListen     string         `group:"listen" help:"Address of the bulk plane: streams of users before a campaign. By default 127.0.0.1:8084, or a free port when that is taken." env:"ELIGIBILITY_BULK_LISTEN"`
	TLSCert        string         `group:"listen" name:"tls-cert" help:"PEM file with the certificate of all planes." env:"ELIGIBILITY_TLS_CERT" placeholder:"FILE" type:"path"`
	TLSKey         string         `group:"listen" name:"tls-key" help:"PEM file with its key." env:"ELIGIBILITY_TLS_KEY" placeholder:"FILE" type:"path"`
	Insecure       bool           `group:"listen" help:"Allow plain HTTP beyond loopback, because a proxy in front speaks TLS." env:"ELIGIBILITY_INSECURE"`
	TrustedProxies []netip.Prefix `group:"listen" help:"Networks whose X-Forwarded-For is believed." env:"ELIGIBILITY_TRUSTED_PROXIES" placeholder:"CIDR"`
	ClientRate     float64        `group:"listen" help:"Requests per second of one client key and address; 0 sets no limit." default:"${client_rate}" env:"ELIGIBILITY_CLIENT_RATE"`
	Pprof          bool           `group:"listen" help:"Serve profiles also when the ops plane is not on loopback." env:"ELIGIBILITY_PPROF"`

	storeFlags
	Retention     time.Duration `group:"data" help:"How long user events count; no window of a rule is longer." default:"${retention}" env:"ELIGIBILITY_RETENTION"`
	AudienceDir   string        `group:"data" help:"Directory of audience jobs and their results, of this replica alone; by default audiences in the data directory, and no jobs with crdb." env:"ELIGIBILITY_AUDIENCE_DIR" placeholder:"DIR" type:"path"`
	RootKeyFile   string        `group:"data" help:"File with the root key; by default root.key in the data directory, written at the first start. Replicas on crdb are given one." env:"ELIGIBILITY_ROOT_KEY_FILE" placeholder:"FILE" type:"path"`
	SecretKeyFile string        `group:"data" help:"File with the key that seals stored secrets; by default secret.key in the data directory. Replicas on crdb are given one." env:"ELIGIBILITY_SECRET_KEY_FILE" placeholder:"FILE" type:"path"`

	busFlags
	BusPrecheck bool `group:"bus" help:"Answer pre-checks over the bus, as the service eligibility." default:"true" negatable:"" env:"ELIGIBILITY_BUS_PRECHECK"`
	Relay       bool `group:"bus" help:"This process may carry the changes from the store to the bus; one of all at a time does." default:"true" negatable:"" env:"ELIGIBILITY_RELAY"`
	feedFlags

	StalenessBound time.Duration `group:"fresh" help:"No answer is older than this while the feed is healthy; 0 is ${bound_embedded} with the embedded store and ${bound_crdb} with crdb." default:"${bound}" env:"ELIGIBILITY_STALENESS_BOUND"`
	CacheBytes     int64         `group:"fresh" help:"Memory for cached users: a number, or one with KiB, MiB or GiB." default:"${cache_bytes}" env:"ELIGIBILITY_CACHE_BYTES" type:"bytes"`
	AuditRate      float64       `group:"fresh" help:"Changes a second after which this replica's cache is compared with the store; 0 for none." default:"${audit_rate}" env:"ELIGIBILITY_AUDIT_RATE"`

	PushHookAllow    []netip.Prefix `group:"push" help:"Networks that push hooks may lead to although they are not public." env:"ELIGIBILITY_PUSH_HOOK_ALLOW" placeholder:"CIDR"`
	PushHookCA       string         `group:"push" name:"push-hook-ca" help:"PEM file with certificates that vouch for push hooks beside those of the system." env:"ELIGIBILITY_PUSH_HOOK_CA" placeholder:"FILE" type:"path"`
	PushHookWatch    int            `group:"push" help:"Users whose answers are watched for push hooks; those seen longest ago make room." default:"${push_hook_watch}" env:"ELIGIBILITY_PUSH_HOOK_WATCH"`
	PushHookInterval time.Duration  `group:"push" help:"Least time between two push messages about one user." default:"${push_hook_interval}" env:"ELIGIBILITY_PUSH_HOOK_INTERVAL"`

	DrainDelay   time.Duration `group:"life" help:"How long readiness says 503 before the listeners close." default:"${drain_delay}" env:"ELIGIBILITY_DRAIN_DELAY"`
	DrainTimeout time.Duration `group:"life" help:"How long requests in flight may take to end." default:"${drain_timeout}" env:"ELIGIBILITY_DRAIN_TIMEOUT"`
	ReadyFile    string        `group:"life" help:"File that is written, in one step, once the replica is ready: JSON with its addresses." env:"ELIGIBILITY_READY_FILE" placeholder:"FILE" type:"path"`
}

// config is the flags as a replica takes them.
func (f *replicaFlags) config() app.Config {
	cfg := app.Defaults()
	cfg.Listen, cfg.AdminListen, cfg.OpsListen, cfg.BulkListen = f.Listen, f.AdminListen, f.OpsListen, f.BulkListen
	cfg.TLSCert, cfg.TLSKey, cfg.Insecure, cfg.TrustedProxies = f.TLSCert, f.TLSKey, f.Insecure, f.TrustedProxies
	cfg.ClientRate, cfg.Pprof = f.ClientRate, f.Pprof
	f.storeFlags.fill(&cfg)
	f.busFlags.fill(&cfg)
	f.feedFlags.fill(&cfg)
	cfg.Retention, cfg.RootKeyFile, cfg.SecretKeyFile, cfg.Relay = f.Retention, f.RootKeyFile, f.SecretKeyFile, f.Relay
	cfg.AudienceDir, cfg.BusPrecheck = f.AudienceDir, f.BusPrecheck
	cfg.Bound, cfg.CacheBytes, cfg.AuditRate = f.StalenessBound, f.CacheBytes, f.AuditRate
	cfg.PushHookAllow, cfg.PushHookCA, cfg.PushHookWatch, cfg.PushHookInterval = f.PushHookAllow, f.PushHookCA, f.PushHookWatch, f.PushHookInterval
	cfg.DrainDelay, cfg.DrainTimeout, cfg.ReadyFile = f.DrainDelay, f.DrainTimeout, f.ReadyFile
	return cfg
}
