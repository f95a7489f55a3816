package cache

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
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

// BenchmarkHitDuringABurst is the hits' latency beside a million changes, and without: its p99 must not grow by more than 0.3 of it on a machine with a
// core to spare for the feed.
func BenchmarkHitDuringABurst(b *testing.B) {
	changes := make([]events.Change, events.MaxBatchChanges)
	for i := range changes {
		changes[i] = events.Change{Table: events.TableProfile, Project: "shop", Key: fmt.Sprint("other", i), At: hlc.Timestamp{Wall: 1}}
	}
	for _, burst := range []bool{false, true} {
		b.Run(fmt.Sprintf("burst=%v", burst), func(b *testing.B) {
			c, keys := warm(b, 10_000)
			ctx, stop := context.WithCancel(b.Context())
			var feed sync.WaitGroup
			if burst {
				feed.Go(func() {
					for ctx.Err() == nil {
						c.Apply(changes, hlc.Timestamp{})
					}
				})
			}
			d, took := &Demand{}, make([]time.Duration, 0, 1<<20)
			for b.Loop() {
				began := time.Now()
				c.Hit(keys[len(took)%len(keys)], d)
				if len(took) < cap(took) {
					took = append(took, time.Since(began))
				}
			}
			stop()
			feed.Wait()
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100]), "p99-ns")
		})
	}
}

// BenchmarkFalseInvalidations computes, and measures on the floors themselves, which part of hits is refused because another user's change raised the shared
// slot: a million cached users, 10,000 changes a second, and each refused user read anew at once. A change refuses about cached/slots users falsely, so the share
// falls with how many hits there are beside the changes.
func BenchmarkFalseInvalidations(b *testing.B) {
	for _, hitsPerSecond := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("hits=%d/s", hitsPerSecond), func(b *testing.B) { falseInvalidations(b, hitsPerSecond) })
	}
}

func falseInvalidations(b *testing.B, hitsPerSecond int) {
	const cached, perSecond, seconds = 1_000_000, 10_000, 10
	cfg := Defaults()
	// A slot is raised perSecond/slots times a second; a user is asked for hitsPerSecond/cached times a second. Of two events that come at random the
	// share of asks that come after a raise is raises/(raises+asks).
	raises, asks := float64(perSecond)/float64(cfg.FloorSlots), float64(hitsPerSecond)/cached
	computed := raises / (raises + asks)
	var refused, hits int
	for b.Loop() {
		f := newFloors(cfg.FloorSlots)
		hashes := make([]uint64, cached)
		read := make([]int64, cached)
		for i := range hashes {
			hashes[i] = f.hash(events.TableProfile, "shop", fmt.Sprint(i))
		}
		random := rand.New(rand.NewPCG(1, 2))
		now := int64(1)
		for range perSecond * seconds {
			now++
			f.raise(hashes[random.IntN(cached)], hlc.Timestamp{Wall: now})
			for range hitsPerSecond / perSecond {
				i := random.IntN(cached)
				hits++
				if f.at(hashes[i]) > read[i] {
					if f.raisedByAnother(hashes[i]) {
						refused++
					}
					read[i] = now
				}
			}
		}
	}
	b.ReportMetric(100*computed, "%computed")
	b.ReportMetric(100*float64(refused)/float64(hits), "%measured")
}
