package main

import (
	"io"
	"sync"
)

// tail keeps the last lines that were written to it, until they are released to another writer. Safe for concurrent use.
type tail struct {
	mu    sync.Mutex
	keep  int
	lines [][]byte  // guarded by mu; at most keep
	to    io.Writer // guarded by mu; nil until release
}

func newTail(keep int) *tail { return &tail{keep: keep} }

// Write takes one line, as a log handler writes them.
func (t *tail) Write(line []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.to != nil {
		return t.to.Write(line)
	}
	if len(t.lines) == t.keep {
		t.lines = append(t.lines[:0], t.lines[1:]...)
	}
	t.lines = append(t.lines, append([]byte(nil), line...))
	return len(line), nil
}

// release writes what was kept, and passes on whatever comes later.
func (t *tail) release(to io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.to != nil {
		return
	}
	for _, line := range t.lines {
		_, _ = to.Write(line) // a log that cannot be written has nobody to be told to
	}
	t.lines, t.to = nil, to
}
