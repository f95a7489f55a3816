package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"eligibility/internal/audit"
	"eligibility/internal/events"
	"eligibility/internal/profile"
	"eligibility/internal/rules"

	"github.com/cockroachdb/pebble/v2"
)

// shop makes a project with a schema of some attributes and one event type of three properties.
func shop(t testing.TB, s *Store) {
	t.Helper()
	schema := profile.NewSchema()
	for i := range 10 {
		next, err := schema.WithAttribute(fmt.Sprintf("a%d", i), profile.Type{Kind: profile.Int}, false)
		if err != nil {
			t.Fatal(err)
		}
		schema = next
	}
	properties := map[string]profile.Type{"total": {Kind: profile.Double}, "category": {Kind: profile.String}, "items": {Kind: profile.Int}}
	schema, err := schema.WithEventType("purchase", properties)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateProject(context.Background(), rules.Spec{Project: "shop", Schema: schema}, audit.Entry{}); err != nil {
		t.Fatal(err)
	}
}

func person(i int) profile.Update {
	attributes := make(map[string]json.RawMessage, 10)
	for a := range 10 {
		attributes[fmt.Sprintf("a%d", a)] = json.RawMessage(fmt.Sprint(i + a))
	}
	email := fmt.Sprintf("user-%06d@example.com", i)
	return profile.Update{UserID: fmt.Sprintf("user-%06d", i), Email: &email, Attributes: attributes}
}

func sale(user, n int, id string) profile.NewEvent {
	return profile.NewEvent{
		UserID: fmt.Sprintf("user-%06d", user), ID: id, Name: "purchase",
		OccurredAt: time.Now().Add(-time.Duration(n) * time.Hour),
		Properties: json.RawMessage(`{"total":19.5,"category":"garden tools","items":2}`),
	}
}

// BenchmarkLoad is one user of ten attributes and 50 events, of 2,000 such users.
func BenchmarkLoad(b *testing.B) {
	for _, keys := range []int{1, 100} {
		b.Run(fmt.Sprintf("users=%d", keys), func(b *testing.B) {
			s := openStore(b, Defaults(b.TempDir()))
			shop(b, s)
			seed(b, s, 2000, 50, false)
			ask, dst := make([]profile.Key, keys), make([]*profile.Snapshot, keys)
			next := 0
			b.ReportAllocs()
			for b.Loop() {
				for i := range ask {
					next = (next + 7919) % 2000
					ask[i] = profile.Key{Project: "shop", User: fmt.Sprintf("user-%06d", next)}
				}
				if err := s.Load(context.Background(), ask, dst); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*keys), "µs/user")
		})
	}
}

// BenchmarkBareRead is the bytes of one user as BenchmarkLoad reads them, by an iterator over a snapshot, and nothing made of them: what is under a load.
func BenchmarkBareRead(b *testing.B) {
	s := openStore(b, Defaults(b.TempDir()))
	shop(b, s)
	seed(b, s, 2000, 50, false)
	next, size := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		next = (next + 7919) % 2000
		prefix := appendUser(nil, "shop", fmt.Sprintf("user-%06d", next))
		snapshot := s.db.NewSnapshot()
		it, err := snapshot.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: append(prefix[:len(prefix):len(prefix)], userID)})
		if err != nil {
			b.Fatal(err)
		}
		for ok := it.First(); ok; ok = it.Next() {
			value, err := it.ValueAndErr()
			if err != nil {
				b.Fatal(err)
			}
			size += len(value)
		}
		if err := errors.Join(it.Close(), snapshot.Close()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(size)/float64(b.N), "value-bytes/op")
}

// BenchmarkPutEvents is batches of 1,000 events of 1,000 users.
func BenchmarkPutEvents(b *testing.B) {
	for _, ids := range []bool{false, true} {
		b.Run(fmt.Sprintf("ids=%t", ids), func(b *testing.B) {
			s := openStore(b, Defaults(b.TempDir()))
			shop(b, s)
			n := 0
			for b.Loop() {
				batch := make([]profile.NewEvent, 1000)
				for i := range batch {
					id := ""
					if n++; ids {
						id = fmt.Sprintf("order-%d", n)
					}
					batch[i] = sale(i, n%500, id)
				}
				if _, _, err := s.PutEvents(context.Background(), "shop", batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkPutUser is one user at a time by concurrent writers, who share fsyncs.
func BenchmarkPutUser(b *testing.B) {
	s := openStore(b, Defaults(b.TempDir()))
	shop(b, s)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, _, err := s.PutUsers(context.Background(), "shop", []profile.Update{person(i % 1000)}); err != nil {
				b.Fatal(err)
			}
		}
	})
	stats, err := s.Stats(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(stats.CommitTime.Microseconds())/float64(max(stats.Commits, 1)), "µs/commit")
}

// BenchmarkFeed is the way of a change from the start of its write to a follower, on a disk in memory that syncs at once.
func BenchmarkFeed(b *testing.B) {
	s := openStore(b, memory(b))
	shop(b, s)
	seen := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	start, err := s.Now(ctx)
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		defer close(ended)
		_ = s.Follow(ctx, start, func(batch events.FeedBatch) error {
			if len(batch.Changes) > 0 {
				seen <- struct{}{}
			}
			return nil
		})
	}()
	for b.Loop() {
		if _, _, err := s.PutUsers(ctx, "shop", []profile.Update{{UserID: "u"}}); err != nil {
			b.Fatal(err)
		}
		<-seen
	}
	cancel()
	<-ended
}

// seed stores users with events each, in batches of 1,000.
func seed(t testing.TB, s *Store, users, each int, ids bool) {
	t.Helper()
	ctx := context.Background()
	people := make([]profile.Update, 0, 1000)
	sales := make([]profile.NewEvent, 0, 1000)
	flush := func(atLeast int) {
		if len(people) >= atLeast && len(people) > 0 {
			if _, refused, err := s.PutUsers(ctx, "shop", people); err != nil || len(refused) > 0 {
				t.Fatal(err, refused)
			}
			people = people[:0]
		}
		if len(sales) >= atLeast && len(sales) > 0 {
			if _, refused, err := s.PutEvents(ctx, "shop", sales); err != nil || len(refused) > 0 {
				t.Fatal(err, refused)
			}
			sales = sales[:0]
		}
	}
	for u := range users {
		people = append(people, person(u))
		for e := range each {
			id := ""
			if ids {
				id = fmt.Sprintf("order-%d-%d", u, e)
			}
			sales = append(sales, sale(u, e, id))
			flush(1000)
		}
		flush(1000)
	}
	flush(0)
}

// BenchmarkSeed is a new store with 10,000 users and 150,000 events that bring their ids.
func BenchmarkSeed(b *testing.B) {
	for b.Loop() {
		s := openStore(b, Defaults(b.TempDir()))
		shop(b, s)
		seed(b, s, 10_000, 15, true)
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
