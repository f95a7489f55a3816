package crdb

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	"eligibility/internal/audit"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
	"eligibility/internal/store/pgtest"
)

const benchUsers = 256

// populated is a store with users of twenty attributes and forty events.
func populated(b *testing.B) *Store {
	b.Helper()
	s := openStore(b, quick(migrated(b, pgtest.Shared(b))))
	schema := profile.NewSchema()
	var err error
	for i := range 20 {
		if schema, err = schema.WithAttribute(fmt.Sprintf("a%d", i), profile.Type{Kind: profile.Int}, false); err != nil {
			b.Fatal(err)
		}
	}
	if schema, err = schema.WithEventType("step", map[string]profile.Type{"total": {Kind: profile.Double}}); err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	if _, err := s.CreateProject(ctx, rules.Spec{Project: "p", Schema: schema}, audit.Entry{Project: "p"}); err != nil {
		b.Fatal(err)
	}
	for u := range benchUsers {
		object := "{"
		for i := range 20 {
			object += fmt.Sprintf(`"a%d":%d,`, i, i*u)
		}
		if _, _, err := s.PutUsers(ctx, "p", []profile.Update{{UserID: fmt.Sprintf("u%d", u), Attributes: attributes(object[:len(object)-1] + "}")}}); err != nil {
			b.Fatal(err)
		}
		if _, _, err := s.PutEvents(ctx, "p", someEvents(fmt.Sprintf("u%d", u), 40)); err != nil {
			b.Fatal(err)
		}
	}
	execute(b, s, "ANALYZE")
	return s
}

func someEvents(user string, n int) []profile.NewEvent {
	list := make([]profile.NewEvent, n)
	for i := range list {
		list[i] = profile.NewEvent{UserID: user, Name: "step", OccurredAt: time.Now().Add(-time.Duration(i) * time.Minute), Properties: []byte(`{"total":12.5}`)}
	}
	return list
}

// BenchmarkLoad compares loads with the same statement by the bare library, which scans every column and keeps nothing.
func BenchmarkLoad(b *testing.B) {
	s := populated(b)
	ctx := context.Background()
	one, dst := make([]profile.Key, 1), make([]*profile.Snapshot, 64)
	many := make([]profile.Key, 64)
	for i := range many {
		many[i] = profile.Key{Project: "p", User: fmt.Sprintf("u%d", i)}
	}
	next := 0
	pick := func() profile.Key { next++; return many[next%len(many)] }
	if err := s.Load(ctx, many, dst); err != nil {
		b.Fatal(err)
	}
	bare := func() error {
		known, key := s.schemas.of([]string{"p"}), pick()
		rows, err := s.pool.Query(ctx, s.sql.loadOne, key.Project, key.User, interval(s.cfg.Retention), known.types, known.versions)
		if err != nil {
			return err
		}
		var row loadRow
		for rows.Next() {
			if err := row.scan(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	}
	single := func() error {
		one[0] = pick()
		return s.Load(ctx, one, dst)
	}
	b.Run("one", func(b *testing.B) { sideBySide(b, single, bare) })
	b.Run("sixty-four", func(b *testing.B) {
		sideBySide(b, func() error { return s.Load(ctx, many, dst) }, func() error {
			for range many {
				if err := single(); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// sideBySide runs two ways in turn, so that what else the machine does meets both alike, and reports their medians and the quotient.
func sideBySide(b *testing.B, ours, theirs func() error) {
	b.Helper()
	var times [2][]float64
	for b.Loop() {
		for i, run := range []func() error{ours, theirs} {
			began := time.Now()
			if err := run(); err != nil {
				b.Fatal(err)
			}
			times[i] = append(times[i], float64(time.Since(began)))
		}
	}
	var medians [2]float64
	for i := range times {
		slices.Sort(times[i])
		medians[i] = times[i][len(times[i])/2]
	}
	b.ReportMetric(medians[0]/1e6, "ms-ours")
	b.ReportMetric(medians[1]/1e6, "ms-theirs")
	b.ReportMetric(medians[0]/medians[1], "quotient")
}

// BenchmarkPutEvents compares ingest in batches with the bare statement, without checks, ids or a stamp.
func BenchmarkPutEvents(b *testing.B) {
	s := populated(b)
	ctx := context.Background()
	for _, size := range []int{100, 1000} {
		batch := make([]profile.NewEvent, 0, size)
		for len(batch) < size {
			batch = append(batch, someEvents(fmt.Sprintf("w%d", len(batch)), 10)...)
		}
		b.Run(fmt.Sprintf("%d", size), func(b *testing.B) {
			sideBySide(b, func() error {
				_, _, err := s.PutEvents(ctx, "p", batch)
				return err
			}, func() error {
				var columns eventColumns
				made := rand.Text()
				for i := range batch {
					e := batch[i]
					e.ID = fmt.Sprintf("e-%s-%d", made, i)
					columns.add(&e)
				}
				_, err := s.pool.Exec(ctx, s.sql.putEvents, columns.args("p", s.cfg.Retention)...)
				return err
			})
		})
	}
}
