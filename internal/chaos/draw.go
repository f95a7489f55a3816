package chaos

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// The picture's measures, in its own units.
const (
	leftEdge, drawn   = 90, 1090 // where time begins, and how far it reaches
	pictureWidth      = leftEdge + drawn + 20
	faultRow          = 16 // of one fault's bar with its name
	faultRows         = 8  // bars take turns, so that neighbours' names do not cover each other
	bandHeight        = 96
	stripHeight       = 14
	barsHeight        = 56
	facesTop, topEdge = 22, 58
)

// coloursOf are those of phases and outcomes. What is well is pale, so that the eye finds the rest.
func coloursOf(phase string) string {
	return map[string]string{"live": "#7fc97f", "lagging": "#fdae61", "detached": "#d7301f"}[phase]
}

func (o Outcome) colour() string { return [...]string{"#4575b4", "#fdae61", "#d7301f", "#bbbbbb"}[o] }

// WriteSVG draws the run: the faults, and for each replica the phase it showed, when its copies became invalid together, and the reads in slices of 100 ms.
func (t *Timeline) WriteSVG(w io.Writer) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	end := t.end()
	x := func(at time.Duration) float64 { return leftEdge + drawn*float64(at)/float64(end) }
	bands := topEdge + faultRows*faultRow + 12
	height := bands + len(t.lanes)*bandHeight + 30
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11" fill="#222">`+"\n", pictureWidth, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/><text x="8" y="16" font-size="14">%s</text>`+"\n", pictureWidth, height, escaped(t.title))
	t.key(&b)
	fmt.Fprintf(&b, `<text x="8" y="%d">faults</text>`+"\n", topEdge+12)
	for i, f := range t.faults {
		y := topEdge + i%faultRows*faultRow
		at, anchor := x(f.to)+2, "start"
		if at > leftEdge+drawn*9/10 {
			at, anchor = x(f.from)-2, "end"
		}
		fmt.Fprintf(&b, `<rect x="%.1f" y="%d" width="%.1f" height="12" fill="#8c6bb1"/><text x="%.1f" y="%d" font-size="9" text-anchor="%s">%s</text>`+"\n",
			x(f.from), y, max(x(f.to)-x(f.from), 1.5), at, y+10, anchor, escaped(f.name))
	}
	for i := range t.lanes {
		t.band(&b, &t.lanes[i], t.names[i], bands+i*bandHeight, end, x)
	}
	axis := height - 24
	for at := time.Duration(0); at <= end; at += tick(end) {
		fmt.Fprintf(&b, `<path d="M%.1f %dV%d" stroke="#ddd" stroke-width=".5"/><text x="%.1f" y="%d" text-anchor="middle">%v</text>`+"\n",
			x(at), topEdge, axis, x(at), axis+14, at)
	}
	b.WriteString("</svg>\n")
	_, err := w.Write(b.Bytes())
	return err
}

// tick is between two marks of the axis.
func tick(end time.Duration) time.Duration {
	for _, d := range []time.Duration{time.Second, 5 * time.Second, 15 * time.Second, time.Minute} {
		if end/d <= 20 {
			return d
		}
	}
	return 5 * time.Minute
}

// key explains the colours.
func (t *Timeline) key(b *bytes.Buffer) {
	x := 8
	sample := func(colour, text string) {
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="10" height="10" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n", x, facesTop+6, colour, x+14, facesTop+15, text)
		x += 30 + 7*len(text)
	}
	for _, phase := range []string{"live", "lagging", "detached"} {
		sample(coloursOf(phase), "feed "+phase)
	}
	for o := range outcomes {
		sample(o.colour(), "read: "+o.String())
	}
	sample("#222", "all copies became invalid")
}

// band draws one replica.
func (t *Timeline) band(b *bytes.Buffer, l *laneSeen, name string, y int, end time.Duration, x func(time.Duration) float64) {
	fmt.Fprintf(b, `<text x="8" y="%d">%s</text>`+"\n", y+11, escaped(name))
	for i, p := range l.phases {
		until := end
		if i+1 < len(l.phases) {
			until = l.phases[i+1].at
		}
		if colour := coloursOf(p.phase); colour != "" {
			fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", x(p.at), y, x(until)-x(p.at), stripHeight, colour)
		}
	}
	for _, at := range l.floors {
		fmt.Fprintf(b, `<path d="M%.1f %dv%d" stroke="#222" stroke-width="1.5"/>`+"\n", x(at), y-2, stripHeight+4)
	}
	most := 1
	for _, counts := range l.reads {
		most = max(most, counts[Fresh]+counts[Degraded]+counts[Refused]+counts[Unanswered])
	}
	var paths [outcomes]strings.Builder
	foot := float64(y + stripHeight + 4 + barsHeight)
	for _, at := range l.moments() {
		level := foot
		for o, n := range l.reads[at] {
			if n > 0 {
				up := float64(n) / float64(most) * barsHeight
				fmt.Fprintf(&paths[o], "M%.1f %.1fv-%.1f", x(time.Duration(at)*slice+slice/2), level, up)
				level -= up
			}
		}
	}
	for o := range outcomes {
		if paths[o].Len() > 0 {
			fmt.Fprintf(b, `<path d="%s" stroke="%s" stroke-width="%.2f"/>`+"\n", paths[o].String(), o.colour(), max(drawn*float64(slice)/float64(end)*0.9, 0.5))
		}
	}
}

func escaped(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a buffer takes everything
	return b.String()
}
