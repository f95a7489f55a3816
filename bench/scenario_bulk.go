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
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The load of apps that a stream must not slow down.
const (
	appConns = 4
	appRate  = 1000.0 // requests a second
)

// measureBulk streams users through the bulk plane, beside single requests and while apps ask.
func measureBulk(p plan, r *report) error {
	return errors.Join(measureBatches(p, r), measureInterference(p, r))
}

// measureBatches compares a stream of users with a loop of one request for each of them, for cached users and for those that have to be read from either store.
func measureBatches(p plan, r *report) error {
	users := 10_000
	if p.quick {
		users = 1500
	}
	t := r.table("A stream of users beside a loop of requests", fmt.Sprintf("1,000 promotions. The loop is one connection that sends `POST /v1/precheck` for one user after the other; the stream is `POST /v1/precheck` of the bulk plane with "+
		"%d lines. cpu is processor time of the engine for each user, so that 1 ÷ cpu is users a second and core; PostgreSQL, which stands in for CockroachDB, has its own.", users),
		"users", "loop users/s", "stream users/s", "stream ÷ loop", "loop cpu", "stream cpu", "loop cpu ÷ stream cpu")
	for _, w := range []struct {
		name  string
		told  world
		users int
	}{
		{"cached", world{Rules: 1000, Users: cachedUsers}, cachedUsers},
		{"read from the embedded store", world{Rules: 1000, Users: users}, users},
		{"read from PostgreSQL", world{Rules: 1000, Users: users, SQL: true}, users},
	} {
		if err := measureBatch(p, t, w.name, w.told, w.users, users); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return nil
}

func measureBatch(p plan, t *table, name string, told world, distinct, lines int) error {
	engine, err := spawn("engine", told)
	if errors.Is(err, errNoSQL) {
		t.row(name, "PostgreSQL is not installed")
		return nil
	}
	if err != nil {
		return err
	}
	defer engine.end()
	single := make([][]byte, distinct)
	for i := range single {
		single[i] = request("/v1/precheck", engine.hello.Key, fmt.Sprintf(`{"promotion":"promo-000000","channel":"embedded","userIds":["user-%06d"]}`, i))
	}
	if distinct == cachedUsers {
		if err := warm(engine.hello.Listen, questions(&engine.hello, distinct, "")); err != nil {
			return err
		}
	}
	body := bytes.Repeat(userLines(distinct), (lines+distinct-1)/distinct)
	var loops, streams []*sample
	for range p.rounds {
		loop, err := closed(engine, engine.hello.Listen, single, 1, p.span)
		if err != nil {
			return err
		}
		before, err := engine.cpu()
		if err != nil {
			return err
		}
		began, answered := time.Now(), 0
		for time.Since(began) < p.span {
			n, err := streamUsers(context.Background(), engine, body)
			if err != nil {
				return err
			}
			answered += n
		}
		took := time.Since(began)
		after, err := engine.cpu()
		if err != nil {
			return err
		}
		loops, streams = append(loops, loop), append(streams, &sample{rate: float64(answered) / took.Seconds(), cpu: (after - before) / time.Duration(answered)})
	}
	rates := ratios(streams, loops, func(s *sample) float64 { return s.rate })
	cpu := ratios(loops, streams, func(s *sample) float64 { return float64(max(1, s.cpu)) })
	t.row(name, rateOf(loops), rateOf(streams), rates, cpuOf(loops), cpuOf(streams), cpu)
	return nil
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
	sides := []beside{
		{"nothing", func(context.Context) error { return nil }},
		{"a stream without end", streaming},
		{"a process that takes as much of a processor", func(ctx context.Context) error { return burn(ctx, burning{Share: share}) }},
		{"the same at the lowest priority", func(ctx context.Context) error { return burn(ctx, burning{Share: share, Nice: true}) }},
	}
	got := make([][]*sample, len(sides))
	var shares, rates []float64
	span := p.span / 4 // many short rounds: neighbours on the machine disturb some, and not the median
	for range 4 * p.rounds {
		var used [2]time.Duration
		for i, s := range sides {
			before, err := engine.cpu()
			if err != nil {
				return err
			}
			answered.Store(0)
			one, err := whileRunning(s.run, func() (*sample, error) { return open(engine, engine.hello.Listen, hot, appConns, appRate, span) })
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
				share = max(0.01, (used[1]-used[0]).Seconds()/span.Seconds())
				shares, rates = append(shares, 100*share), append(rates, float64(answered.Load())/span.Seconds())
			}
		}
	}
	t := r.table("Apps while a stream runs", fmt.Sprintf("%.0f requests a second for cached users, open loop, %d connections; the load is made on the same two cores. The last two rows are a process that has nothing to do with "+
		"the engine and burns what the stream took: what this machine makes apps pay for that alone.", appRate, appConns), "beside them", "p50", "p99", "p99 ÷ without", "p99.9", "of a processor", "users/s")
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

// burning is what such a process is told.
type burning struct {
	Share float64 // of one processor
	Nice  bool    // at the lowest priority
}

// burn has a process of its own take a share of one processor until ctx ends.
func burn(ctx context.Context, told burning) error {
	hog, err := spawn("hog", told)
	if err != nil {
		return err
	}
	<-ctx.Done()
	hog.end()
	return nil
}

// hog is that process. Its parent ends it by closing its input.
func hog(in *json.Decoder) error {
	var told burning
	if err := in.Decode(&told); err != nil {
		return err
	}
	runtime.LockOSThread() // the priority is a thread's
	if told.Nice {
		if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, 19); err != nil {
			return err
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(hello{}); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is closed
	}()
	tick := time.NewTicker(burnPeriod)
	defer tick.Stop()
	for {
		for began := time.Now(); time.Since(began).Seconds() < told.Share*burnPeriod.Seconds(); {
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
