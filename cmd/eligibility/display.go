package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"eligibility/internal/demo/view"

	"golang.org/x/term"
)

// display is where the demo is shown: a live screen on a terminal that a person looks at, plain lines elsewhere.
type display struct {
	std    streams
	screen bool
	style  view.Style
	held   *tail        // log lines while the screen is drawn, which they would tear
	asJSON *slog.Logger // for plain lines when log lines are JSON
}

// newDisplay decides how to show. CI and TERM=dumb are no place for a screen, NO_COLOR none for colour.
func newDisplay(g *Globals, std streams) *display {
	d := &display{std: std, style: view.Style{Color: os.Getenv("NO_COLOR") == ""}}
	_, ci := os.LookupEnv("CI")
	d.screen = !g.json() && !ci && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(std.out.Fd()))
	if d.screen {
		d.held = newTail(heldLines)
	}
	if g.LogFormat == "json" {
		d.asJSON = g.logger(std.err)
	}
	return d
}

// heldLines is how many log lines are kept to be shown when the screen is gone.
const heldLines = 30

// logs is where log lines go.
func (d *display) logs() io.Writer {
	if d.held != nil && term.IsTerminal(int(d.std.err.Fd())) {
		return d.held
	}
	return d.std.err
}

// run shows frames until ctx ends.
func (d *display) run(ctx context.Context, frame func() view.Frame) error {
	if !d.screen {
		return view.Plain(ctx, d.plain, view.PlainEvery, frame)
	}
	err := view.Screen(ctx, d.std.out, d.size, frame, d.style)
	d.restore()
	return err
}

// plain writes one line beside the log lines, in their form.
func (d *display) plain(line string) error {
	if d.asJSON != nil {
		d.asJSON.Info("demo goes on", "line", line)
		return nil
	}
	_, err := fmt.Fprintln(d.std.err, line)
	return err
}

// size is the terminal's, or the one of old when it does not say.
func (d *display) size() (width, height int) {
	if width, height, err := term.GetSize(int(d.std.out.Fd())); err == nil && width > 0 && height > 0 {
		return width, height
	}
	return 80, 24
}

// restore shows the log lines that the screen has held back; from then on they go straight through.
func (d *display) restore() {
	if d.held != nil {
		d.held.release(d.std.err)
	}
}
