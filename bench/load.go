package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// request is one HTTP request as its bytes.
func request(path, key, body string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\nApi-Key: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		path, key, len(body), body)
}

// exchange sends the request and reads the answer to its end. It returns the status and, when keep is set, the body.
func exchange(c net.Conn, in *bufio.Reader, request []byte, keep bool) (status int, header, body []byte, err error) {
	if _, err := c.Write(request); err != nil {
		return 0, nil, nil, err
	}
	length := -1
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return 0, nil, nil, err
		}
		if keep {
			header = append(header, line...)
		}
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case first:
			if len(line) < 12 {
				return 0, nil, nil, fmt.Errorf("status line %q", line)
			}
			if status, err = strconv.Atoi(string(line[9:12])); err != nil {
				return 0, nil, nil, err
			}
		case len(line) == 0:
			if length < 0 {
				return 0, nil, nil, errors.New("an answer without a length")
			}
			if keep {
				body = make([]byte, length)
				_, err = io.ReadFull(in, body)
				return status, header, body, err
			}
			_, err = in.Discard(length)
			return status, nil, nil, err
		case len(line) > 16 && bytes.EqualFold(line[:15], []byte("content-length:")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[15:]))); err != nil {
				return 0, nil, nil, err
			}
		}
	}
}

// once makes one exchange on a connection of its own.
func once(addr string, request []byte) (status int, header, body []byte, err error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, nil, nil, err
	}
	defer c.Close()
	return exchange(c, bufio.NewReader(c), request, true)
}

// sample is what one side did in one round.
type sample struct {
	rate      float64         // answers a second
	cpu       time.Duration   // of the server, for each answer
	latencies []time.Duration // sorted
}

func (s *sample) at(share float64) time.Duration {
	if len(s.latencies) == 0 {
		return 0
	}
	return s.latencies[min(len(s.latencies)-1, int(share*float64(len(s.latencies))))]
}

// closed asks as fast as the connections allow. requests are taken in turn, each connection beginning at another one.
func closed(side *child, addr string, requests [][]byte, conns int, span time.Duration) (*sample, error) {
	return drive(side, conns, span, func(c int, until time.Time, out *[]time.Duration) error {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		defer conn.Close()
		in := bufio.NewReaderSize(conn, 32<<10)
		for n := c * len(requests) / conns; ; n++ {
			began := time.Now()
			if began.After(until) {
				return nil
			}
			status, _, _, err := exchange(conn, in, requests[n%len(requests)], false)
			if err != nil || status != 200 {
				return errors.Join(fmt.Errorf("status %d", status), err)
			}
			*out = append(*out, time.Since(began))
		}
	})
}

// open asks at a constant rate, whatever the answers do. A request that is due while its connection waits for an answer counts from the instant at which it was
// due, so that an answer which keeps the next one waiting is slow twice; on a free connection it counts from when it was sent, for how late a timer
// wakes is no property of the server.
func open(side *child, addr string, requests [][]byte, conns int, rate float64, span time.Duration) (*sample, error) {
	pause := time.Duration(float64(conns) / rate * float64(time.Second))
	start := time.Now().Add(10 * time.Millisecond)
	return drive(side, conns, span, func(c int, until time.Time, out *[]time.Duration) error {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		defer conn.Close()
		in := bufio.NewReaderSize(conn, 32<<10)
		due := start.Add(pause * time.Duration(c) / time.Duration(conns))
		for n := c; due.Before(until); n += conns {
			from := due
			if wait := time.Until(due); wait > 0 {
				time.Sleep(wait)
				from = time.Now()
			}
			status, _, _, err := exchange(conn, in, requests[n%len(requests)], false)
			if err != nil || status != 200 {
				return errors.Join(fmt.Errorf("status %d", status), err)
			}
			*out = append(*out, time.Since(from))
			due = due.Add(pause)
		}
		return nil
	})
}

func drive(side *child, conns int, span time.Duration, ask func(c int, until time.Time, out *[]time.Duration) error) (*sample, error) {
	used, err := side.cpu()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	until := began.Add(span)
	all, faults := make([][]time.Duration, conns), make([]error, conns)
	var group sync.WaitGroup
	for c := range conns {
		group.Go(func() { faults[c] = ask(c, until, &all[c]) })
	}
	group.Wait()
	took := time.Since(began)
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	after, err := side.cpu()
	if err != nil {
		return nil, err
	}
	s := &sample{latencies: slices.Concat(all...)}
	if len(s.latencies) == 0 {
		return nil, errors.New("nothing was answered")
	}
	slices.Sort(s.latencies)
	s.rate = float64(len(s.latencies)) / took.Seconds()
	s.cpu = (after - used) / time.Duration(len(s.latencies))
	return s, nil
}
