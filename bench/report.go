package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report is the page of results.
type report struct {
	head  string
	parts []fmt.Stringer
	plots map[string]string // SVG by file name
	goals []goal
}

func newReport(p plan) *report {
	quick := ""
	if p.quick {
		quick = " **A quick run: too short to be quoted.**"
	}
	return &report{plots: make(map[string]string), head: fmt.Sprintf("# Measured on %s\n\n%s. %d rounds of %v a side, interleaved, %d connections in closed loops; medians, with the least and the greatest round in "+
		"brackets. The load is made by a process on the same machine.%s\n\nTo have it again: `make bench`.\n", time.Now().UTC().Format(time.DateOnly), machine(), p.rounds, p.span, p.conns, quick)}
}

// write writes the page and its plots, and returns the page's path.
func (r *report) write(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	name := time.Now().UTC().Format(time.DateOnly) + "-" + slug(machine())
	var page strings.Builder
	page.WriteString(r.head + r.goalTable())
	for file, svg := range r.plots {
		file = name + "-" + file
		if err := os.WriteFile(filepath.Join(dir, file), []byte(svg), 0o644); err != nil {
			return "", err
		}
	}
	for _, part := range r.parts {
		page.WriteString("\n" + strings.ReplaceAll(part.String(), "](PLOT-", "]("+name+"-"))
	}
	file := filepath.Join(dir, name+".md")
	return file, os.WriteFile(file, []byte(page.String()), 0o644)
}

var noWord = regexp.MustCompile(`[^a-z0-9]+`)

func slug(machine string) string {
	model, _, _ := strings.Cut(strings.ToLower(machine), ",")
	return strings.Trim(noWord.ReplaceAllString(model, "-"), "-") + fmt.Sprintf("-%d", runtime.NumCPU())
}

// table is one table of the page.
type table struct {
	title, about string
	columns      []string
	rows         [][]string
}

func (r *report) table(title, about string, columns ...string) *table {
	t := &table{title: title, about: about, columns: columns}
	r.parts = append(r.parts, t)
	return t
}

func (t *table) row(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		switch c := c.(type) {
		case time.Duration:
			row[i] = short(c)
		default:
			row[i] = fmt.Sprint(c)
		}
	}
	t.rows = append(t.rows, row)
	fmt.Fprintln(os.Stderr, "  "+strings.Join(row, "  "))
}

// String is the table in Markdown.
func (t *table) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n%s\n\n| %s |\n|%s\n", t.title, t.about, strings.Join(t.columns, " | "), strings.Repeat("---|", len(t.columns)))
	for _, row := range t.rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	return b.String()
}

type text string

func (t text) String() string { return string(t) }

func (r *report) text(title, body string) {
	r.parts = append(r.parts, text("## "+title+"\n\n"+body))
}

func (r *report) plot(file string, p plot) {
	r.drawing(file, p.title, p.svg())
}

func (r *report) drawing(file, title, svg string) {
	r.plots[file] = svg
	r.parts = append(r.parts, text(fmt.Sprintf("![%s](PLOT-%s)\n", title, file)))
}

// spread is a median with the least and the greatest of the rounds.
type spread struct {
	median, least, most float64
	unit                func(float64) string
}

func (s spread) String() string {
	return fmt.Sprintf("%s (%s–%s)", s.unit(s.median), s.unit(s.least), s.unit(s.most))
}

func spreadOf(values []float64, unit func(float64) string) spread {
	slices.Sort(values)
	return spread{values[len(values)/2], values[0], values[len(values)-1], unit}
}

func over(samples []*sample, figure func(*sample) float64, unit func(float64) string) spread {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = figure(s)
	}
	return spreadOf(values, unit)
}

// ratios divides round by round, so that what slows down one round slows down both sides.
func ratios(a, b []*sample, figure func(*sample) float64) spread {
	values := make([]float64, len(a))
	for i := range a {
		values[i] = figure(a[i]) / figure(b[i])
	}
	return spreadOf(values, func(v float64) string { return fmt.Sprintf("%.2f", v) })
}

func rateOf(s []*sample) spread {
	return over(s, func(s *sample) float64 { return s.rate }, func(v float64) string { return fmt.Sprintf("%.0f", v) })
}

func cpuOf(s []*sample) spread {
	return over(s, func(s *sample) float64 { return float64(s.cpu) }, func(v float64) string { return short(time.Duration(v)) })
}

func latencyOf(s []*sample, share float64) spread {
	return over(s, func(s *sample) float64 { return float64(s.at(share)) }, func(v float64) string { return short(time.Duration(v)) })
}

func percentile(all []time.Duration, share float64) string {
	if len(all) == 0 {
		return ""
	}
	s := sample{latencies: slices.Sorted(slices.Values(all))}
	return short(s.at(share))
}

func short(d time.Duration) string {
	switch {
	case d < 100*time.Microsecond:
		return fmt.Sprintf("%.1f µs", float64(d)/1e3)
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.0f µs", float64(d)/1e3)
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// profile shows where the processor's time goes while cached users are asked for, and keeps the profile for `make pgo`.
func (r *report) profile(engine *child, same, different [][]byte, p plan) error {
	dir := p.profile
	if dir == "" {
		temporary, err := os.MkdirTemp("", "bench-profile-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temporary)
		dir = temporary
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	hits := filepath.Join(dir, "reused.pprof")
	if err := profileOf(engine, same, hits, p); err != nil {
		return err
	}
	if err := r.flames("Where the time of a kept answer goes", hits, "flame-reused.svg"); err != nil {
		return err
	}
	computed := filepath.Join(dir, "computed.pprof")
	if err := profileOf(engine, different, computed, p); err != nil {
		return err
	}
	return r.flames("Where the time of a computed answer goes", computed, "flame-computed.svg")
}

// profileOf has the engine write a profile while it answers the requests.
func profileOf(engine *child, requests [][]byte, file string, p plan) error {
	span := max(2*p.span, time.Second)
	done := make(chan error, 1)
	go func() {
		var told reply
		done <- engine.tell(command{Profile: file, Span: span}, &told)
	}()
	_, err := closed(engine, engine.hello.Listen, requests, p.conns, span+200*time.Millisecond)
	return errors.Join(err, <-done)
}
