package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"eligibility/internal/remote"

	"golang.org/x/term"
)

// meter shows how far a long work is: a bar that is drawn over on a terminal, a line now and then elsewhere.
type meter struct {
	to       io.Writer
	screen   bool
	size     int64 // bytes of the input; 0 when nobody knows
	began    time.Time
	next     time.Time // of the next drawing
	finished time.Time
	drawn    bool
}

// How often progress is shown.
const (
	drawEvery  = 100 * time.Millisecond
	printEvery = 5 * time.Second
)

func newMeter(to *os.File, size int64) *meter {
	_, ci := os.LookupEnv("CI")
	p := &meter{to: to, screen: !ci && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(to.Fd())), size: size, began: time.Now()}
	if !p.screen {
		p.next = p.began.Add(printEvery)
	}
	return p
}

// show draws when it is time to.
func (p *meter) show(now remote.PrecheckProgress) {
	at := time.Now()
	if at.Before(p.next) {
		return
	}
	text := p.text(now, at.Sub(p.began))
	if p.screen {
		fmt.Fprintf(p.to, "\r%s\x1b[K", text)
		p.next, p.drawn = at.Add(drawEvery), true
		return
	}
	fmt.Fprintln(p.to, text)
	p.next = at.Add(printEvery)
}

// barCells is the width of the bar.
const barCells = 24

func (p *meter) text(now remote.PrecheckProgress, took time.Duration) string {
	rate := float64(now.Users) / took.Seconds()
	text := fmt.Sprintf("%d users, %d eligible, %.0f/s", now.Users, now.Eligible, rate)
	if p.size == 0 || now.Read == 0 {
		return text
	}
	// Some lines were read and not answered yet; it shows only at the beginning.
	share := min(1, float64(now.Read)/float64(p.size))
	full := int(share * barCells)
	left := time.Duration((1 - share) / share * float64(took))
	return fmt.Sprintf("[%s%s] %3.0f %%  %s, %v left", strings.Repeat("█", full), strings.Repeat("·", barCells-full), 100*share, text, left.Round(time.Second))
}

// end clears the bar.
func (p *meter) end() {
	if p.finished = time.Now(); p.drawn {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}

func (p *meter) took() time.Duration { return p.finished.Sub(p.began) }

// row is one line of a table of shares.
type row struct {
	name string
	n    int64
}

// printShares prints the rows by size, each with its share and a bar.
func printShares(to io.Writer, rows []row, total int64) {
	if total == 0 {
		return
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.name, b.name)) })
	width := 0
	for _, r := range rows {
		width = max(width, len(r.name))
	}
	for _, r := range rows {
		share := float64(r.n) / float64(total)
		fmt.Fprintf(to, "  %-*s %10d  %5.1f %%  %s\n", width, r.name, r.n, 100*share, strings.Repeat("█", int(share*barCells+0.5)))
	}
}
