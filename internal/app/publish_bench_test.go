package app

import (
	"context"
	"fmt"
	"testing"
	"time"

	"eligibility/internal/rules"
)

// author makes live promotions through the authoring service of the replica.
func (r *replica) author(ctx context.Context, n int) {
	r.t.Helper()
	for i := range n {
		r.enforce(ctx, fmt.Sprintf("p%04d", i), i)
	}
	r.eventually("the promotions are in force", func() bool {
		rs := r.app.live.Load("shop")
		return rs != nil && rs.Promotions.Len() == n
	})
}

// enforce publishes a promotion with a rule that is another for every generation, and returns the version in which it is in force.
func (r *replica) enforce(ctx context.Context, id string, generation int) uint64 {
	r.t.Helper()
	actor := rules.Actor{ID: "bench"}
	draft := rules.Promotion{
		ID: id, Name: id, Placements: []rules.PlacementTarget{{Placement: 102, Priority: int32(1 + generation%50)}}, Content: rules.Content{Title: id},
		Rule: fmt.Sprintf("user.country == 'US' && user.lifetimeValue > %d.5 && events.count('purchase', hours(24)) == 0", generation),
	}
	if _, err := r.app.authoring.SaveDraft(ctx, actor, "shop", draft, ""); err != nil {
		r.t.Fatal(err)
	}
	applied, err := r.app.authoring.Publish(ctx, actor, "shop", id, rules.Intent{Confirm: true})
	if err != nil {
		r.t.Fatal(err)
	}
	return applied.Version
}

// BenchmarkPublishUntilApplied is the time from the request to publish one of a thousand live promotions to the moment at which this replica decides by it:
// commit, feed, bus, re-read, compile, swap.
func BenchmarkPublishUntilApplied(b *testing.B) {
	for _, live := range []int{1, 1000} {
		b.Run(fmt.Sprintf("live=%d", live), func(b *testing.B) {
			r := start(b).shop()
			r.author(b.Context(), live)
			generation := live
			for b.Loop() {
				generation++
				version := r.enforce(b.Context(), "p0000", generation)
				for r.app.live.Load("shop").Version < version {
					timer := time.NewTimer(100 * time.Microsecond)
					<-timer.C
				}
			}
		})
	}
}
