// Command publish measures what publishing costs those who ask for decisions: the latency of decisions with a publish every so often beside that without,
// in alternating spans of one run, so that both sides see the same machine. It starts a replica in its own process and drives it through its listeners.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime/pprof"
	"strings"
	"time"

	"eligibility/internal/app"
)

// plan is what is run.
type plan struct {
	promotions, users, rounds, rate, conns int
	span, every                            time.Duration
	profile                                string
}

func main() {
	var p plan
	flag.IntVar(&p.promotions, "promotions", 1000, "live promotions")
	flag.IntVar(&p.users, "users", 500, "users that are asked about, all of them cached")
	flag.IntVar(&p.rounds, "rounds", 8, "pairs of spans, one without and one with publishes")
	flag.IntVar(&p.rate, "rate", 1000, "decisions a second, sent on schedule whatever became of the ones before")
	flag.IntVar(&p.conns, "conns", 4, "connections")
	flag.DurationVar(&p.span, "span", 2*time.Second, "length of a span")
	flag.DurationVar(&p.every, "every", 100*time.Millisecond, "pause between publishes")
	flag.StringVar(&p.profile, "profile", "", "file for a CPU profile of both sides")
	flag.Parse()
	if err := run(context.Background(), p); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, p plan) (err error) {
	dir, err := os.MkdirTemp("", "bench-publish-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cfg := app.Defaults()
	cfg.Listen, cfg.AdminListen, cfg.OpsListen, cfg.DataDir = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", dir
	replica, err := app.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := replica.Stop(ctx); err == nil {
			err = stopErr
		}
	}()
	if err := replica.Start(ctx); err != nil {
		return err
	}
	s, err := newShop(replica, dir+"/root.key")
	if err != nil {
		return err
	}
	fmt.Printf("load before: %s\n", load())
	if err := s.fill(p); err != nil {
		return err
	}
	return compare(ctx, s, p)
}

// compare alternates spans and prints both sides.
func compare(ctx context.Context, s *shop, p plan) error {
	if _, _, err := s.measure(ctx, p, false); err != nil { // warm
		return err
	}
	var without, with latencies
	var publishes latencies
	if p.profile != "" {
		file, err := os.Create(p.profile)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	for range p.rounds {
		quiet, _, err := s.measure(ctx, p, false)
		if err != nil {
			return err
		}
		busy, published, err := s.measure(ctx, p, true)
		if err != nil {
			return err
		}
		without, with, publishes = append(without, quiet...), append(with, busy...), append(publishes, published...)
	}
	fmt.Printf("%d live promotions, %d decisions/s on %d connections, %d pairs of %v\n", p.promotions, p.rate, p.conns, p.rounds, p.span)
	fmt.Printf("decisions without publishes:      %v\n", without.summary())
	fmt.Printf("decisions, a publish every %v: %v\n", p.every, with.summary())
	fmt.Printf("publish until applied:            %v\n", publishes.summary())
	fmt.Printf("p99 with ÷ without: %.2f\n", float64(with.at(0.99))/float64(without.at(0.99)))
	fmt.Printf("load after: %s\n", load())
	return nil
}

// load is the machine's load averages: figures without them mean little.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}
