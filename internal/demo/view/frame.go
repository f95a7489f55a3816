package view

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Frame is everything that is shown at one moment.
type Frame struct {
	Uptime  time.Duration
	Numbers Numbers
	Feed    []Line   // oldest first
	Pinned  []Line   // shown above the feed for as long as they last: what must not scroll away
	Added   uint64   // how many lines the feed ever had
	Try     []string // commands to paste, broken into lines of at most TryColumns
	Notes   []string // addresses, keys
}

// Numbers are the gauges. A negative one is not known and is shown as "-".
type Numbers struct {
	PerSecond    float64
	P50, P99     time.Duration
	Requests     uint64
	Errors       uint64
	HitRatio     float64       // 0 to 1
	Lag          time.Duration // freshness lag: now − watermark
	RulesVersion uint64
	Users        int
	Changes      uint64 // gained or lost promotions that were seen
}

// Line is one entry of the feed.
type Line struct {
	At     time.Time
	Gained bool
	User   string
	What   string // the promotion and its placement
	Why    string
	Pinned bool // keep it in sight
}

// TryColumns is how wide a command line may be: it must survive on a terminal of the usual width.
const TryColumns = 80

// Style is whether escape sequences may be used.
type Style struct {
	Color bool
	bold  bool
}

const (
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	green  = "\x1b[32m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	reset  = "\x1b[0m"
)

func (s Style) paint(code, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return code + text + reset
}

// Render draws the frame as exactly height lines of at most width columns, escape sequences not counted. The feed takes what the rest
// leaves.
func Render(f *Frame, width, height int, style Style) []string {
	var top, bottom []string
	const title = "eligibility demo"
	uptime := "   up " + f.Uptime.Truncate(time.Second).String() + ", Ctrl-C ends it"
	top = append(top, style.paint(bold, clip(title, width))+style.paint(dim, clip(uptime, width-len(title))))
	for _, note := range f.Notes {
		top = append(top, style.paint(dim, clip(note, width)))
	}
	top = append(top, "")
	top = append(top, gauges(&f.Numbers, width, style)...)
	top = append(top, "", style.paint(bold, clip("Who gained (+) or lost (-) what, and why", width)))
	bottom = append(bottom, "", style.paint(bold, clip("Try it in another terminal", width)))
	for _, command := range f.Try {
		bottom = append(bottom, clip(command, width))
	}
	room := height - len(top) - len(bottom)
	if room < 0 { // a very small window: the commands go first
		bottom, room = nil, max(height-len(top), 0)
	}
	pinned := f.Pinned[max(0, len(f.Pinned)-min(mostPinned, room/2)):]
	lines := append([]string(nil), top...)
	lines = append(lines, feed(pinned, width, len(pinned), Style{Color: style.Color, bold: true})...)
	lines = append(lines, feed(f.Feed, width, room-len(pinned), style)...)
	lines = append(lines, bottom...)
	return lines[:min(len(lines), height)]
}

const (
	mostPinned  = 4  // pinned lines in sight; never more than half of the feed's room
	userColumns = 16 // room for a first name and an id
)

// gauges is the two rows of numbers.
func gauges(n *Numbers, width int, style Style) []string {
	ratio := "-"
	if n.HitRatio >= 0 {
		ratio = fmt.Sprintf("%.1f %%", n.HitRatio*100)
	}
	rows := [][2][]string{
		{
			{"requests/s", "p50", "p99", "hit ratio", "freshness lag"},
			{fmt.Sprintf("%.0f", n.PerSecond), short(n.P50), short(n.P99), ratio, short(n.Lag)},
		},
		{
			{"ruleset", "users", "requests", "errors", "changes seen"},
			{fmt.Sprintf("v%d", n.RulesVersion), group(uint64(n.Users)), group(n.Requests), group(n.Errors), group(n.Changes)},
		},
	}
	const column = 15
	var lines []string
	for _, row := range rows {
		var names, values strings.Builder
		for i := range row[0] {
			fmt.Fprintf(&names, "%-*s", column, row[0][i])
			fmt.Fprintf(&values, "%-*s", column, row[1][i])
		}
		lines = append(lines, style.paint(dim, clip(strings.TrimRight(names.String(), " "), width)))
		value := clip(strings.TrimRight(values.String(), " "), width)
		if n.Errors > 0 && row[0][3] == "errors" {
			lines = append(lines, style.paint(yellow, value))
			continue
		}
		lines = append(lines, style.paint(bold, value))
	}
	return lines
}

// feed is the newest entries, as many as fit, padded to room lines.
func feed(entries []Line, width, room int, style Style) []string {
	entries = entries[max(0, len(entries)-room):]
	lines := make([]string, 0, room)
	for i := range entries {
		e := &entries[i]
		sign, code := "+", green
		if !e.Gained {
			sign, code = "-", red
		}
		head := fmt.Sprintf("%s %s %-*s %s", e.At.Format(time.TimeOnly), sign, userColumns, clip(e.User, userColumns), e.What)
		if style.bold {
			code = bold + code
		}
		line := style.paint(code, clip(head, width))
		if left := width - utf8.RuneCountInString(head) - 2; left > 8 && e.Why != "" {
			line += "  " + style.paint(dim, clip(e.Why, left))
		}
		lines = append(lines, line)
	}
	for len(lines) < room {
		lines = append(lines, "")
	}
	return lines
}

// clip cuts text to at most width characters and replaces what a terminal would act on.
func clip(text string, width int) string {
	if width <= 0 {
		return ""
	}
	text = strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, text)
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	runes := []rune(text)
	return string(runes[:width-1]) + "…"
}

// short is a duration in three or four characters.
func short(d time.Duration) string {
	switch {
	case d < 0:
		return "-"
	case d < time.Millisecond:
		return fmt.Sprintf("%dµs", d.Microseconds())
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1fms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Truncate(time.Second).String()
}

// group writes a number with a thin separator between thousands.
func group(n uint64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
