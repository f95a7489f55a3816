package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// users of the scenarios that are about cached ones.
const cachedUsers = 256

// warm asks every request once.
func warm(addr string, requests [][]byte) error {
	for i, r := range requests {
		status, _, body, err := once(addr, r)
		if err != nil || status != 200 {
			return errors.Join(fmt.Errorf("request %d: %d %s", i, status, body), err)
		}
	}
	return nil
}

func questions(at *hello, users int, more string) [][]byte {
	all := make([][]byte, users)
	for i := range all {
		all[i] = request("/v1/eligibility", at.Key, fmt.Sprintf(`{"userId":"user-%06d","placements":[101,102,103]%s}`, i, more))
	}
	return all
}

// once more for each request something else in the context: no answer that was kept fits it.
func unlike(at *hello, n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = request("/v1/eligibility", at.Key, fmt.Sprintf(`{"userId":"user-%06d","placements":[101,102,103],"context":{"platform":"web-%06d"}}`, i%cachedUsers, i))
	}
	return all
}

// measureHits compares requests for cached users with the floors, and with plain cel-go.
func measureHits(p plan, r *report) error {
	t := r.table("Requests for cached users", "Share is our answers a second ÷ those of fasthttp with the same bytes in and out; cpu is processor time of the server for each answer. Plain cel-go is fasthttp with the rules as "+
		"programs in a list, evaluated in order of priority until every placement is full; what it shows was compared. The floors were seen to answer the same body, and fields of the same lengths.",
		"promotions", "side", "req/s", "share", "cpu", "cpu ÷ floor", "p99")
	dir, err := os.MkdirTemp("", "bench-plain-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	h := hits{plan: p, report: r, table: t, profiled: min(10_000, p.sizes[len(p.sizes)-1])}
	for _, n := range p.sizes {
		if h.plain == "" && plainAnswers(n) {
			if h.plain, err = buildPlain(dir); err != nil {
				return err
			}
		}
		if err := h.measure(n); err != nil {
			return fmt.Errorf("%d promotions: %w", n, err)
		}
	}
	lines := []line{h.reused.named("answers reused"), h.computed.named("each answer computed")}
	if len(h.looped.xs) > 0 {
		lines = append(lines, h.looped.named("plain cel-go"))
	}
	r.plot("share.svg", plot{
		title: "Share of the floor kept, by live promotions", x: "live promotions", y: "share of fasthttp's answers a second", logX: true, fromZero: true, lines: lines,
	})
	return nil
}

// plainAnswers are the sizes at which plain cel-go is asked: below, it is no question, and above, it hardly answers.
func plainAnswers(n int) bool { return n >= 100 && n <= 10_000 }

// hits is measureHits at work.
type hits struct {
	plan     plan
	report   *report
	table    *table
	plain    string // the server of plain cel-go, once it is built
	profiled int    // the size of which the page has a profile

	reused, computed, looped line
}

func (h *hits) measure(n int) error {
	p := h.plan
	if n > 10_000 {
		p.span /= 2
	}
	w := world{Rules: n, Users: cachedUsers, Now: time.Now().UTC().Truncate(time.Minute)}
	engine, err := spawn("engine", w)
	if err != nil {
		return err
	}
	defer engine.end()
	same, different := questions(&engine.hello, cachedUsers, ""), unlike(&engine.hello, 1<<14)
	if err := warm(engine.hello.Listen, same); err != nil {
		return err
	}
	answer, err := typical(engine, same)
	if err != nil {
		return err
	}
	floor, err := floorFor("fasthttp", answer, same[0])
	if err != nil {
		return err
	}
	defer floor.end()
	standard, err := floorFor("nethttp", answer, same[0])
	if err != nil {
		return err
	}
	defer standard.end()
	sides := []side{
		{"fasthttp, a constant", floor, floor.hello.Listen, same},
		{"net/http, a constant", standard, standard.hello.Listen, same},
		{"engine, answers reused", engine, engine.hello.Listen, same},
		{"fasthttp, a constant, longer requests", floor, floor.hello.Listen, different},
		{"engine, each answer computed", engine, engine.hello.Listen, different},
	}
	if plainAnswers(n) {
		plain, err := startPlain(h.plain, engine, w, answer, same)
		if err != nil {
			return err
		}
		defer plain.end()
		sides = append(sides, side{"plain cel-go behind fasthttp", plain, plain.hello.Listen, same})
	}
	got, err := interleave(p, sides)
	if err != nil {
		return err
	}
	if n == h.profiled {
		if err := h.report.profile(engine, same, different, p); err != nil {
			return err
		}
	}
	h.rows(n, sides, got)
	return nil
}

func (h *hits) rows(n int, sides []side, got [][]*sample) {
	for i, s := range sides {
		base := got[0]
		if i == 3 || i == 4 {
			base = got[3]
		}
		share := ratios(got[i], base, func(s *sample) float64 { return s.rate })
		share.unit = func(v float64) string { return fmt.Sprintf("%.3f", v) }
		cpu := ratios(got[i], base, func(s *sample) float64 { return float64(s.cpu) })
		h.table.row(n, s.name, rateOf(got[i]), share, cpuOf(got[i]), cpu, latencyOf(got[i], 0.99))
		switch {
		case i == 2:
			h.reused.add(float64(n), share.median)
			if n == 10_000 {
				h.report.goal(goalReused, "share of the floor, repeated requests, 10,000 promotions, 3 placements", "≥ 0.90", share.median >= 0.90, "%s; cpu %s× the floor's", share, cpu)
			}
		case i == 4:
			h.computed.add(float64(n), share.median)
			if least := map[int]float64{1000: 0.85, 10_000: 0.80}[n]; least > 0 {
				h.report.goal(goalComputed, fmt.Sprintf("share with reuse off, %d promotions", n), fmt.Sprintf("≥ %.2f", least), share.median >= least, "%s; cpu %s× the floor's", share, cpu)
			}
		case i == 5:
			h.looped.add(float64(n), share.median)
		}
	}
}

// side is one of those that are compared.
type side struct {
	name     string
	child    *child
	addr     string
	requests [][]byte
}

// interleave measures each side in each round.
func interleave(p plan, sides []side) ([][]*sample, error) {
	got := make([][]*sample, len(sides))
	for range p.rounds {
		for i, s := range sides {
			one, err := closed(s.child, s.addr, s.requests, p.conns, p.span)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			got[i] = append(got[i], one)
		}
	}
	return got, nil
}

// measureMisses asks for more users than the cache holds, and for one cold user from many sides at once.
func measureMisses(p plan, r *report) error {
	users := 20_000
	if p.quick {
		users = 1500
	}
	engine, err := spawn("engine", world{Rules: 1000, Users: users, CacheBytes: 2 << 20})
	if err != nil {
		return err
	}
	defer engine.end()
	cold, hot := questions(&engine.hello, users, ""), questions(&engine.hello, 16, "")
	if err := warm(engine.hello.Listen, hot); err != nil {
		return err
	}
	sides := []side{{"cached user", engine, engine.hello.Listen, hot}, {"user read from the store", engine, engine.hello.Listen, cold}}
	got := make([][]*sample, len(sides))
	for range p.rounds {
		for i, s := range sides {
			one, err := closed(s.child, s.addr, s.requests, 4, p.span)
			if err != nil {
				return err
			}
			got[i] = append(got[i], one)
		}
	}
	t := r.table("Requests for users that are not cached", "1,000 promotions, a cache of 2 MiB, embedded store, four connections.", "side", "req/s", "p50", "p99", "cpu")
	for i, s := range sides {
		t.row(s.name, rateOf(got[i]), latencyOf(got[i], 0.5), latencyOf(got[i], 0.99), cpuOf(got[i]))
	}
	return nil
}

// measurePublishing asks at a constant rate while promotions are published, and while not.
func measurePublishing(p plan, r *report) error {
	t := r.table("Publishing under load", "1,000 requests a second, open loop. Each publication is a rule that was never compiled; applied is from its durable acknowledgement until the replica decides by it. "+
		"What one costs is all that the process used beside what it uses without, the commit and the readers' answers made anew included.",
		"promotions", "publications a second, asked", "done", "readers' p50", "readers' p99", "p99 ÷ without", "applied p50", "applied p99",
		"cpu of one", "allocated for one")
	for _, n := range p.sizes {
		if n < 1000 || n > 10_000 {
			continue
		}
		engine, err := spawn("engine", world{Rules: n, Users: cachedUsers})
		if err != nil {
			return err
		}
		same := questions(&engine.hello, cachedUsers, "")
		if err := warm(engine.hello.Listen, same); err != nil {
			engine.end()
			return err
		}
		rates := []float64{0, 10, 100}
		got, applied, allocated := make([][]*sample, len(rates)), make([][]time.Duration, len(rates)), make([]uint64, len(rates))
		for range p.rounds {
			for i, rate := range rates {
				var told reply
				var fault error
				var group sync.WaitGroup
				if rate > 0 {
					group.Go(func() { fault = engine.tell(command{Publish: rate, Span: p.span}, &told) })
				}
				one, err := open(engine, engine.hello.Listen, same, 4, 1000, p.span)
				group.Wait()
				if err == nil {
					err = fault
				}
				if err != nil {
					engine.end()
					return err
				}
				got[i], applied[i], allocated[i] = append(got[i], one), append(applied[i], told.Applied...), allocated[i]+told.Allocated
			}
		}
		engine.end()
		for i, rate := range rates {
			p99 := func(s *sample) float64 { return float64(s.at(0.99)) }
			done := float64(len(applied[i])) / (time.Duration(p.rounds) * p.span).Seconds()
			slower := ratios(got[i], got[0], p99)
			t.row(n, rate, math.Round(done), latencyOf(got[i], 0.5), latencyOf(got[i], 0.99), slower, percentile(applied[i], 0.5), percentile(applied[i], 0.99),
				costOfOne(got[i], got[0], len(applied[i])), fmt.Sprintf("%d KB", allocated[i]/1000/uint64(max(1, len(applied[i])))))
			if n == 10_000 && rate == 100 {
				s := sample{latencies: slices.Sorted(slices.Values(applied[i]))}
				r.goal(goalApplied, "publish into 10,000 live, from durable until applied in process, p99", "≤ 5 ms", s.at(0.99) <= 5*time.Millisecond, "%s", short(s.at(0.99)))
				r.goal(goalReaders, "readers' p99 at 100 publications a second ÷ without", "≤ 1.1", slower.median <= 1.1, "%s", slower)
			}
		}
	}
	return nil
}

// costOfOne is the server's processor time for each of n publications: what the samples took beyond those without.
func costOfOne(with, without []*sample, n int) string {
	var more time.Duration
	for i := range with {
		more += time.Duration(len(with[i].latencies))*with[i].cpu - time.Duration(len(without[i].latencies))*without[i].cpu
	}
	return short(more / time.Duration(max(1, n)))
}

// measureOpenLoop shows latency over load: what callers wait at rates below and near what the server can do, beside what the floor has them wait.
func measureOpenLoop(p plan, r *report) error {
	engine, err := spawn("engine", world{Rules: 1000, Users: cachedUsers})
	if err != nil {
		return err
	}
	defer engine.end()
	same := questions(&engine.hello, cachedUsers, "")
	if err := warm(engine.hello.Listen, same); err != nil {
		return err
	}
	floor, err := floorOf(engine, same)
	if err != nil {
		return err
	}
	defer floor.end()
	t := r.table("Latency at a constant rate", "1,000 promotions, cached users, 32 connections, open loop; the load is made on the same two cores.",
		"asked req/s", "side", "answered req/s", "p50", "p99", "p99.9", "cpu")
	sides := []side{{"fasthttp, a constant", floor, floor.hello.Listen, same}, {"engine", engine, engine.hello.Listen, same}}
	var p50, p99, floor99 line
	for _, rate := range []float64{500, 1000, 2000, 5000, 10_000, 20_000} {
		got := make([][]*sample, len(sides))
		for range min(3, p.rounds) {
			for i, s := range sides {
				one, err := open(s.child, s.addr, s.requests, 32, rate, p.span)
				if err != nil {
					return err
				}
				got[i] = append(got[i], one)
			}
		}
		for i, s := range sides {
			t.row(rate, s.name, rateOf(got[i]), latencyOf(got[i], 0.5), latencyOf(got[i], 0.99), latencyOf(got[i], 0.999), cpuOf(got[i]))
		}
		millis := func(s []*sample, share float64) float64 {
			return over(s, func(s *sample) float64 { return s.at(share).Seconds() * 1e3 }, nil).median
		}
		p50.add(rate, millis(got[1], 0.5))
		p99.add(rate, millis(got[1], 0.99))
		floor99.add(rate, millis(got[0], 0.99))
	}
	r.plot("latency.svg", plot{
		title: "Latency at a constant rate of requests", x: "requests a second", y: "milliseconds", logX: true, fromZero: true,
		lines: []line{p50.named("p50"), p99.named("p99"), floor99.named("p99 of fasthttp, a constant")},
	})
	return nil
}

// measureMemory compares heaps.
func measureMemory(p plan, r *report) error {
	large := min(10_000, p.sizes[len(p.sizes)-1])
	few, err := spawn("engine", world{Rules: 10, Users: 1})
	if err != nil {
		return err
	}
	few.end()
	many, err := spawn("engine", world{Rules: large, Users: 1})
	if err != nil {
		return err
	}
	many.end()
	users := 20_000
	if p.quick {
		users = 1000
	}
	crowd, err := spawn("engine", world{Rules: 10, Users: users})
	if err != nil {
		return err
	}
	defer crowd.end()
	if err := warm(crowd.hello.Listen, questions(&crowd.hello, users, "")); err != nil {
		return err
	}
	var full reply
	if err := crowd.tell(command{Memory: true}, &full); err != nil {
		return err
	}
	t := r.table("Memory and start", "Heap in use after a collection.", "what", "figure")
	t.row(fmt.Sprintf("a promotion, of %d: rule, content and all", large), fmt.Sprintf("%d bytes", (int64(many.hello.Heap)-int64(few.hello.Heap))/int64(max(1, large-10))))
	user := (int64(full.Heap) - int64(crowd.hello.Heap)) / int64(users)
	r.goal(goalUser, "heap for each cached user, 40 attributes, 50 events, one kept answer", "≤ 1,500 bytes", user <= 1500, "%d bytes", user)
	if large == 10_000 {
		r.goal(goalStart, "ready with 10,000 promotions", "≤ 1.5 s", many.hello.Took <= 1500*time.Millisecond, "%s", short(many.hello.Took))
	}
	t.row(fmt.Sprintf("a cached user with 40 attributes and 50 events, of %d, one kept answer included", users), fmt.Sprintf("%d bytes", user))
	t.row(fmt.Sprintf("ready with %d promotions", large), many.hello.Took.Round(time.Millisecond))
	t.row("ready with 10 promotions", few.hello.Took.Round(time.Millisecond))
	return nil
}

func machine() string {
	model := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	kernel, _ := exec.Command("uname", "-sr").Output()
	load, _ := os.ReadFile("/proc/loadavg")
	return fmt.Sprintf("%s, %d cores, %s, %s, load before %s", model, runtime.NumCPU(), strings.TrimSpace(string(kernel)), runtime.Version(),
		strings.Join(strings.Fields(string(load))[:3], " "))
}
