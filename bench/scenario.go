package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
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

// measureHits compares requests for cached users with the floors.
func measureHits(p plan, r *report) error {
	t := r.table("Requests for cached users", "Share is our answers a second ÷ those of fasthttp with the same bytes in and out; cpu is processor time of the server for each answer.",
		"promotions", "side", "req/s", "share", "cpu", "cpu ÷ floor", "p99")
	var reused, computed line
	for _, n := range p.sizes {
		engine, err := spawn("engine", world{Rules: n, Users: cachedUsers})
		if err != nil {
			return err
		}
		same, different := questions(&engine.hello, cachedUsers, ""), unlike(&engine.hello, 1<<14)
		if err := warm(engine.hello.Listen, same); err != nil {
			engine.end()
			return err
		}
		_, header, body, err := once(engine.hello.Listen, same[0])
		if err != nil {
			engine.end()
			return err
		}
		answer := fixed{Header: header, Body: body}
		floor, err := spawn("fasthttp", answer)
		if err != nil {
			engine.end()
			return err
		}
		plain, err := spawn("nethttp", answer)
		if err != nil {
			engine.end()
			floor.end()
			return err
		}
		sides := []side{
			{"fasthttp, a constant", floor, floor.hello.Listen, same},
			{"net/http, a constant", plain, plain.hello.Listen, same},
			{"engine, answers reused", engine, engine.hello.Listen, same},
			{"fasthttp, a constant, longer requests", floor, floor.hello.Listen, different},
			{"engine, each answer computed", engine, engine.hello.Listen, different},
		}
		got, err := interleave(p, sides)
		if err == nil && n == p.sizes[len(p.sizes)-1] {
			err = r.profile(engine, same, different, p)
		}
		engine.end()
		floor.end()
		plain.end()
		if err != nil {
			return err
		}
		for i, s := range sides {
			base := got[0]
			if i >= 3 {
				base = got[3]
			}
			share := ratios(got[i], base, func(s *sample) float64 { return s.rate })
			cpu := ratios(got[i], base, func(s *sample) float64 { return float64(s.cpu) })
			t.row(n, s.name, rateOf(got[i]), share, cpuOf(got[i]), cpu, latencyOf(got[i], 0.99))
			switch i {
			case 2:
				reused.add(float64(n), share.median)
			case 4:
				computed.add(float64(n), share.median)
			}
		}
	}
	r.plot("share.svg", plot{
		title: "Share of the floor kept, by live promotions", x: "live promotions", y: "share of fasthttp's answers a second", logX: true, fromZero: true,
		lines: []line{reused.named("answers reused"), computed.named("each answer computed")},
	})
	return nil
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
	t := r.table("Publishing under load", "1,000 requests a second, open loop. Each publication is a rule that was never compiled; applied is from its durable acknowledgement until the replica decides by it.",
		"promotions", "publications a second, asked", "done", "readers' p50", "readers' p99", "p99 ÷ without", "applied p50", "applied p99")
	for _, n := range p.sizes {
		if n < 1000 {
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
		got, applied := make([][]*sample, len(rates)), make([][]time.Duration, len(rates))
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
				got[i], applied[i] = append(got[i], one), append(applied[i], told.Applied...)
			}
		}
		engine.end()
		for i, rate := range rates {
			p99 := func(s *sample) float64 { return float64(s.at(0.99)) }
			done := float64(len(applied[i])) / (time.Duration(p.rounds) * p.span).Seconds()
			t.row(n, rate, math.Round(done), latencyOf(got[i], 0.5), latencyOf(got[i], 0.99), ratios(got[i], got[0], p99), percentile(applied[i], 0.5), percentile(applied[i], 0.99))
		}
	}
	return nil
}

