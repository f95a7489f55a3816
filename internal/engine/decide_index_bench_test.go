package engine

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"eligibility/bench/workload"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// loaded is a workload in one placement, compiled.
type loaded struct {
	rs    *rules.Ruleset
	users []*profile.Snapshot
	now   int64
}

func load(tb testing.TB, c workload.Config, limit int) *loaded {
	tb.Helper()
	w, err := workload.New(c)
	if err != nil {
		tb.Fatal(err)
	}
	spec := &rules.Spec{Project: "p", Version: 1, Schema: w.Schema, Placements: []rules.Placement{{Placement: 1, Name: "home", Limit: limit}}}
	live := make([]rules.LivePromotion, 0, len(w.Rules))
	for _, r := range w.Rules {
		live = append(live, rules.LivePromotion{Revision: 1, Promotion: &rules.Promotion{
			ID: r.ID, Name: r.ID, Rule: r.Text, Content: rules.Content{Title: r.ID}, Placements: []rules.PlacementTarget{{Placement: 1, Priority: r.Priority}},
		}})
	}
	spec.Promotions = rules.NewRoll(live...)
	rs, err := rules.NewCompiler(720*time.Hour).Compile(spec, nil)
	if err != nil {
		tb.Fatal(err)
	}
	if len(rs.Quarantined) > 0 {
		tb.Fatalf("%d quarantined: %+v", len(rs.Quarantined), rs.Quarantined[0])
	}
	l := &loaded{rs: rs, now: w.Now.UnixNano()}
	for i := range w.Users {
		l.users = append(l.users, w.Snapshot("p", &w.Users[i]))
	}
	return l
}

func (l *loaded) bench(b *testing.B) {
	req := Request{Now: l.now, Channel: "embedded"}
	var d Decision
	for _, u := range l.users {
		Decide(l.rs, u, &req, &d)
	}
	b.ReportAllocs()
	began := cpuNanos(b)
	shown, looked, i := 0, 0, 0
	for b.Loop() {
		d.scratch.Looked = 0
		Decide(l.rs, l.users[i%len(l.users)], &req, &d)
		shown += len(d.messages)
		looked += d.scratch.Looked
		i++
	}
	b.ReportMetric(float64(cpuNanos(b)-began)/float64(i), "cpu-ns/op")
	b.ReportMetric(float64(shown)/float64(i), "shown/op")
	b.ReportMetric(float64(looked)/float64(i), "looked/op")
}

// cpuNanos is the processor time of this process so far: what neighbours do does not move it.
func cpuNanos(b *testing.B) int64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

// BenchmarkStart draws and compiles ten thousand promotions.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		load(b, workload.Config{Rules: 10_000, Users: 1}, 1)
	}
}

// BenchmarkPublish is one promotion more among those that are live.
func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := load(b, workload.Config{Rules: n, Users: 1}, 1)
			spec := &rules.Spec{Project: "p", Version: 1, Schema: l.rs.Schema, Placements: []rules.Placement{{Placement: 1, Name: "home", Limit: 1}}}
			var live []rules.LivePromotion
			for c := range l.rs.Promotions.All() {
				live = append(live, rules.LivePromotion{Revision: 1, Promotion: c.Promotion})
			}
			spec.Promotions = rules.NewRoll(live...)
			compiler, rs := rules.NewCompiler(720*time.Hour), l.rs
			b.ReportAllocs()
			began, i := cpuNanos(b), 0
			for b.Loop() {
				i++
				next := *live[n/2].Promotion
				next.Rule = live[i%(n/2)].Promotion.Rule
				spec.Promotions, spec.Version = spec.Promotions.With(rules.LivePromotion{Promotion: &next, Revision: i + 1}), spec.Version+1
				var err error
				if rs, err = compiler.Compile(spec, rs); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpuNanos(b)-began)/float64(i), "cpu-ns/op")
		})
	}
}

// BenchmarkDecide is one question with no answer kept: the first fifteen, all that match, and rules that hardly anyone passes.
func BenchmarkDecide(b *testing.B) {
	sizes := []int{1_000, 10_000}
	if os.Getenv("ELIGIBILITY_BENCH_LARGE") != "" { // minutes more
		sizes = append(sizes, 100_000)
	}
	for _, n := range sizes {
		for _, tt := range []struct {
			name  string
			c     workload.Config
			limit int
		}{
			{"all", workload.Config{Rules: n}, n},
			{"top", workload.Config{Rules: n}, 15},
			{"selective", workload.Config{Rules: n, Selective: true}, 15},
			{"opaque", workload.Config{Rules: n, Opaque: 0.2}, n},
			{"nested", workload.Config{Rules: n, Style: workload.Nested}, n},
		} {
			if n > 10_000 && tt.name != "all" && tt.name != "top" && tt.name != "selective" {
				continue // growth is asked of these three
			}
			b.Run(fmt.Sprintf("%s/%d", tt.name, n), func(b *testing.B) { load(b, tt.c, tt.limit).bench(b) })
		}
	}
}
