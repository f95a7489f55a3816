package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// The load of apps that a stream must not slow down.
const (
	appConns = 4
	appRate  = 1000.0 // requests a second
)

// measureBulk streams users through the bulk plane, beside single requests and while apps ask.
func measureBulk(p plan, r *report) error {
	return measureInterference(p, r)
}

// beside is something that goes on while apps ask. It runs until ctx ends and reports what it did.
type beside struct {
	name string
	run  func(ctx context.Context) error
}

// measureInterference is what a stream without end costs apps, beside what a process of its own that takes as much of the processor costs them.
func measureInterference(p plan, r *report) error {
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
	lines := userLines(users)
	var answered atomic.Int64
	streaming := func(ctx context.Context) error {
		for ctx.Err() == nil {
			n, err := streamUsers(ctx, engine, lines)
			answered.Add(int64(n))
			if err != nil && ctx.Err() == nil {
				return err
			}
		}
		return nil
	}
	share := 0.0 // of one processor, that the stream took in this round
	burning := func(ctx context.Context) error { return burn(ctx, share) }
	sides := []beside{{"nothing", func(context.Context) error { return nil }}, {"a stream without end", streaming}, {"a process that takes as much of the processor", burning}}
	got := make([][]*sample, len(sides))
	var shares, rates []float64
	for range p.rounds {
		var used [2]time.Duration
		for i, s := range sides {
			before, err := engine.cpu()
			if err != nil {
				return err
			}
			answered.Store(0)
			one, err := whileRunning(s.run, func() (*sample, error) { return open(engine, engine.hello.Listen, hot, appConns, appRate, 2*p.span) })
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			after, err := engine.cpu()
			if err != nil {
				return err
			}
			if got[i] = append(got[i], one); i < len(used) {
				used[i] = after - before
			}
			if i == 1 {
				share = max(0.01, (used[1] - used[0]).Seconds()/(2*p.span).Seconds())
				shares, rates = append(shares, 100*share), append(rates, float64(answered.Load())/(2*p.span).Seconds())
			}
		}
	}
	t := r.table("Apps while a stream runs", fmt.Sprintf("%.0f requests a second for cached users, open loop, %d connections; the load is made on the same two cores. The last row is a process that has nothing to do with "+
		"the engine and burns what the stream took: less cannot be had on this machine.", appRate, appConns), "beside them", "p50", "p99", "p99 ÷ without", "p99.9", "of a processor", "users/s")
	for i, s := range sides {
		p99 := func(s *sample) float64 { return float64(s.at(0.99)) }
		took, rate := "", ""
		if i > 0 {
			took = spreadOf(shares, func(v float64) string { return fmt.Sprintf("%.0f %%", v) }).String()
		}
		if i == 1 {
			rate = spreadOf(rates, func(v float64) string { return fmt.Sprintf("%.0f", v) }).String()
		}
		t.row(s.name, latencyOf(got[i], 0.5), latencyOf(got[i], 0.99), ratios(got[i], got[0], p99), latencyOf(got[i], 0.999), took, rate)
	}
	return nil
}

// whileRunning measures while something else goes on, and ends it.
func whileRunning(other func(context.Context) error, measure func() (*sample, error)) (*sample, error) {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	var fault error
	group.Go(func() { fault = other(ctx) })
	one, err := measure()
	cancel()
	group.Wait()
	return one, errors.Join(err, fault)
}

// burnPeriod is that of a process that burns: a share of it is spent, the rest slept.
const burnPeriod = 10 * time.Millisecond

// burn has a process of its own take a share of one processor until ctx ends.
func burn(ctx context.Context, share float64) error {
	hog, err := spawn("hog", share)
	if err != nil {
		return err
	}
	<-ctx.Done()
	hog.end()
	return nil
}

// hog is that process. Its parent ends it by closing its input.
func hog(in *json.Decoder) error {
	var share float64
	if err := in.Decode(&share); err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(hello{}); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, in.Buffered())
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is closed
	}()
	tick := time.NewTicker(burnPeriod)
	defer tick.Stop()
	for {
		for began := time.Now(); time.Since(began).Seconds() < share*burnPeriod.Seconds(); {
		}
		select {
		case <-ended:
			return nil
		case <-tick.C:
		}
	}
}

// userLines is all users as the body of a stream.
func userLines(users int) []byte {
	var lines bytes.Buffer
	for i := range users {
		fmt.Fprintf(&lines, "{\"userId\":\"user-%06d\"}\n", i)
	}
	return lines.Bytes()
}

// streamUsers sends the lines through the bulk plane and returns how many were answered.
func streamUsers(ctx context.Context, engine *child, lines []byte) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+engine.hello.Bulk+"/v1/precheck?promotion=promo-000000&channel=embedded", bytes.NewReader(lines))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Api-Key", engine.hello.Key)
	req.Header.Set("Content-Type", "application/x-ndjson")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	answered, buffer := 0, make([]byte, 64<<10)
	for {
		n, err := res.Body.Read(buffer)
		answered += bytes.Count(buffer[:n], []byte("\n"))
		if err == io.EOF {
			break
		}
		if err != nil {
			return answered, err
		}
	}
	if want := bytes.Count(lines, []byte("\n")) + 1; res.StatusCode != http.StatusOK || answered != want {
		return answered, fmt.Errorf("stream: %d, %d lines, want %d", res.StatusCode, answered, want)
	}
	return answered - 1, nil
}
