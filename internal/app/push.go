package app

import (
	"crypto/x509"
	"fmt"
	"os"

	"eligibility/internal/pushhook"
)

// wirePush connects what serves the push hooks.
func (a *App) wirePush() error {
	cfg := pushhook.Defaults()
	cfg.Watched, cfg.Interval, cfg.Allow, cfg.Logger = a.cfg.PushHookWatch, a.cfg.PushHookInterval, a.cfg.PushHookAllow, a.logger
	if a.cfg.PushHookCA != "" {
		text, err := os.ReadFile(a.cfg.PushHookCA)
		if err != nil {
			return fmt.Errorf("push-hook-ca: %w", err)
		}
		if cfg.RootCAs, err = x509.SystemCertPool(); err != nil {
			return fmt.Errorf("push-hook-ca: read the system's certificates: %w", err)
		}
		if !cfg.RootCAs.AppendCertsFromPEM(text) {
			return fmt.Errorf("push-hook-ca: %s holds no certificate", a.cfg.PushHookCA)
		}
	}
	if err := cfg.Validate(); err != nil {
		return err
	}
	a.pushes = pushhook.NewSender(cfg, a.keyring)
	a.watch = pushhook.NewWatch(cfg, asker{a}, a.keyring, a.pushes.Push)
	return nil
}

func (c *Config) push(fault func(format string, args ...any)) {
	const most = 1_000_000
	if c.PushHookWatch < 1 || c.PushHookWatch > most {
		fault("push-hook-watch: %d is outside of 1 to %d", c.PushHookWatch, most)
	}
	if c.PushHookInterval <= 0 {
		fault("push-hook-interval: %v is not positive", c.PushHookInterval)
	}
	readable(fault, "push-hook-ca", c.PushHookCA)
}
