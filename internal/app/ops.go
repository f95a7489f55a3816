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
	return ops.New(cfg, ops.Deps{
		Checks: []ops.Check{
			{Name: "started", Gate: ops.Always, Run: a.checkStarted},
			{Name: "rulesets", Gate: ops.Shown, Run: a.checkRulesets},
			{Name: "store", Gate: ops.Shown, Run: a.checkStore},
			{Name: "feed", Gate: ops.FirstOnly, Run: a.checkFeed},
		},
		Draining: func() bool { return phase(a.phase.Load()) == phaseDraining },
		Collectors: []ops.Collector{
			ops.Cache(a.cache), ops.Auditor(a.auditor), ops.Streams(a.streams), ops.Follower(a.follower), ops.Relay(a.relay), ops.Rulesets(a.live),
			a.collectDecisions, a.collectControl, a.collectBus, a.collectStore, a.collectKeys,
		},
		Logger: a.logger,
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

// checkStore shows whether the store answers. Without it each project's policy serves, so it does not gate.
func (a *App) checkStore(ctx context.Context) error {
	_, err := a.store.Now(ctx)
	return err
}

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

func (a *App) collectBus(s *ops.Samples) {
	stats := a.bus.Stats()
	s.Flag(&ops.BusConnected, stats.Connected)
	for kind, n := range map[string]uint64{
		"published": stats.Published, "delivered": stats.Delivered, "hint_sent": stats.HintsSent, "hint_received": stats.HintsReceived,
		"announcement": stats.Announced,
	} {
		s.Count(&ops.BusMessages, n, kind)
	}
	s.Count(&ops.BusBytes, stats.PublishedBytes, "published")
	s.Count(&ops.BusBytes, stats.DeliveredBytes, "delivered")
	for kind, n := range map[string]uint64{
		"publish": stats.PublishFailures, "hint_dropped": stats.HintsDropped, "announcement_dropped": stats.AnnounceDropped, "resume": stats.Resumes,
		"overflow": stats.Overflows, "discarded": stats.Discarded, "recreated": stats.Recreated, "undecodable": stats.Undecodable,
	} {
		s.Count(&ops.BusFailures, n, kind)
	}
	s.Count(&ops.BusReconnect, stats.Reconnects)
}

func (a *App) collectStore(s *ops.Samples) {
	stats, err := a.store.Stats(context.Background())
	if err != nil {
		return // closed: the process is about to end
	}
	s.Count(&ops.StoreCommits, stats.Commits)
	s.Value(&ops.StoreCommitSeconds, stats.CommitTime.Seconds())
	s.Value(&ops.StoreInFlight, float64(stats.InFlight))
	s.Count(&ops.StoreLoads, stats.Loads)
	s.Count(&ops.StoreSwept, stats.SweptEvents)
	s.Value(&ops.StoreDiskBytes, float64(stats.DiskBytes))
	s.Value(&ops.StoreLogBytes, float64(stats.WALBytes))
	s.Value(&ops.StoreBlockHits, stats.BlockCacheHit)
	s.Flag(&ops.StoreReadOnly, stats.ReadOnly)
}

func (a *App) collectKeys(s *ops.Samples) { s.Value(&ops.KeysInForce, float64(a.keyring.Len())) }
