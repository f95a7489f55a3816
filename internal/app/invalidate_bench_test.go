package app

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"eligibility/internal/cache"
	"eligibility/internal/profile"
)

// BenchmarkCommitToNotServed is the time from the acknowledgement of a commit, which is durable then, to the moment from which this replica's memory does not
// answer with what was there before: store, feed, relay, bus, follower, floor. The commit passes by the writer of the decision plane, which would raise
// its own floor at once, as another replica's would.
func BenchmarkCommitToNotServed(b *testing.B) {
	r := start(b).shop()
	const users = 1000
	keys := make([]profile.Key, users)
	for i := range keys {
		keys[i] = profile.Key{Project: "shop", User: fmt.Sprintf("u%04d", i)}
	}
	demand, took := &cache.Demand{}, make([]time.Duration, 0, 1<<16)
	for i := 0; b.Loop(); i++ {
		key := keys[i%users]
		if _, err := r.app.cache.Get(b.Context(), key, demand); err != nil {
			b.Fatal(err)
		}
		update := profile.Update{UserID: key.User, Attributes: map[string]json.RawMessage{"lifetimeValue": fmt.Append(nil, i)}}
		stamp, _, err := r.app.store.PutUsers(b.Context(), "shop", []profile.Update{update})
		if err != nil {
			b.Fatal(err)
		}
		acknowledged := time.Now()
		for {
			if read, ok := r.app.cache.Hit(key, demand); !ok || !read.TrueAt.Before(stamp) {
				break
			}
			runtime.Gosched()
		}
		took = append(took, time.Since(acknowledged))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}
