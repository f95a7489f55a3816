package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// micro is one line of `go test -bench`: its figures by unit.
type micro map[string]float64

var microLine = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(.*)$`)

// micros reads what `go test -bench` said, by name.
func micros(lines []string) map[string]micro {
	all := make(map[string]micro)
	for _, text := range lines {
		m := microLine.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		figures, fields := make(micro), strings.Fields(m[2])
		for i := 0; i+1 < len(fields); i += 2 {
			if v, err := strconv.ParseFloat(fields[i], 64); err == nil {
				figures[fields[i+1]] = v
			}
		}
		all[m[1]] = figures
	}
	return all
}

// measureEngine runs the micro-benchmarks of the engine, which stand beside their code.
func measureEngine(p plan, r *report) error {
	which := "BenchmarkDecide$|BenchmarkPublish|BenchmarkStart|BenchmarkInterpret|BenchmarkLoad$|BenchmarkBareRead"
	if p.quick {
		which = "BenchmarkDecide$/.*/1000$|BenchmarkPublish/1000$|BenchmarkInterpret|BenchmarkLoad$|BenchmarkBareRead"
	}
	args := []string{"test", "-run", "^$", "-bench", which, "-benchmem", "-timeout", "30m"}
	if p.quick {
		args = append(args, "-benchtime", "20x", "-short")
	}
	run := exec.Command("go", append(args, "./internal/engine", "./internal/rules", "./internal/store/embedded")...)
	if !p.quick {
		run.Env = append(os.Environ(), "ELIGIBILITY_BENCH_LARGE=1") // up to 100,000 promotions
	}
	out, err := run.CombinedOutput()
	var kept []string
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "Benchmark") {
			kept = append(kept, strings.TrimRight(line, "\n"))
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	r.engine(micros(kept))
	r.text("The engine without a network", "`go test -bench` of `internal/engine`, `internal/rules` and `internal/store/embedded`; `BenchmarkBareRead` is the bytes of one user from Pebble and nothing else:\n\n```\n"+strings.Join(kept, "\n")+"\n```\n")
	return nil
}

// deciding is a question put to the engine with no network: its name, what it is, and the hoped-for exponent of its growth, if there is one.
var deciding = []struct {
	name, what string
	exponent   float64
}{
	{"top", "the first 15 by priority", 0.05},
	{"selective", "rules that one user in 2,000 passes, the first 15", 0.15},
	{"all", "all matches", 1},
	{"opaque", "all matches, 20 % of the rules interpreted in part", 0},
	{"nested", "all matches of ABE-Gen's rules", 0},
}

// engine tells of the micro-benchmarks what there are goals for.
func (r *report) engine(got map[string]micro) {
	const cpu = "cpu-ns/op"
	decide := func(name string, n int) (micro, bool) {
		m, ok := got[fmt.Sprintf("Decide/%s/%d", name, n)]
		return m, ok
	}
	t := r.table("Deciding, by live promotions", "Processor time of one question with no answer kept, and the work done for it, whatever the machine; the exponent is log(last ÷ first) ÷ log(promotions' ratio). "+
		"ABE-Gen is the generator of Ji and Jacobsen (A-Tree, SIGMOD 2021), whose tree takes 1.15 ns for each rule and event there, on other hardware: 1,150 µs ÷ 1,000,000.",
		"question", "promotions", "cpu", "looked at", "allocations", "cpu for each promotion", "exponent since the first")
	sizes := []int{1_000, 10_000, 100_000}
	for _, q := range deciding {
		first := 0
		for _, n := range sizes {
			m, ok := decide(q.name, n)
			if !ok {
				continue
			}
			exponent := "–"
			if first == 0 {
				first = n
			} else {
				base, _ := decide(q.name, first)
				grown := math.Log(m[cpu]/base[cpu]) / math.Log(float64(n)/float64(first))
				exponent = fmt.Sprintf("%.2f", grown)
				if n == sizes[len(sizes)-1] && q.exponent > 0 {
					r.goal(goalGrowth, fmt.Sprintf("growth of %s from 1,000 to 100,000 promotions", q.what), fmt.Sprintf("exponent ≤ %.2f", q.exponent), grown <= q.exponent, "%.2f", grown)
				}
			}
			t.row(q.what, n, fmt.Sprintf("%.2f µs", m[cpu]/1e3), fmt.Sprintf("%.0f", m["looked/op"]), m["allocs/op"], fmt.Sprintf("%.2f ns", m[cpu]/float64(n)), exponent)
		}
	}
	for i, n := range []int{1_000, 10_000} {
		most := []float64{2, 10}[i]
		if m, ok := decide("all", n); ok {
			r.goal(goalAll, fmt.Sprintf("all matches of %d promotions, processor time", n), fmt.Sprintf("≤ %.0f µs, 0 allocations", most), m[cpu] <= most*1e3 && m["allocs/op"] == 0,
				"%.2f µs, %.0f allocations", m[cpu]/1e3, m["allocs/op"])
		}
		typed, okTyped := decide("all", n)
		opaque, okOpaque := decide("opaque", n)
		if okTyped && okOpaque {
			ratio := typed[cpu] / opaque[cpu]
			r.goal(goalOpaque, fmt.Sprintf("throughput with 20 %% of %d promotions not typable ÷ with all typed", n), "≥ 0.5", ratio >= 0.5, "%.2f", ratio)
		}
	}
	load, okLoad := got["Load/users=1"]
	bare, okBare := got["BareRead"]
	if okLoad && okBare {
		more := (load["ns/op"] - bare["ns/op"]) / 1e3
		r.goal(goalMiss, "a miss over the bare Pebble read of the same bytes, on average", "≤ 25 µs more", more <= 25, "%.1f µs more (%.1f over %.1f)", more, load["ns/op"]/1e3, bare["ns/op"]/1e3)
	}
}
