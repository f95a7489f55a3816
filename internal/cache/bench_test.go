package cache

import (
	"fmt"
	"testing"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

// warm is a started cache over ristretto with n users in it.
func warm(b *testing.B, n int) (*Cache, []profile.Key) {
	b.Helper()
	cfg := Defaults()
	cfg.Bound = time.Hour
	cfg.MaxAge = time.Hour
	c, err := New(cfg, newWorld(), &hlc.Estimate{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Stop)
	if err := c.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	keys := users(n)
	for _, key := range keys {
		hot(b, c, key)
	}
	return c, keys
}

func BenchmarkHit(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		b.Run(fmt.Sprintf("users=%d", n), func(b *testing.B) {
			c, keys := warm(b, n)
			d := &Demand{}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if i++; i == len(keys) {
					i = 0
				}
				if _, ok := c.Hit(keys[i], d); !ok {
					b.Fatal("no hit")
				}
			}
		})
	}
}

func BenchmarkHitParallel(b *testing.B) {
	c, keys := warm(b, 10_000)
	d := &Demand{}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, ok := c.Hit(keys[i%len(keys)], d); !ok {
				b.Error("no hit")
				return
			}
		}
	})
}

// BenchmarkApplyMillion is a schema change in the store that touches every row: a million changes of a million users.
func BenchmarkApplyMillion(b *testing.B) {
	c, _ := warm(b, 1)
	changes := make([]events.Change, 1_000_000)
	for i := range changes {
		changes[i] = events.Change{Table: events.TableProfile, Project: "shop", Key: fmt.Sprint(i)}
	}
	b.ReportAllocs()
	for b.Loop() {
		for i := range changes {
			changes[i].At.Wall++
		}
		for batch := changes; len(batch) > 0; batch = batch[min(events.MaxBatchChanges, len(batch)):] {
			c.Apply(batch[:min(events.MaxBatchChanges, len(batch))], hlc.Timestamp{})
		}
	}
}

// BenchmarkMiss is a load of one cold user after another from a store that answers at once: what the cache itself adds to a load.
func BenchmarkMiss(b *testing.B) {
	c, _ := warm(b, 1)
	d := &Demand{NoStore: true}
	cold := user("cold")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Get(b.Context(), cold, d); err != nil {
			b.Fatal(err)
		}
	}
}
