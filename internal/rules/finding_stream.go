package rules

import (
	"slices"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"

	"cel.dev/cel-go/common/types"
)

// divideStream makes a history for every way in which the windows that are asked about can hold the numbers of events that are compared
// with, and each once more with its older part cut off.
func (f *finder) divideStream(d *domain) bool {
	var windows, counts []int64
	counts = append(counts, 0)
	for _, u := range d.uses {
		windows = append(windows, u.window)
		for _, constant := range u.constants {
			n, ok := constant.(types.Int)
			if !ok || n > maxCounted {
				return false
			}
			for _, near := range []int64{int64(n) - 1, int64(n), int64(n) + 1} {
				counts = append(counts, max(near, 0))
			}
		}
	}
	slices.Sort(windows)
	slices.Sort(counts)
	h := histories{f: f, domain: d, windows: slices.Compact(windows), counts: slices.Compact(counts)}
	return h.make(nil)
}

type histories struct {
	f       *finder
	domain  *domain
	windows []int64 // ascending
	counts  []int64 // ascending
	builder profile.Builder
}

// make completes the counts of the shorter windows in every way: a longer window holds at least as many events.
func (h *histories) make(shorter []int64) bool {
	if len(shorter) < len(h.windows) {
		for _, n := range h.counts {
			if len(shorter) > 0 && n < shorter[len(shorter)-1] {
				continue
			}
			if !h.make(append(slices.Clip(shorter), n)) {
				return false
			}
		}
		return true
	}
	h.history(shorter, 0)
	for _, window := range h.windows {
		h.history(shorter, cellNow-window+2) // complete for the windows shorter than this one
	}
	return len(h.domain.cells) <= maxCells
}

func (h *histories) history(counts []int64, since int64) {
	b, name := &h.builder, h.domain.name
	b.Reset(h.f.b.schema, profile.Key{Project: "cell", User: "cell"}, hlc.Timestamp{Wall: cellNow})
	before := int64(0)
	for i, n := range counts {
		for range n - before {
			b.Event(name, cellNow-h.windows[i]+1, nil)
		}
		before = n
	}
	if since != 0 {
		b.Truncated(name, since)
	}
	h.domain.cells = append(h.domain.cells, domainCell{vars: &Input{Snapshot: b.Build(), Now: cellNow}, unset: since != 0})
}
