// Command bench measures the engine side by side with what bounds it: a server that answers the same bytes and thinks about nothing. Every figure of a scenario
// is taken in interleaved rounds of one run, so that both sides see the same machine, and reported as median and spread.
//
//	go run ./bench                     all scenarios, about twenty minutes, results in bench/results
//	go run ./bench -quick              the same in one minute, good for finding out whether it runs
//	go run ./bench -only hit,miss      some of them
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// plan is what is run.
type plan struct {
	scenarios string
	rounds    int
	span      time.Duration // of one side in one round
	conns     int
	sizes     []int // live promotions
	out       string
	profile   string
	quick     bool
}

func main() {
	if role := os.Getenv(roleVariable); role != "" {
		if err := play(role); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", role, err)
			os.Exit(1)
		}
		return
	}
	p := plan{sizes: []int{10, 100, 1000, 10_000, 100_000}}
	flag.StringVar(&p.scenarios, "only", "", "the same as -scenarios")
	flag.StringVar(&p.scenarios, "scenarios", "", "which, separated by commas: "+strings.Join(scenarioNames(), ", "))
	flag.IntVar(&p.rounds, "rounds", 7, "interleaved rounds")
	flag.DurationVar(&p.span, "span", 2*time.Second, "time of one side in one round")
	flag.IntVar(&p.conns, "conns", 16, "connections of a closed loop")
	flag.StringVar(&p.out, "out", "bench/results", "folder for the results")
	flag.StringVar(&p.profile, "profile", "", "folder that keeps the profiles of requests for cached users")
	flag.BoolVar(&p.quick, "quick", false, "little of everything")
	flag.Func("promotions", "live promotions, separated by commas (default 10,100,1000,10000,100000)", p.setSizes)
	flag.Parse()
	if p.quick {
		p.rounds, p.span, p.sizes = 3, 300*time.Millisecond, []int{10, 1000} // whatever else was asked for
	}
	if err := run(p); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (p *plan) setSizes(text string) error {
	p.sizes = nil
	for field := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || n < 1 {
			return fmt.Errorf("%q is no number of promotions", field)
		}
		p.sizes = append(p.sizes, n)
	}
	return nil
}

// scenario is one question that is measured.
type scenario struct {
	name string
	run  func(p plan, r *report) error
}

func scenarios() []scenario {
	return []scenario{
		{"hit", measureHits},
		{"connections", measureConnections},
		{"sdk", measureSDK},
		{"miss", measureMisses},
		{"cold", measureCold},
		{"session", measureSessions},
		{"edge", measureEdge},
		{"publish", measurePublishing},
		{"open", measureOpenLoop},
		{"bulk", measureBulk},
		{"engine", measureEngine},
		{"memory", measureMemory},
		{"peers", measurePeers},
	}
}

func scenarioNames() (names []string) {
	for _, s := range scenarios() {
		names = append(names, s.name)
	}
	return names
}

func run(p plan) error {
	wanted := strings.FieldsFunc(p.scenarios, func(r rune) bool { return r == ',' })
	for _, name := range wanted {
		if !slices.Contains(scenarioNames(), name) {
			return fmt.Errorf("there is no scenario %q: use %s", name, strings.Join(scenarioNames(), ", "))
		}
	}
	r := newReport(p)
	var faults []error
	for _, s := range scenarios() {
		if len(wanted) > 0 && !slices.Contains(wanted, s.name) {
			continue
		}
		began := time.Now()
		fmt.Fprintf(os.Stderr, "%s …\n", s.name)
		if err := s.run(p, r); err != nil { // the others are not lost for that
			faults = append(faults, fmt.Errorf("%s: %w", s.name, err))
			r.text("What failed: "+s.name, "This part of the run ended in an error, and the page lacks its figures.\n")
			fmt.Fprintln(os.Stderr, "bench:", faults[len(faults)-1])
		}
		fmt.Fprintf(os.Stderr, "%s took %v\n", s.name, time.Since(began).Round(time.Second))
	}
	file, err := r.write(p.out)
	if err != nil {
		return err
	}
	fmt.Println(filepath.ToSlash(file))
	return errors.Join(faults...)
}
