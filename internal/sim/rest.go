package sim

import (
	"context"
	"time"

	"eligibility/internal/cache"
	"eligibility/internal/hlc"
)

// patience is how long a world without faults may take to come to rest.
const patience = 20 * time.Second

// rest ends all faults and checks that the replicas find back: everything is told, every user is read as he is, from memory where nothing
// was dropped, and no answer of before is refuted by what was committed since.
func (h *history) rest() {
	h.step.Add(1)
	h.notef("the faults end")
	h.gates.throwOpen()
	h.settle()
	h.step.Add(1)
	target := h.w.nowIs().Add(skew)
	for waited := time.Duration(0); ; waited += feedPause {
		h.drain()
		h.pass(feedPause)
		if waited > 5*time.Second && h.rested(target) {
			break
		}
		if waited > patience {
			h.fault("no rest %v after the faults ended: %s", waited, h.unrest(target))
			return
		}
	}
	h.readers.Wait()
	h.w.mu.Lock()
	for _, a := range h.saw {
		if all := h.w.upTo(a.key, a.read.TrueAt); a.contains < all {
			h.w.mu.Unlock()
			h.fault("%s: there were %d", &a, all)
			h.w.mu.Lock()
		}
	}
	h.w.mu.Unlock()
	for _, r := range h.replicas {
		h.readAtRest(r)
	}
	h.settle()
	h.sum()
}

// drain hands over everything that is on the way, in order.
func (h *history) drain() {
	for _, r := range h.replicas {
		for r.handler != nil && len(r.queue) > 0 {
			h.hand(r, "gets", h.take(r, 0))
		}
		if r.ledger.due {
			r.ledger.due = false
			r.renew(h.w.newest())
		}
	}
}

func (h *history) rested(target hlc.Timestamp) bool { return h.unrest(target) == "" }

// unrest says what is not yet as it should be.
func (h *history) unrest(target hlc.Timestamp) string {
	for _, r := range h.replicas {
		switch state := r.cache.State(); {
		case r.follower.Watermark().Before(target):
			return r.name + " has heard up to " + short(r.follower.Watermark()).String() + ", not " + short(target).String()
		case !state.Healthy || state.Phase != cache.Live:
			return r.name + " does not know that its feed is well"
		case state.StoreDown:
			return r.name + " does not know that its store is well"
		case r.live.Load(project) != h.w.rulesets.All[h.w.newest()]:
			return r.name + " has an old ruleset"
		}
	}
	return ""
}

// readAtRest reads every user twice.
func (h *history) readAtRest(r *replica) {
	for _, key := range h.users {
		for second := range 2 {
			q := h.question(r, key, cache.Demand{})
			read, err := r.cache.Get(context.Background(), key, &q.demand)
			if err != nil {
				h.fault("at rest %s refuses %s: %v", r.name, key.User, err)
				return
			}
			h.check(&q, &read, nil)
			h.w.mu.Lock()
			contains, all := h.w.contains[read.Snapshot], len(h.w.rows[key])
			h.w.mu.Unlock()
			if contains != all || read.Degraded {
				h.fault("at rest %s answers %s with %d of %d commits, degraded %v", r.name, key.User, contains, all, read.Degraded)
			}
			if second == 1 && !read.Hit && h.plan.manner == faithful {
				h.fault("at rest %s reads %s from the store every time", r.name, key.User)
			}
		}
	}
}

// sum adds the components' own counts to the tally.
func (h *history) sum() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tally.Steps = h.step.Load()
	for _, r := range h.replicas {
		s, f := r.cache.Stats(), r.follower.Stats()
		h.tally.Loads += s.Loads
		h.tally.Rereads += s.Rereads
		h.tally.Uncached += s.Uncached
		h.tally.Coalesced += s.Coalesced
		h.tally.Expired += s.Misses.Expired
		h.tally.Gaps += f.Gaps
		h.tally.Epochs += f.HigherEpochs
	}
}
