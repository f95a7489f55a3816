package view

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"
)

// refresh is how often the screen is drawn: often enough to look alive, seldom enough to read.
const refresh = 500 * time.Millisecond

// The control sequences of every terminal that is in use: the alternate screen, the cursor, erasing.
const (
	enter     = "\x1b[?1049h\x1b[?25l\x1b[2J"
	leave     = "\x1b[?25h\x1b[?1049l"
	eraseTail = "\x1b[K"
)

// Screen draws frames on a terminal until ctx ends, and then leaves the terminal as it was. size is asked before each frame, so that a
// resized window is filled anew. Only lines that differ are written: a selection that somebody makes to copy a command stays.
func Screen(ctx context.Context, out io.Writer, size func() (width, height int), frame func() Frame, style Style) error {
	if _, err := io.WriteString(out, enter); err != nil {
		return fmt.Errorf("draw: %w", err)
	}
	defer io.WriteString(out, leave) //nolint:errcheck // nothing is left to tell it to
	ticker := time.NewTicker(refresh)
	defer ticker.Stop()
	var painted []string
	var lastWidth, lastHeight int
	for {
		width, height := size()
		if width != lastWidth || height != lastHeight {
			painted, lastWidth, lastHeight = nil, width, height
		}
		f := frame()
		lines := Render(&f, width, height, style)
		if _, err := out.Write(delta(painted, lines)); err != nil {
			return fmt.Errorf("draw: %w", err)
		}
		painted = lines
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// delta is the bytes that turn what is painted into lines.
func delta(painted, lines []string) []byte {
	var b bytes.Buffer
	if painted == nil {
		b.WriteString("\x1b[2J")
	}
	for i, line := range lines {
		if i < len(painted) && painted[i] == line {
			continue
		}
		fmt.Fprintf(&b, "\x1b[%d;1H%s%s", i+1, line, eraseTail)
	}
	return b.Bytes()
}
