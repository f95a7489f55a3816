package ops_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"eligibility/internal/cache"
	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/ops"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// idle is a source, a feed, a lease and a bus on which nothing happens: the rooms are made and never started.
type idle struct {
	profile.Source
	events.Feed
	events.Lease
}

func (idle) Partitions() int { return 4 }

func (idle) Publish(context.Context, *events.Batch) error { return nil }

func (idle) Subscribe(context.Context, chan<- struct{}, events.Handler) error { return nil }

func (idle) Now(context.Context) (hlc.Timestamp, error) { return hlc.Timestamp{}, nil }

// TestCollectorsSayEveryMetricOfTheirRooms: each with the labels of its definition, and nothing twice.
func TestCollectorsSayEveryMetricOfTheirRooms(t *testing.T) {
	clock := &hlc.Estimate{}
	snapshots, err := cache.New(cache.Defaults(), idle{}, clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(snapshots.Stop)
	follower, err := events.NewFollower(idle{}, snapshots, events.DefaultFollowerConfig(clock.Now))
	if err != nil {
		t.Fatal(err)
	}
	relay, err := events.NewRelay(idle{}, idle{}, idle{}, events.DefaultRelayConfig("r1"))
	if err != nil {
		t.Fatal(err)
	}
	live := &rules.Live{}
	live.Swap(&rules.Ruleset{
		Project: "shop", Version: 1, Promotions: rules.NewRoll(&rules.Compiled{Promotion: &rules.Promotion{ID: "a"}}, &rules.Compiled{Promotion: &rules.Promotion{ID: "b"}}),
		Quarantined: []rules.Quarantine{{Promotion: "x"}},
	})

	var log strings.Builder
	s, err := ops.New(ops.Defaults(), ops.Deps{Logger: slog.New(slog.NewTextHandler(&log, nil)), Collectors: []ops.Collector{
		ops.Cache(snapshots), ops.Follower(follower), ops.Relay(relay), ops.Rulesets(live),
	}})
	if err != nil {
		t.Fatal(err)
	}
	text := get(s, "/metrics").Body.String()
	if log.Len() > 0 {
		t.Errorf("collecting failed: %s", log.String())
	}
	for _, m := range ops.Metrics() {
		subsystem := strings.Split(m.Name, "_")[1]
		if m.Name == ops.FreshnessLag.Name || !strings.Contains("cache feed relay rules", subsystem) {
			continue // there is no lag before the first watermark
		}
		if !strings.Contains(text, "\n"+m.Name+" ") && !strings.Contains(text, "\n"+m.Name+"{") {
			t.Errorf("%s is not said", m.Name)
		}
	}
	for _, want := range []string{
		"eligibility_rules_promotions 2", "eligibility_rules_quarantined_promotions 1",
		"eligibility_rules_projects 1",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not said", want)
		}
	}
}
