package server

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// counted counts how often deadlines are set.
type counted struct {
	net.Conn
	sets atomic.Int32
}

func (c *counted) SetReadDeadline(at time.Time) error {
	c.sets.Add(1)
	return c.Conn.SetReadDeadline(at)
}

func (c *counted) SetWriteDeadline(at time.Time) error {
	c.sets.Add(1)
	return c.Conn.SetWriteDeadline(at)
}

// pipe is both ends of a connection; the near one is unhurried.
func pipe(t *testing.T) (near *unhurriedConn, far net.Conn, sets *atomic.Int32) {
	a, b := net.Pipe()
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	c := &counted{Conn: a}
	return &unhurriedConn{Conn: c, opened: time.Now()}, b, &c.sets
}

func TestAWaitEndsWithItsDeadline(t *testing.T) {
	tests := []struct {
		name  string
		moves []time.Duration // from now, in their order; 0 is for ever
		after time.Duration   // when the last is made
		want  time.Duration   // when the wait ends
	}{
		{"set once", []time.Duration{time.Minute}, 0, time.Minute},
		{"moved nearer before the wait", []time.Duration{time.Minute, 5 * time.Second}, 0, 5 * time.Second},
		{"moved nearer during the wait", []time.Duration{time.Minute, 5 * time.Second}, 10 * time.Second, 15 * time.Second},
		{"moved away during the wait", []time.Duration{5 * time.Second, time.Minute}, 2 * time.Second, 62 * time.Second},
		{"over already", []time.Duration{-time.Hour}, 0, 0},
		{"made over during the wait", []time.Duration{time.Minute, -time.Hour}, 3 * time.Second, 3 * time.Second},
		{"lifted and set again", []time.Duration{5 * time.Second, 0, 20 * time.Second}, 0, 20 * time.Second},
	}
	for _, tt := range tests {
		for _, direction := range []string{"read", "write"} {
			t.Run(direction+" "+tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					near, _, _ := pipe(t)
					set, wait := near.SetReadDeadline, near.Read
					if direction == "write" {
						set, wait = near.SetWriteDeadline, near.Write
					}
					move := func(d time.Duration) {
						at := time.Time{}
						if d != 0 {
							at = time.Now().Add(d)
						}
						if err := set(at); err != nil {
							t.Error(err)
						}
					}
					last := len(tt.moves) - 1
					for _, d := range tt.moves[:last] {
						move(d)
					}
					if tt.after == 0 {
						move(tt.moves[last])
					} else {
						time.AfterFunc(tt.after, func() { move(tt.moves[last]) })
					}
					began := time.Now()
					if _, err := wait(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("ended with %v", err)
					}
					if took := time.Since(began); took != tt.want {
						t.Errorf("ended after %v, want %v", took, tt.want)
					}
				})
			})
		}
	}
}

func TestDeadlinesThatDoNotMatterAreNotSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far, sets := pipe(t)
		const requests = 1000
		go func() { // a client that asks a hundred times a second
			for range requests {
				time.Sleep(10 * time.Millisecond)
				_, _ = far.Write([]byte{0})
				_, _ = far.Read([]byte{0})
			}
		}()
		for range requests { // as a server does for each
			_ = near.SetReadDeadline(time.Now().Add(time.Minute))
			if _, err := near.Read([]byte{0}); err != nil {
				t.Fatal(err)
			}
			_ = near.SetReadDeadline(time.Now().Add(5 * time.Second))
			_ = near.SetWriteDeadline(time.Now().Add(20 * time.Second))
			if _, err := near.Write([]byte{0}); err != nil {
				t.Fatal(err)
			}
		}
		if n := sets.Load(); n != 2 { // once for each direction
			t.Errorf("deadlines were set %d times", n)
		}
	})
}

func TestAServedConnectionKeepsTheTimeOfRequestsAndAnswers(t *testing.T) {
	const request, answer, idle = 5 * time.Second, 10 * time.Second, time.Minute
	ends := func(t *testing.T, wait func([]byte) (int, error), want time.Duration) {
		t.Helper()
		began := time.Now()
		if _, err := wait(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("ended with %v", err)
		}
		if took := time.Since(began); took != want {
			t.Errorf("ended after %v, want %v", took, want)
		}
	}
	served := func(t *testing.T) (*unhurriedConn, net.Conn) {
		a, b := net.Pipe()
		t.Cleanup(func() { _, _ = a.Close(), b.Close() })
		return newUnhurriedConn(a, request, answer), b
	}
	ask := func(t *testing.T, near *unhurriedConn, far net.Conn) { // its first byte
		t.Helper()
		go func() { _, _ = far.Write([]byte{0}) }()
		if _, err := near.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name string
		run  func(t *testing.T, near *unhurriedConn, far net.Conn)
	}{
		{"nothing is asked at all", func(t *testing.T, near *unhurriedConn, _ net.Conn) { ends(t, near.Read, request) }},
		{"a first request that does not end", func(t *testing.T, near *unhurriedConn, far net.Conn) {
			time.Sleep(2 * time.Second)
			ask(t, near, far)
			ends(t, near.Read, request-2*time.Second)
		}},
		{"a later request that does not end", func(t *testing.T, near *unhurriedConn, far net.Conn) {
			time.Sleep(time.Hour)
			_ = near.SetReadDeadline(time.Now().Add(idle))
			ask(t, near, far)
			_ = near.SetReadDeadline(time.Time{})
			ask(t, near, far) // its second
			time.Sleep(time.Second)
			ends(t, near.Read, request-time.Second)
		}},
		{"no request after one", func(t *testing.T, near *unhurriedConn, far net.Conn) {
			ask(t, near, far)
			_ = near.SetReadDeadline(time.Time{})
			_ = near.SetReadDeadline(time.Now().Add(idle))
			ends(t, near.Read, idle)
		}},
		{"a request that is given longer", func(t *testing.T, near *unhurriedConn, far net.Conn) {
			_ = near.SetReadDeadline(time.Time{})
			_ = near.SetReadDeadline(time.Now().Add(2 * request))
			ends(t, near.Read, 2*request)
		}},
		{"an answer that nobody takes", func(t *testing.T, near *unhurriedConn, _ net.Conn) {
			time.Sleep(time.Hour)
			near.answered(time.Now())
			ends(t, near.Write, answer)
		}},
		{"a connection that left", func(t *testing.T, near *unhurriedConn, far net.Conn) {
			_ = near.SetReadDeadline(time.Time{})
			if err := near.leave(); err != nil {
				t.Error(err)
			}
			near.answered(time.Now())
			_ = near.SetReadDeadline(time.Time{})
			time.AfterFunc(time.Hour, func() { _, _ = far.Write([]byte{0}) })
			if _, err := near.Read(make([]byte, 1)); err != nil {
				t.Error(err)
			}
			time.AfterFunc(time.Hour, func() { _, _ = far.Read(make([]byte, 1)) })
			if _, err := near.Write(make([]byte, 1)); err != nil {
				t.Error(err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := served(t)
				tt.run(t, near, far)
			})
		})
	}
}
