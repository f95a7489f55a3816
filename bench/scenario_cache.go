package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// metric reads a counter of the engine, summed over its labels.
func (c *child) metric(name string) (float64, error) {
	res, err := http.Get("http://" + c.hello.Ops + "/metrics")
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for line := range strings.Lines(string(page)) {
		rest, ours := strings.CutPrefix(line, name)
		if !ours || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		n, err := strconv.ParseFloat(strings.Fields(rest[strings.IndexByte(rest, ' '):])[0], 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// measureCold asks for one user who is not cached on a thousand connections at once, and counts the reads of the store.
func measureCold(p plan, r *report) error {
	crowd := 1000
	if p.quick {
		crowd = 100
	}
	engine, err := spawn("engine", world{Rules: min(1000, p.sizes[len(p.sizes)-1]), Users: p.rounds})
	if err != nil {
		return err
	}
	defer engine.end()
	t := r.table("One user who is not cached, asked for at once", fmt.Sprintf("%d connections, each with one request for the same user, sent together.", crowd),
		"round", "reads of the store", "answers", "p50", "slowest")
	most := 0.0
	for round, ask := range questions(&engine.hello, p.rounds, "") {
		before, err := engine.metric("eligibility_cache_loads_total")
		if err != nil {
			return err
		}
		took, err := together(engine.hello.Listen, ask, crowd)
		if err != nil {
			return err
		}
		after, err := engine.metric("eligibility_cache_loads_total")
		if err != nil {
			return err
		}
		most = max(most, after-before)
		t.row(round+1, after-before, crowd, percentile(took, 0.5), percentile(took, 1))
	}
	r.goal(goalCold, fmt.Sprintf("%d requests for one cold user at once, reads of the store", crowd), "1", most == 1, "at most %.0f in %d rounds", most, p.rounds)
	return nil
}

// together sends the request once on each of n connections that were made before.
func together(addr string, request []byte, n int) ([]time.Duration, error) {
	conns := make([]net.Conn, 0, n)
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	for range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return nil, err
		}
		conns = append(conns, c)
	}
	took, faults, start := make([]time.Duration, n), make([]error, n), make(chan struct{})
	var group sync.WaitGroup
	for i, c := range conns {
		group.Go(func() {
			in := bufio.NewReader(c)
			<-start
			began := time.Now()
			status, _, body, err := exchange(c, in, request, true)
			if took[i] = time.Since(began); err != nil || status != http.StatusOK {
				faults[i] = errors.Join(fmt.Errorf("status %d %s", status, body), err)
			}
		})
	}
	close(start)
	group.Wait()
	return took, errors.Join(faults...)
}

// measureSessions plays what apps do: a sync, an impression of what it showed, and two syncs more, of which the first finds that the user has changed.
func measureSessions(p plan, r *report) error {
	engine, err := spawn("engine", world{Rules: min(1000, p.sizes[len(p.sizes)-1]), Users: cachedUsers})
	if err != nil {
		return err
	}
	defer engine.end()
	syncs := questions(&engine.hello, cachedUsers, "")
	if err := warm(engine.hello.Listen, syncs); err != nil {
		return err
	}
	var mixed [][]byte
	for i, sync := range syncs {
		_, _, body, err := once(engine.hello.Listen, sync)
		if err != nil {
			return err
		}
		_, rest, shown := bytes.Cut(body, []byte(`"messageId":"`))
		if !shown {
			continue // nothing is shown to this user
		}
		message, _, _ := bytes.Cut(rest, []byte(`"`))
		impression := request("/v1/engagement", engine.hello.Key, fmt.Sprintf(`{"userId":"user-%06d","messageId":"%s","kind":"impression"}`, i, message))
		mixed = append(mixed, sync, impression, sync, sync)
	}
	sides := []struct {
		name     string
		requests [][]byte
	}{{"syncs alone", syncs}, {"a sync, an impression, two syncs", mixed}}
	got, hits := make([][]*sample, len(sides)), make([][]float64, len(sides))
	for range p.rounds {
		for i, s := range sides {
			share, one, err := hitRatio(engine, func() (*sample, error) {
				return closed(engine, engine.hello.Listen, s.requests, p.conns, p.span)
			})
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			got[i], hits[i] = append(got[i], one), append(hits[i], share)
		}
	}
	t := r.table("Sessions of apps", "Impressions are stored durably before they are answered, and end what was cached of the user. The hit ratio is that of the cache, over reads of users.",
		"side", "req/s", "hit ratio", "p50", "p99", "cpu")
	for i, s := range sides {
		ratio := spreadOf(hits[i], func(v float64) string { return fmt.Sprintf("%.3f", v) })
		t.row(s.name, rateOf(got[i]), ratio, latencyOf(got[i], 0.5), latencyOf(got[i], 0.99), cpuOf(got[i]))
	}
	return nil
}

// hitRatio is the share of reads that the cache answered while work ran.
func hitRatio(engine *child, work func() (*sample, error)) (float64, *sample, error) {
	var counted [2][2]float64
	var s *sample
	for i := range counted {
		if i == 1 {
			var err error
			if s, err = work(); err != nil {
				return 0, nil, err
			}
		}
		for j, name := range []string{"eligibility_cache_hits_total", "eligibility_cache_misses_total"} {
			var err error
			if counted[i][j], err = engine.metric(name); err != nil {
				return 0, nil, err
			}
		}
	}
	hits, misses := counted[1][0]-counted[0][0], counted[1][1]-counted[0][1]
	return hits / max(1, hits+misses), s, nil
}

// measureEdge asks at a constant rate while the answers of all cached users end at one instant, because a promotion for everybody begins.
func measureEdge(p plan, r *report) error {
	users, rate := 100_000, 2000.0
	if p.quick {
		users, rate = 500, 500
	}
	engine, err := spawn("engine", world{Rules: min(1000, p.sizes[len(p.sizes)-1]), Users: users, CacheBytes: 2 << 30})
	if err != nil {
		return err
	}
	defer engine.end()
	asks := questions(&engine.hello, users, "")
	began := time.Now()
	if err := warmAll(engine, asks, p.conns); err != nil {
		return err
	}
	warmed := time.Since(began)
	names := []string{"before it", "from that instant on", "after that"}
	got := make([][]*sample, len(names))
	span := min(time.Second, p.span)
	for range min(p.rounds, 3) {
		at := time.Now().Add(2*warmed + 2*span).Truncate(time.Millisecond)
		if err := engine.tell(command{Edge: at}, &reply{}); err != nil {
			return err
		}
		if err := warmAll(engine, asks, p.conns); err != nil {
			return err
		}
		if left := time.Until(at) - span; left > 0 {
			time.Sleep(left)
		}
		for i := range names {
			one, err := open(engine, engine.hello.Listen, asks, 16, rate, span)
			if err != nil {
				return err
			}
			got[i] = append(got[i], one)
		}
	}
	t := r.table("A promotion begins for everybody at once", fmt.Sprintf("%d cached users whose kept answers all end at one instant; %.0f requests a second, open loop, 16 connections, %v a row.", users, rate, span),
		"when", "answered req/s", "p50", "p99", "p99 ÷ before", "slowest", "cpu")
	for i, name := range names {
		p99 := func(s *sample) float64 { return float64(s.at(0.99)) }
		t.row(name, math.Round(got[i][0].rate), latencyOf(got[i], 0.5), latencyOf(got[i], 0.99), ratios(got[i], got[0], p99), latencyOf(got[i], 1), cpuOf(got[i]))
	}
	return nil
}

// warmAll asks every request once, on several connections.
func warmAll(engine *child, requests [][]byte, conns int) error {
	_, err := drive(engine, conns, time.Hour, func(c int, _ time.Time, out *[]time.Duration) error {
		conn, err := net.Dial("tcp", engine.hello.Listen)
		if err != nil {
			return err
		}
		defer conn.Close()
		in := bufio.NewReaderSize(conn, 32<<10)
		for n := c; n < len(requests); n += conns {
			status, _, _, err := exchange(conn, in, requests[n], false)
			if err != nil || status != http.StatusOK {
				return errors.Join(fmt.Errorf("status %d", status), err)
			}
			*out = append(*out, 0)
		}
		return nil
	})
	return err
}
