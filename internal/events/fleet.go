package events

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// FleetConfig is how a fleet behaves. Begin with DefaultFleetConfig.
type FleetConfig struct {
	// Replica names this replica; it must differ from every other's.
	Replica string
	// Every is how often the replica announces itself. One that was not heard for LiveFor does not count as live any more, and one that
	// was not heard for ForgetAfter is forgotten.
	Every, LiveFor, ForgetAfter time.Duration
	// Lag is this replica's freshness lag, negative while it is unknown.
	Lag    func() time.Duration
	Logger *slog.Logger
}

// Bounds of what a fleet remembers. What goes beyond is not taken in, and counted.
const (
	MaxReplicas      = 256
	MaxFleetProjects = 1 << 16 // for each replica
)

// DefaultFleetConfig is the configuration of a replica's fleet.
func DefaultFleetConfig(replica string, lag func() time.Duration) FleetConfig {
	return FleetConfig{
		Replica: replica, Every: time.Second, LiveFor: 5 * time.Second, ForgetAfter: 5 * time.Minute, Lag: lag, Logger: slog.Default(),
	}
}

// Validate reports all faults at once.
func (c *FleetConfig) Validate() error {
	var faults []error
	if c.Replica == "" || len(c.Replica) > MaxReplicaBytes {
		faults = append(faults, fmt.Errorf("fleet: a replica's name has 1 to %d bytes", MaxReplicaBytes))
	}
	if c.Every <= 0 || c.LiveFor < 2*c.Every || c.ForgetAfter < c.LiveFor {
		faults = append(faults, errors.New("fleet: want 0 < every, 2 × every ≤ live, live ≤ forget"))
	}
	if c.Lag == nil || c.Logger == nil {
		faults = append(faults, errors.New("fleet: no lag or no logger"))
	}
	return errors.Join(faults...)
}

// Fleet knows which replicas are live and which ruleset version of each project they answer with, this one included. It is what a
// publisher is told ("live on 3 of 3 replicas"), never what an answer depends on. All methods are safe for concurrent use.
type Fleet struct {
	gossip Gossip
	cfg    FleetConfig
	run    runner

	mu       sync.Mutex // guards what follows
	replicas map[string]*replica
	own      []string      // own projects, in the order they came; announced in turn
	turn     int           // where in own the next announcement begins
	changed  chan struct{} // closed and replaced when anything was heard
	refused  uint64
}

type replica struct {
	heard time.Time
	lag   time.Duration
	rules map[string]AppliedRules
}

// ReplicaStatus is what is known of one replica about one project.
type ReplicaStatus struct {
	Replica     string
	Live        bool
	Heard       time.Duration // ago
	Lag         time.Duration // freshness lag; negative while it is unknown
	Version     uint64        // ruleset version it answers with, 0 while unknown
	Quarantined int
}

// NewFleet makes a fleet that hears and says nothing until Start. It fails on a bad configuration.
func NewFleet(gossip Gossip, cfg FleetConfig) (*Fleet, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	f := &Fleet{gossip: gossip, cfg: cfg, replicas: map[string]*replica{}, changed: make(chan struct{})}
	f.replicas[cfg.Replica] = &replica{heard: time.Now(), lag: -1, rules: map[string]AppliedRules{}}
	return f, nil
}

// Applied notes that this replica now answers with a version of a project's ruleset, and tells the others at once.
func (f *Fleet) Applied(project string, version uint64, quarantined int) {
	rules := AppliedRules{Project: project, Version: version, Quarantined: quarantined}
	f.mu.Lock()
	own := f.replicas[f.cfg.Replica]
	if _, known := own.rules[project]; !known {
		f.own = append(f.own, project)
	}
	own.rules[project] = rules
	f.wake()
	f.mu.Unlock()
	f.gossip.Announce(&Announcement{Replica: f.cfg.Replica, Lag: f.cfg.Lag(), Rules: []AppliedRules{rules}})
}

// WaitApplied waits until every live replica answers with at least version of the project's ruleset, or ctx ends. It returns how many do,
// and how many are live.
func (f *Fleet) WaitApplied(ctx context.Context, project string, version uint64) (applied, live int) {
	// A replica that falls silent changes the answer without a word.
	tick := time.NewTicker(f.cfg.Every)
	defer tick.Stop()
	for {
		f.mu.Lock()
		applied, live = f.counts(project, version)
		changed := f.changed
		f.mu.Unlock()
		if applied == live {
			return applied, live
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
			return applied, live
		}
	}
}

func (f *Fleet) counts(project string, version uint64) (applied, live int) {
	now := time.Now()
	for name, r := range f.replicas {
		if !f.live(name, r, now) {
			continue
		}
		live++
		if r.rules[project].Version >= version {
			applied++
		}
	}
	return applied, live
}

// live reports whether a replica was heard lately. This one needs no word of its own.
func (f *Fleet) live(name string, r *replica, now time.Time) bool {
	return name == f.cfg.Replica || now.Sub(r.heard) <= f.cfg.LiveFor
}

// Replicas says what is known of every replica about the project, by name.
func (f *Fleet) Replicas(project string) []ReplicaStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	all := make([]ReplicaStatus, 0, len(f.replicas))
	for name, r := range f.replicas {
		s := ReplicaStatus{
			Replica: name, Live: f.live(name, r, now), Heard: now.Sub(r.heard), Lag: r.lag,
			Version: r.rules[project].Version, Quarantined: r.rules[project].Quarantined,
		}
		if name == f.cfg.Replica {
			s.Heard, s.Lag = 0, f.cfg.Lag()
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b ReplicaStatus) int { return cmp.Compare(a.Replica, b.Replica) })
	return all
}

// Refused counts announcements that were not, or not wholly, taken in because of a bound.
func (f *Fleet) Refused() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refused
}

// wake tells all waiters to look again. The caller holds mu.
func (f *Fleet) wake() {
	close(f.changed)
	f.changed = make(chan struct{})
}
