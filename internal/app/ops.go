package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"eligibility/internal/ops"
	"eligibility/internal/server"
)

func (a *App) newOps() (*ops.Server, error) {
	cfg := ops.Defaults()
	cfg.Pprof = a.cfg.Pprof
	collectors := []ops.Collector{
		ops.Cache(a.cache), ops.Auditor(a.auditor), ops.Streams(a.streams), ops.Push(a.watch, a.pushes), ops.Bulk(a.bulk), ops.Follower(a.follower), ops.Rulesets(a.live),
		a.collectDecisions, a.collectControl, collectBus(a.bus), a.store.collect, a.collectKeys,
	}
	collectors = append(collectors, a.relay.collectors()...)
	collectors = append(collectors, a.prechecks.collectors()...)
	return ops.New(cfg, ops.Deps{
		Checks: []ops.Check{
			{Name: "started", Gate: ops.Always, Run: a.checkStarted},
			{Name: "rulesets", Gate: ops.Shown, Run: a.checkRulesets},
			// Without the store each project's policy serves, without the bus users are read again: neither gates.
			{Name: "store", Gate: ops.Shown, Run: checkStore(a.store)},
			{Name: "bus", Gate: ops.Shown, Run: checkBus(a.bus)},
			{Name: "feed", Gate: ops.FirstOnly, Run: a.checkFeed, Detail: a.feedPhase},
		},
		Draining:   func() bool { return phase(a.phase.Load()) == phaseDraining },
		Collectors: collectors,
		Logger:     a.logger,
	})
}

var errStarting = errors.New("still starting: rulesets and keys are being read")

func (a *App) checkStarted(context.Context) error {
	if phase(a.phase.Load()) == phaseStarting {
		return errStarting
	}
	return nil
}

// checkRulesets shows what is quarantined or was not compared with the store lately; both answer degraded and neither is a reason to leave the load
// balancer.
func (a *App) checkRulesets(context.Context) error {
	var faults []error
	for _, rs := range a.live.Projects() {
		if !a.live.Fresh(rs.Project) {
			faults = append(faults, fmt.Errorf("project %s was not compared with the store lately", rs.Project))
		}
		for _, q := range rs.Quarantined {
			faults = append(faults, fmt.Errorf("project %s: promotion %s is quarantined", rs.Project, q.Promotion))
		}
	}
	return errors.Join(faults...)
}

// feedPhase is the freshness phase that people and probes are shown.
func (a *App) feedPhase() string { return a.cache.State().Phase.String() }

func (a *App) checkFeed(context.Context) error {
	if state := a.cache.State(); !state.Healthy {
		return fmt.Errorf("the watermark is %v behind and last moved %v ago", state.Lag, state.SinceProgress)
	}
	return nil
}

func (a *App) collectDecisions(s *ops.Samples) {
	stats := a.decisions.Stats()
	bounds := make([]float64, len(server.LatencyBounds))
	for i, d := range server.LatencyBounds {
		bounds[i] = d.Seconds()
	}
	for _, route := range server.Routes() {
		for class := 1; class <= 5; class++ {
			if n := stats.Requests(route, class); n > 0 {
				s.Count(&ops.DecisionRequests, n, route.String(), strconv.Itoa(class)+"xx")
			}
		}
		counts, sum := stats.Latency(route)
		s.Histogram(&ops.DecisionSeconds, ops.Buckets{Bounds: bounds, Counts: counts, Sum: sum}, route.String())
	}
	s.Count(&ops.DecisionDegraded, stats.Degraded())
	s.Count(&ops.DecisionReused, stats.Reused())
	s.Count(&ops.DecisionErrors, stats.RuleErrors())
	s.Count(&ops.DecisionLimited, stats.Limited())
	s.Count(&ops.DecisionPanics, stats.Panics())
}

func (a *App) collectControl(s *ops.Samples) {
	stats := a.control.Stats()
	s.Count(&ops.ControlRequests, stats.Requests-stats.ClientErrors-stats.ServerErrors, "ok")
	s.Count(&ops.ControlRequests, stats.ClientErrors, "client_error")
	s.Count(&ops.ControlRequests, stats.ServerErrors, "server_error")
	s.Count(&ops.ControlPanics, stats.Panics)
}

func (a *App) collectKeys(s *ops.Samples) { s.Value(&ops.KeysInForce, float64(a.keyring.Len())) }
