package view

import (
	"slices"
	"sync"
)

// Feed keeps the newest lines. Safe for concurrent use; adding never blocks for long.
type Feed struct {
	mu     sync.Mutex
	lines  []Line // guarded by mu; at most keep
	pinned []Line // guarded by mu; at most mostPinned
	added  uint64 // guarded by mu
	keep   int
}

// NewFeed keeps at most keep lines.
func NewFeed(keep int) *Feed { return &Feed{keep: keep} }

// Add appends a line and drops the oldest when there are too many.
func (f *Feed) Add(l Line) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.added++
	f.lines = push(f.lines, l, f.keep)
	if l.Pinned {
		f.pinned = push(f.pinned, l, mostPinned)
	}
}

// push appends l and lets go of the oldest beyond keep.
func push(lines []Line, l Line, keep int) []Line {
	if len(lines) == keep {
		copy(lines, lines[1:])
		lines = lines[:keep-1]
	}
	return append(lines, l)
}

// Fill copies the lines, the pinned ones and the count of all that were added into the frame.
func (f *Feed) Fill(to *Frame) {
	f.mu.Lock()
	defer f.mu.Unlock()
	to.Feed, to.Pinned, to.Added = slices.Clone(f.lines), slices.Clone(f.pinned), f.added
}
