package sim

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// gates hold the calls of the code under test into the world until the schedule lets them go.
type gates struct {
	mu     sync.Mutex
	open   bool // nothing parks any more, a call only takes its time
	parked []*gate
}

type gate struct {
	label string
	next  chan verdict
}

// verdict is what the schedule lets happen to a call.
type verdict struct {
	fail bool
	draw uint64 // for choices within the call
}

// pick is a choice among n that follows from the verdict; way tells choices of one call apart.
func (v verdict) pick(way, n int) int { return int(mix(v.draw, uint64(way)) % uint64(n)) }

// mix is SplitMix64's finaliser over both.
func mix(a, b uint64) uint64 {
	z := a + (b+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// pass parks the call. Through open gates it passes after the pause.
func (g *gates) pass(ctx context.Context, label string, pause time.Duration) (verdict, error) {
	g.mu.Lock()
	if g.open {
		g.mu.Unlock()
		return verdict{}, wait(ctx, pause)
	}
	call := &gate{label: label, next: make(chan verdict, 1)}
	g.parked = append(g.parked, call)
	g.mu.Unlock()
	select {
	case v := <-call.next:
		return v, nil
	case <-ctx.Done():
		g.mu.Lock()
		defer g.mu.Unlock()
		g.parked = slices.DeleteFunc(g.parked, func(other *gate) bool { return other == call })
		return verdict{}, ctx.Err()
	}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// release lets one parked call go and returns its label; "" when none is parked. Calls that parked together are told apart by their
// labels, so that the choice does not depend on who was first.
func (g *gates) release(choice uint64, v verdict) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.parked) == 0 {
		return ""
	}
	slices.SortStableFunc(g.parked, func(a, b *gate) int { return strings.Compare(a.label, b.label) })
	i := int(choice % uint64(len(g.parked)))
	call := g.parked[i]
	g.parked = slices.Delete(g.parked, i, i+1)
	call.next <- v
	return call.label
}

// throwOpen lets everything go, now and from now on.
func (g *gates) throwOpen() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = true
	for _, call := range g.parked {
		call.next <- verdict{}
	}
	g.parked = nil
}

// shut has calls park from now on.
func (g *gates) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = false
}
