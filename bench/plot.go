package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// plot is a chart of lines.
type plot struct {
	title, x, y string
	logX        bool
	fromZero    bool
	lines       []line
}

// line is one series of points, in the order of x.
type line struct {
	name   string
	xs, ys []float64
}

func (l *line) add(x, y float64) { l.xs, l.ys = append(l.xs, x), append(l.ys, y) }

func (l line) named(name string) line {
	l.name = name
	return l
}

// Size of a chart and of the space around its area.
const (
	width, height            = 720, 400
	left, right, top, bottom = 70, 20, 40, 60
)

// colours tell lines apart for readers with any colour vision; the names stand beside the lines' ends as well.
var colours = [...]string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"}

func (p plot) svg() string {
	minX, maxX, minY, maxY := p.bounds()
	px := func(x float64) float64 {
		if p.logX {
			x, minX, maxX := math.Log10(x), math.Log10(minX), math.Log10(maxX)
			return left + (x-minX)/math.Max(maxX-minX, 1e-9)*(width-left-right)
		}
		return left + (x-minX)/math.Max(maxX-minX, 1e-9)*(width-left-right)
	}
	py := func(y float64) float64 {
		return height - bottom - (y-minY)/math.Max(maxY-minY, 1e-9)*(height-top-bottom)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/><text x="%d" y="22" font-size="15">%s</text>`+"\n", width, height, left, html.EscapeString(p.title))
	const steps = 5
	for i := range steps + 1 {
		v := minY + (maxY-minY)*float64(i)/steps
		fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left, width-right, py(v), py(v), left-8, py(v)+4, number(v))
	}
	for _, x := range p.lines[0].xs {
		fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#eee"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n",
			px(x), px(x), top, height-bottom, px(x), height-bottom+18, number(x))
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", (left+width-right)/2, height-16, html.EscapeString(p.x))
	fmt.Fprintf(&b, `<text transform="translate(16 %d) rotate(-90)" text-anchor="middle">%s</text>`+"\n", (top+height-bottom)/2, html.EscapeString(p.y))
	for i, l := range p.lines {
		colour := colours[i%len(colours)]
		var points []string
		for j := range l.xs {
			points = append(points, fmt.Sprintf("%.1f,%.1f", px(l.xs[j]), py(l.ys[j])))
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`+"\n", px(l.xs[j]), py(l.ys[j]), colour)
		}
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(points, " "), colour)
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="%s">— %s</text>`+"\n", left+10, top+14+16*i, colour, html.EscapeString(l.name))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (p plot) bounds() (minX, maxX, minY, maxY float64) {
	minX, minY = math.Inf(1), math.Inf(1)
	maxX, maxY = math.Inf(-1), math.Inf(-1)
	for _, l := range p.lines {
		for i := range l.xs {
			minX, maxX = math.Min(minX, l.xs[i]), math.Max(maxX, l.xs[i])
			minY, maxY = math.Min(minY, l.ys[i]), math.Max(maxY, l.ys[i])
		}
	}
	if p.fromZero {
		minY = 0
	}
	return minX, maxX, minY, maxY * 1.15
}

func number(v float64) string {
	switch {
	case v >= 1000:
		return fmt.Sprintf("%gk", math.Round(v/100)/10)
	case v >= 10:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2g", v)
}
