package events

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Start begins to listen and to announce this replica, until ctx ends or Stop is called. A second Start changes nothing; one after Stop
// fails.
func (f *Fleet) Start(ctx context.Context) error {
	if _, err := f.run.start(ctx, f.loop); err != nil {
		return fmt.Errorf("start fleet: %w", err)
	}
	return nil
}

// Stop says good-bye to the other replicas and waits until nothing runs any more. It may be called any number of times.
func (f *Fleet) Stop() { f.run.stop() }

func (f *Fleet) loop(ctx context.Context) {
	var listener sync.WaitGroup
	defer listener.Wait()
	listener.Go(func() { f.listen(ctx) })
	tick := time.NewTicker(f.cfg.Every)
	defer tick.Stop()
	for {
		f.gossip.Announce(f.nextAnnouncement())
		select {
		case <-tick.C:
			f.forget()
		case <-ctx.Done():
			f.gossip.Announce(&Announcement{Replica: f.cfg.Replica, Lag: f.cfg.Lag(), Leaving: true})
			return
		}
	}
}

// listen keeps an ear open until ctx ends.
func (f *Fleet) listen(ctx context.Context) {
	var quiet throttle
	for ctx.Err() == nil {
		err := f.gossip.Listen(ctx, make(chan struct{}), f.hear)
		if ctx.Err() != nil {
			return
		}
		if quiet.allow() {
			f.cfg.Logger.Warn("fleet cannot hear the other replicas", "error", err)
		}
		_ = pause(ctx, jitter(f.cfg.Every))
	}
}

// hear takes in what a replica said of itself. The bus keeps the order of one sender, so the last word counts, also when it names a lower
// version: the replica was started anew.
func (f *Fleet) hear(a *Announcement) {
	if a.Replica == f.cfg.Replica {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.wake()
	if a.Leaving {
		delete(f.replicas, a.Replica)
		return
	}
	r := f.replicas[a.Replica]
	if r == nil {
		if len(f.replicas) >= MaxReplicas {
			f.refused++
			return
		}
		r = &replica{rules: map[string]AppliedRules{}}
		f.replicas[a.Replica] = r
	}
	r.heard, r.lag = time.Now(), a.Lag
	for _, rules := range a.Rules {
		if _, known := r.rules[rules.Project]; !known && len(r.rules) >= MaxFleetProjects {
			f.refused++
			return
		}
		r.rules[rules.Project] = rules
	}
}

// nextAnnouncement is a heartbeat with the next of our projects in turn: those that joined later hear of all of them in a while.
func (f *Fleet) nextAnnouncement() *Announcement {
	a := &Announcement{Replica: f.cfg.Replica, Lag: f.cfg.Lag()}
	f.mu.Lock()
	defer f.mu.Unlock()
	own := f.replicas[f.cfg.Replica]
	n := min(len(f.own), MaxAnnouncedProjects)
	for range n {
		f.turn %= len(f.own)
		a.Rules = append(a.Rules, own.rules[f.own[f.turn]])
		f.turn++
	}
	return a
}

// forget lets go of replicas that were silent for long.
func (f *Fleet) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	for name, r := range f.replicas {
		if name != f.cfg.Replica && now.Sub(r.heard) > f.cfg.ForgetAfter {
			delete(f.replicas, name)
		}
	}
}