// measureOpenLoop shows latency over load: what callers wait at rates below and near what the server can do.
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
	t := r.table("Latency at a constant rate", "1,000 promotions, cached users, 32 connections; the load is made on the same two cores.", "asked req/s", "answered req/s", "p50", "p99", "p99.9")
	var p50, p99 line
	for _, rate := range []float64{500, 1000, 2000, 5000, 10_000, 20_000} {
		s, err := open(engine, engine.hello.Listen, same, 32, rate, 2*p.span)
		if err != nil {
			return err
		}
		t.row(rate, math.Round(s.rate), s.at(0.5), s.at(0.99), s.at(0.999))
		p50.add(rate, s.at(0.5).Seconds()*1e3)
		p99.add(rate, s.at(0.99).Seconds()*1e3)
	}
	r.plot("latency.svg", plot{
		title: "Latency at a constant rate of requests", x: "requests a second", y: "milliseconds", logX: true, fromZero: true,
		lines: []line{p50.named("p50"), p99.named("p99")},
	})
	return nil
}

// measureEngine runs the micro-benchmarks of the engine, which stand beside their code.
func measureEngine(p plan, r *report) error {
	args := []string{"test", "-run", "^$", "-bench", "BenchmarkDecide$|BenchmarkPublish|BenchmarkStart|BenchmarkInterpret|BenchmarkLoad$|BenchmarkBareRead", "-benchmem", "-timeout", "15m"}
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
	r.text("The engine without a network", "`go test -bench` of `internal/engine`, `internal/rules` and `internal/store/embedded`; `BenchmarkBareRead` is the bytes of one user from Pebble and nothing else:\n\n```\n"+strings.Join(kept, "\n")+"\n```\n")
	return nil
}

// measureMemory compares heaps.
func measureMemory(p plan, r *report) error {
	large := p.sizes[len(p.sizes)-1]
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
	t.row(fmt.Sprintf("a cached user with 40 attributes and 50 events, of %d, one kept answer included", users), fmt.Sprintf("%d bytes", (int64(full.Heap)-int64(crowd.hello.Heap))/int64(users)))
	t.row(fmt.Sprintf("ready with %d promotions", large), many.hello.Took.Round(time.Millisecond))
	t.row("ready with 10 promotions", few.hello.Took.Round(time.Millisecond))
	return nil
}

// measureBulk streams users through the bulk plane, beside single requests and while apps ask.
func measureBulk(p plan, r *report) error {
	users := 20_000
	if p.quick {
		users = 3000
	}
	engine, err := spawn("engine", world{Rules: 1000, Users: users})
	if err != nil {
		return err
	}
	defer engine.end()
	hot := questions(&engine.hello, cachedUsers, "")
	if err := warm(engine.hello.Listen, hot); err != nil {
		return err
	}
	single := make([][]byte, users)
	for i := range single {
		single[i] = request("/v1/precheck", engine.hello.Key, fmt.Sprintf(`{"promotion":"promo-000000","channel":"embedded","userIds":["user-%06d"]}`, i))
	}
	loop, err := closed(engine, engine.hello.Listen, single, 1, p.span)
	if err != nil {
		return err
	}
	cold, err := stream(engine, users)
	if err != nil {
		return err
	}
	without, err := open(engine, engine.hello.Listen, hot, 4, 1000, 2*p.span)
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	var group sync.WaitGroup
	var fault error
	group.Go(func() {
		for fault == nil {
			select {
			case <-stop:
				return
			default:
				_, fault = stream(engine, users)
			}
		}
	})
	with, err := open(engine, engine.hello.Listen, hot, 4, 1000, 2*p.span)
	close(stop)
	group.Wait()
	if err != nil || fault != nil {
		return errors.Join(err, fault)
	}
	t := r.table("Pre-checks", "Users that are not cached, embedded store; the load is made on the same two cores.", "what", "figure")
	t.row("one request for each user, one connection", fmt.Sprintf("%.0f users/s", loop.rate))
	t.row("a stream of users", fmt.Sprintf("%.0f users/s", cold))
	t.row("stream ÷ requests", fmt.Sprintf("%.1f", cold/loop.rate))
	t.row("apps' p99 at 1,000 requests a second", without.at(0.99).Round(time.Microsecond))
	t.row("the same while a stream runs without end", with.at(0.99).Round(time.Microsecond))
	t.row("with ÷ without", fmt.Sprintf("%.2f", float64(with.at(0.99))/float64(without.at(0.99))))
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
