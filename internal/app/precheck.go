package app

import (
	"eligibility/internal/events/natsbus"
	"eligibility/internal/ops"
	"eligibility/internal/precheck"
)

// busPrechecks has pre-checks asked over the bus.
type busPrechecks struct {
	answers *precheck.Service
	service *natsbus.Service
}

// wirePrechecks makes it, after the bulk plane, whose processor share it works in. It stays nil when the configuration turns it off.
func (a *App) wirePrechecks() error {
	if !a.cfg.BusPrecheck {
		return nil
	}
	answers, err := precheck.NewService(precheck.ServiceDeps{
		Users: a.cache, Book: a.store, Rulesets: a.live, Keys: a.keyring, Clock: a.clock, Turn: a.bulk.Turn, Logger: a.logger,
	})
	if err != nil {
		return err
	}
	service, err := natsbus.NewService(a.bus, natsbus.DefaultService(), answers)
	if err != nil {
		return err
	}
	a.prechecks = &busPrechecks{answers, service}
	return nil
}

// parts are what is started, none when it is turned off.
func (p *busPrechecks) parts() []part {
	if p == nil {
		return nil
	}
	return []part{{"bus pre-checks", p.service.Start, p.service.Stop}}
}

func (p *busPrechecks) collectors() []ops.Collector {
	if p == nil {
		return nil
	}
	return []ops.Collector{func(s *ops.Samples) {
		stats, users := p.service.Stats(), p.answers.Stats()
		s.Count(&ops.BusPrechecks, stats.Answered, "answered")
		s.Count(&ops.BusPrechecks, stats.Refused, "refused")
		s.Count(&ops.BusPrechecks, stats.Failed, "failed")
		s.Count(&ops.BusPrechecks, stats.Lost, "lost")
		s.Value(&ops.BusPrecheckOpen, float64(stats.Open))
		s.Value(&ops.BusPrecheckWaiting, float64(stats.Waiting))
		s.Value(&ops.BusPrecheckSeconds, stats.Took.Seconds())
		s.Count(&ops.BusPrecheckUsers, users.Eligible, "eligible")
		s.Count(&ops.BusPrecheckUsers, users.Users-users.Eligible, "other")
	}}
}
