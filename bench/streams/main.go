// Command streams measures what many open live streams cost one replica: memory for each, and how long it takes from a write that turns a
// user's answer until the user's client is told, with all of them open. The replica is a process of its own, since either side needs a
// file descriptor for each stream.
//
//	go run ./bench/streams -n 10000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"
)

// role makes a child of the process a replica.
const role = "BENCH_STREAMS_REPLICA"

// plan is what is run.
type plan struct {
	streams, flips int
	pause          time.Duration
}

func main() {
	var p plan
	flag.IntVar(&p.streams, "n", 10_000, "open streams, one for each user; the limit of open files (ulimit -n) must be some hundred higher")
	flag.IntVar(&p.flips, "flips", 1000, "writes that turn the answer of a user")
	flag.DurationVar(&p.pause, "pause", 5*time.Millisecond, "pause between two of them")
	flag.Parse()
	work := func() error { return measure(context.Background(), p) }
	if os.Getenv(role) != "" {
		work = func() error { return serve(context.Background()) }
	}
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, p plan) (err error) {
	r, err := spawn()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.end()) }()
	if err := r.prepare(); err != nil {
		return err
	}
	before, err := r.memory()
	if err != nil {
		return err
	}
	began := time.Now()
	all, err := r.open(ctx, p.streams)
	if err != nil {
		return err
	}
	defer all.close()
	took := time.Since(began)
	after, err := r.memory()
	if err != nil {
		return err
	}
	fmt.Printf("%d streams open after %.1f s\n", p.streams, took.Seconds())
	each := func(b, a uint64) int64 { return (int64(a) - int64(b)) / int64(p.streams) }
	fmt.Printf("each takes %d bytes of heap and stacks, %d bytes of resident memory (goal: below 20480)\n",
		each(before.Used, after.Used), each(before.Resident, after.Resident))
	toldFromCall, toldFromAnswer, err := r.flip(all, p)
	if err != nil {
		return err
	}
	fmt.Printf("%d flips, one every %v at least, with all streams open (goal: p99 within 50 ms)\n", p.flips, p.pause)
	report("from the call that writes to the notice", toldFromCall)
	report("from its answer to the notice", toldFromAnswer)
	return nil
}

func report(what string, took []time.Duration) {
	slices.Sort(took)
	at := func(share float64) time.Duration {
		return took[min(int(share*float64(len(took))), len(took)-1)].Round(10 * time.Microsecond)
	}
	fmt.Printf("%-40s p50 %v, p90 %v, p99 %v, p99.9 %v, max %v\n", what, at(0.5), at(0.9), at(0.99), at(0.999), at(1))
}
