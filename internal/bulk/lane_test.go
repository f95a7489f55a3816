package bulk

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

func TestALaneWorksAloneOnALoweredThread(t *testing.T) {
	p := newPlane(t, func(c *Config) { c.Lanes = 1 })
	var at, most atomic.Int64
	done := make(chan error)
	for range 8 {
		go func() {
			_, err := p.Turn(t.Context(), func(span time.Duration) {
				if n := at.Add(1); n > 1 {
					most.Store(n)
				}
				if nice, known := niceHere(); known && nice != 19 {
					t.Errorf("the work runs at niceness %d", nice)
				}
				if span <= 0 {
					t.Errorf("a span of %v", span)
				}
				at.Add(-1)
			})
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := most.Load(); n > 1 {
		t.Errorf("%d pieces at one time", n)
	}
	if nice, known := niceHere(); known && nice != 0 {
		t.Errorf("the caller was lowered to %d", nice)
	}
}

func TestATurnThatIsNotWaitedForIsNotTaken(t *testing.T) {
	p := newPlane(t, func(c *Config) { c.Lanes = 1 })
	inside, out := make(chan struct{}), make(chan struct{})
	first := make(chan error)
	go func() {
		_, err := p.Turn(t.Context(), func(time.Duration) { close(inside); <-out })
		first <- err
	}()
	<-inside
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Turn(gone, func(time.Duration) { t.Error("worked for a caller that is gone") }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(out)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Turn(t.Context(), func(time.Duration) { t.Error("worked after the stop") }); !errors.Is(err, errStopped) {
		t.Errorf("after the stop: %v", err)
	}
}

func TestAPanicIsOfWhoAskedForTheTurn(t *testing.T) {
	p := newPlane(t, func(c *Config) { c.Lanes = 1 })
	func() {
		defer func() {
			if cause := recover(); cause != "broken" {
				t.Errorf("recovered %v, want what the work panicked with", cause)
			}
		}()
		_, err := p.Turn(t.Context(), func(time.Duration) { panic("broken") })
		t.Errorf("returned %v", err)
	}()
	if _, err := p.Turn(t.Context(), func(time.Duration) {}); err != nil {
		t.Errorf("the lane does not go on: %v", err)
	}
}
